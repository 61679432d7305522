// SPDX-License-Identifier: GPL-2.0

//! Programs that are protected from their first instruction: docs/ttools.md.

use crate::{machine::Machine, program, sys};
use anyhow::{Context, Result};
use std::{ffi::OsString, fs::File, io, os::fd::AsFd};

const DEVICE: &str = "/dev/ttools";

/// Protects this process and becomes the program: protection stays across exec. The device isn't
/// open in it.
pub fn run(machine: &Machine, tree: bool, command: &[OsString]) -> Result<()> {
    protect(machine, tree)?;
    Err(program::become_program(command).into())
}

fn protect(machine: &Machine, tree: bool) -> Result<()> {
    let device = File::open(machine.path(DEVICE)).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => ": is the module ttools loaded?",
            _ => "",
        };
        anyhow::Error::new(error).context(format!("can't open {DEVICE}{hint}"))
    })?;
    let request = if tree {
        sys::Protect::Tree
    } else {
        sys::Protect::Process
    };
    match sys::protect(device.as_fd(), request) {
        // A parent that is protected with its tree did it for us.
        Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(()),
        result => result.with_context(|| format!("{DEVICE} refuses protection")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_that_the_module_is_missing() {
        let empty = Machine::at("/nonexistent");
        let error = run(&empty, false, &["true".into()]).unwrap_err();
        assert!(
            format!("{error:#}").contains("is the module ttools loaded?"),
            "{error:#}"
        );
    }

    #[test]
    fn a_file_that_is_not_the_device_is_refused() {
        let dir = std::env::temp_dir().join(format!("tkctl-protect-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("dev")).unwrap();
        std::fs::write(dir.join("dev/ttools"), "").unwrap();
        let error = run(&Machine::at(&dir), false, &["true".into()]).unwrap_err();
        std::fs::remove_dir_all(dir).unwrap();
        assert!(
            format!("{error:#}").contains("refuses protection"),
            "{error:#}"
        );
    }
}
