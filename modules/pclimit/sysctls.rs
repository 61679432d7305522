// SPDX-License-Identifier: GPL-2.0

//! The files in `/proc/sys/vm`.

use super::{
    control::Control,
    settings::Settings,
    tk::{
        capability::Capability,
        sysctl::{
            File,
            Sysctls, //
        },
    },
};
use kernel::prelude::*;

impl Sysctls for Control {
    const PATH: &'static CStr = c"vm";

    const WRITER: Option<Capability> = Some(Capability::SysAdmin);

    const FILES: &'static [File<Self>] = &[
        File::int(
            c"pagecache_limit_ratio",
            0..=100,
            |control| control.settings().ratio(),
            |control, ratio| control.change(|settings| settings.set_ratio(ratio)),
        ),
        File::ulong(
            c"pagecache_limit_bytes",
            0..=usize::MAX,
            |control| control.settings().bytes(),
            |control, bytes| control.change(|settings| settings.set_bytes(bytes)),
        ),
        File::int(
            c"pagecache_limit_reclaim_ratio",
            0..=100,
            |control| control.settings().reclaim_ratio(),
            |control, ratio| control.change(|settings| settings.set_reclaim_ratio(ratio)),
        ),
        File::int(
            c"pagecache_limit_async",
            i32::MIN..=i32::MAX,
            |control| control.settings().r#async,
            |control, value| control.change(|settings| settings.set_async(value)),
        ),
        File::int(
            c"pagecache_limit_ignore_dirty",
            i32::MIN..=i32::MAX,
            |control| control.settings().ignore_dirty,
            |control, value| store(control, value, |settings| &mut settings.ignore_dirty),
        ),
        File::int(
            c"pagecache_limit_ignore_slab",
            i32::MIN..=i32::MAX,
            |control| control.settings().ignore_slab,
            |control, value| store(control, value, |settings| &mut settings.ignore_slab),
        ),
        File::int(
            c"pagecache_limit_global",
            0..=1,
            |control| control.settings().global,
            |control, value| store(control, value, |settings| &mut settings.global),
        ),
        File::int(
            c"pagecache_limit_retry_times",
            0..=65535,
            |control| control.settings().retry_times,
            |control, value| store(control, value, |settings| &mut settings.retry_times),
        ),
        File::ulong_read_only(c"pagecache_system_usage", |control| {
            control.limiter().usage()
        }),
    ];
}

/// Stores a value that no rule is about.
fn store(control: &Control, value: i32, field: fn(&mut Settings) -> &mut i32) -> Result {
    control.change(|settings| {
        *field(settings) = value;
        Ok(())
    })
}
