// SPDX-License-Identifier: GPL-2.0

//! Becoming another program.

use std::{ffi::OsString, fmt, io, os::unix::process::CommandExt, process::Command};

/// Why a program was not executed.
#[derive(Debug)]
pub struct NotStarted {
    name: OsString,
    error: io::Error,
}

impl NotStarted {
    /// The exit status that shells have for it.
    pub fn status(&self) -> u8 {
        if self.error.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name.to_string_lossy(), self.error)
    }
}

impl std::error::Error for NotStarted {}

/// Executes a program in this process; returns if that fails.
pub fn become_program(words: &[OsString]) -> NotStarted {
    let (name, arguments) = match words {
        [] => {
            return NotStarted {
                name: OsString::new(),
                error: io::ErrorKind::NotFound.into(),
            }
        }
        [name, arguments @ ..] => (name, arguments),
    };
    let error = Command::new(name).args(arguments).exec();
    NotStarted {
        name: name.clone(),
        error,
    }
}
