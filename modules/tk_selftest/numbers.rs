// SPDX-License-Identifier: GPL-2.0

//! Numbers of every kind in `/proc/sys/tk_selftest/numbers`, and lines in `/proc/tk_selftest`.

use super::tk::{
    proc_file::ProcFile,
    sysctl::{
        File,
        Sysctls, //
    },
};
use kernel::{
    prelude::*,
    seq_file::{
        seq_print,
        SeqFile, //
    },
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

/// What the files show.
pub(crate) struct Numbers {
    signed: Atomic<i32>,
    small: Atomic<i32>,
    any_int: Atomic<i32>,
    large: Atomic<usize>,
    any_ulong: Atomic<usize>,
    even: Atomic<i32>,
    slow: Atomic<i32>,
    lines: Atomic<i32>,
    stores: Atomic<usize>,
}

impl Numbers {
    pub(crate) fn new() -> Self {
        Self {
            signed: Atomic::new(0),
            small: Atomic::new(0),
            any_int: Atomic::new(0),
            large: Atomic::new(0),
            any_ulong: Atomic::new(0),
            even: Atomic::new(0),
            slow: Atomic::new(0),
            lines: Atomic::new(3),
            stores: Atomic::new(0),
        }
    }

    fn store_int(&self, number: &Atomic<i32>, value: i32) -> Result {
        self.stores.add(1usize, Relaxed);
        number.store(value, Relaxed);
        Ok(())
    }

    fn store_ulong(&self, number: &Atomic<usize>, value: usize) -> Result {
        self.stores.add(1usize, Relaxed);
        number.store(value, Relaxed);
        Ok(())
    }

    fn store_even(&self, value: i32) -> Result {
        if value % 2 != 0 {
            return Err(EBUSY);
        }
        self.store_int(&self.even, value)
    }

    fn store_slowly(&self, value: i32) -> Result {
        fsleep(Delta::from_millis(value.into()));
        // Unloading must have waited for this line's code.
        pr_info!("a setter slept\n");
        self.store_int(&self.slow, value)
    }
}

impl Sysctls for Numbers {
    const PATH: &'static CStr = c"tk_selftest/numbers";

    const FILES: &'static [File<Self>] = &[
        File::int(
            c"signed",
            -5..=100,
            |it| it.signed.load(Relaxed),
            |it, n| it.store_int(&it.signed, n),
        ),
        // The range of vm.page-cluster, to compare with.
        File::int(
            c"small",
            0..=31,
            |it| it.small.load(Relaxed),
            |it, n| it.store_int(&it.small, n),
        ),
        File::int(
            c"any_int",
            i32::MIN..=i32::MAX,
            |it| it.any_int.load(Relaxed),
            |it, n| it.store_int(&it.any_int, n),
        ),
        // The range of fs.file-max.
        File::ulong(
            c"large",
            0..=isize::MAX.unsigned_abs(),
            |it| it.large.load(Relaxed),
            |it, n| it.store_ulong(&it.large, n),
        ),
        // That of vm.user_reserve_kbytes.
        File::ulong(
            c"any_ulong",
            0..=usize::MAX,
            |it| it.any_ulong.load(Relaxed),
            |it, n| it.store_ulong(&it.any_ulong, n),
        ),
        File::int(
            c"even",
            0..=100,
            |it| it.even.load(Relaxed),
            Self::store_even,
        ),
        File::int(
            c"slow_ms",
            0..=60_000,
            |it| it.slow.load(Relaxed),
            Self::store_slowly,
        ),
        File::int(
            c"lines",
            -1..=100_000,
            |it| it.lines.load(Relaxed),
            |it, n| it.store_int(&it.lines, n),
        ),
        File::int_read_only(c"minus_one", |_| -1),
        File::ulong_read_only(c"stores", |it| it.stores.load(Relaxed)),
    ];
}

impl ProcFile for Numbers {
    const NAME: &'static CStr = c"tk_selftest";

    fn show(&self, text: &SeqFile) -> Result {
        let lines = self.lines.load(Relaxed);
        if lines < 0 {
            return Err(ENODATA);
        }
        for line in 0..lines {
            seq_print!(text, "line {line} of {lines}\n");
        }
        Ok(())
    }
}
