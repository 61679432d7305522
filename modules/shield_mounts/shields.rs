// SPDX-License-Identifier: GPL-2.0

//! The list, and who it holds for.
//!
//! Lock order: the kernel's lock of all mounts, then [`Shields::list`]. To allocate memory takes
//! neither.

use super::{
    command::Command,
    escape,
    tk::{
        capability::Capability,
        hooks::mounts::{
            Mount,
            MountsHook, //
        },
        sysctl::{
            File,
            Sysctls, //
        },
        task,
        text::Text,
        tkernel_file::{
            TkernelFile,
            Writer, //
        },
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        Mutex, //
    },
};

/// How many mounts can be listed unless the administrator says otherwise, and at most.
const MAX: i32 = 512;
const MAX_MAX: i32 = 1 << 16;

/// As long as a path may be.
const NAME_SIZE: usize = 4096;

/// A mount that is hidden: what is mounted, and where in the container.
#[derive(PartialEq, Eq)]
pub(crate) struct Shield {
    pub(crate) device: KVec<u8>,
    pub(crate) path: KVec<u8>,
}

/// The list, in the order in which it was made.
#[pin_data]
pub(crate) struct Shields {
    #[pin]
    list: Mutex<KVVec<Shield>>,
    /// The length of the list, so that nobody takes the lock to find it empty.
    len: Atomic<usize>,
    max: Atomic<i32>,
}

impl Shields {
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_mutex!(KVVec::new()),
            len: Atomic::new(0),
            max: Atomic::new(MAX),
        })
    }

    fn set(&self, shield: Shield) -> Result {
        let max = usize::try_from(self.max.load(Relaxed)).unwrap_or(0);
        let mut list = self.list.lock();
        if list.contains(&shield) {
            return Err(EEXIST);
        }
        if list.len() >= max {
            return Err(ENOMEM);
        }
        list.push(shield, GFP_KERNEL)?;
        self.len.store(list.len(), Relaxed);
        Ok(())
    }

    fn clear(&self, shield: &Shield) {
        let mut list = self.list.lock();
        list.retain(|listed| listed != shield);
        self.len.store(list.len(), Relaxed);
    }
}

impl MountsHook for Shields {
    fn hides(&self, mount: &Mount) -> bool {
        if self.len.load(Relaxed) == 0 || !task::is_in_container() {
            return false;
        }
        // Without memory to find out it's hidden: what is listed must not leak.
        let Ok(mut buffer) = room(mount.has_source()) else {
            return true;
        };
        // What a file system says of itself is what users see, and write.
        let source = mount.source(&mut buffer);
        let list = self.list.lock();
        let is_of = |shield: &Shield| {
            shield.device[..] == *mount.device()
                || source.is_some_and(|it| shield.device[..] == *it)
        };
        if !list.iter().any(is_of) {
            return false;
        }
        let Ok(mut buffer) = room(true) else {
            return true;
        };
        mount.path(&mut buffer).is_ok_and(|path| {
            let is_here = |shield: &Shield| shield.path[..] == *path;
            list.iter().any(|shield| is_of(shield) && is_here(shield))
        })
    }
}

/// Memory for a name, or none.
fn room(is_needed: bool) -> Result<KVec<u8>> {
    let size = if is_needed { NAME_SIZE } else { 0 };
    Ok(KVec::from_elem(0, size, GFP_KERNEL)?)
}

impl TkernelFile for Shields {
    const NAME: &'static CStr = c"shield_mounts";
    const MODE: u16 = 0o644;
    const MAX_COMMAND: usize = 8192;

    fn show(&self, text: &mut Text<'_>) -> Result {
        for shield in self.list.lock().iter() {
            // A blank ends a device, but not a path.
            escape::put(text, &shield.device, b" ");
            text.put(b" on ");
            escape::put(text, &shield.path, b"");
            text.put(b"\n");
        }
        Ok(())
    }

    fn write(&self, command: &[u8], writer: &Writer<'_>) -> Result {
        writer.need(Capability::SysAdmin)?;
        match Command::parse(command)? {
            Command::Set(shield) => self.set(shield),
            Command::Clear(shield) => {
                self.clear(&shield);
                Ok(())
            }
        }
    }
}

impl Sysctls for Shields {
    const PATH: &'static CStr = c"kernel";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] =
        &[File::atomic(c"shield_mounts_max", 0..=MAX_MAX, |shields| {
            &shields.max
        })];
}
