// SPDX-License-Identifier: GPL-2.0

//! The numbers of a process, from the reader's pid namespace out to the host's.

use super::tk::{
    capability::Capability,
    hooks::pidfile::{
        self,
        PidFile, //
    },
    sysctl::{
        File,
        Sysctls, //
    },
    task::{
        self,
        NumberOf, //
    },
    text::Text,
};
use kernel::{
    prelude::*,
    seq_file::SeqFile,
    sync::atomic::{
        ordering::Relaxed,
        Atomic, //
    },
    task::Task,
};

const LINES: [(&[u8], NumberOf); 3] = [
    (b"NStgid:", NumberOf::Process),
    (b"NSpid:", NumberOf::Thread),
    (b"NSsid:", NumberOf::Session),
];

/// Whether the numbers are shown; else the files are empty.
pub(crate) struct Numbers {
    watch: Atomic<i32>,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self {
            watch: Atomic::new(0),
        }
    }
}

impl PidFile for Numbers {
    const NAME: &'static CStr = c"hostinfo";

    fn show(&self, file: &SeqFile, task: &Task) -> Result {
        if self.watch.load(Relaxed) == 0 {
            return Ok(());
        }
        Text::new(file).put(b"Name:\t");
        pidfile::put_comm(file, task);
        let mut text = Text::new(file);
        text.put(b"\n");
        for (name, what) in LINES {
            text.put(name);
            for levels in 0..=task::pid_namespace_level() {
                // 0 where it isn't known: it is further out than the reader, or has just ended.
                let number = task::number_outside(task, what, levels);
                text.put(b"\t").number(u64::try_from(number).unwrap_or(0));
            }
            text.put(b"\n");
        }
        Ok(())
    }
}

impl Sysctls for Numbers {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[File::atomic(
        c"watch_host_pid",
        i32::MIN..=i32::MAX,
        |numbers| &numbers.watch,
    )];
}
