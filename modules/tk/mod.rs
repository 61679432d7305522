// SPDX-License-Identifier: GPL-2.0

//! The Rust layer that all modules of tkernel-rs stand on.
//!
//! It wraps the hooks of `hooks.patch` ([`hooks`]) and the kernel interfaces that the `kernel`
//! crate doesn't have yet, one file each. All `unsafe` code of the project is here; a feature
//! module is safe Rust on top of it and never sees a raw binding.
//!
//! The layer is compiled into each module (`#[path = "../tk/mod.rs"] mod tk;`), so that modules
//! don't depend on each other. A module that doesn't need some of it doesn't carry it: the linker
//! drops what is unused.

// What one module has no use for, another one has.
#![allow(dead_code)]

mod bindings;

pub(crate) mod atomic;
pub(crate) mod capability;
pub(crate) mod cgroup;
pub(crate) mod cgroup_files;
pub(crate) mod cpus;
pub(crate) mod delayed_work;
pub(crate) mod disk;
pub(crate) mod file;
pub(crate) mod hooks;
pub(crate) mod kthread;
pub(crate) mod machine;
pub(crate) mod math;
pub(crate) mod memcg;
pub(crate) mod memory;
pub(crate) mod misc_device;
pub(crate) mod module;
pub(crate) mod net;
pub(crate) mod net_sysctl;
pub(crate) mod percpu;
pub(crate) mod pid;
pub(crate) mod print;
pub(crate) mod proc_cpu_files;
pub(crate) mod proc_file;
pub(crate) mod ratelimit;
pub(crate) mod rcu;
pub(crate) mod rcu_table;
pub(crate) mod reclaim;
#[cfg(CONFIG_TKERNEL_SCHED_SLOT)]
pub(crate) mod sched_group;
pub(crate) mod stack;
pub(crate) mod sysctl;
pub(crate) mod task;
pub(crate) mod text;
pub(crate) mod tkernel_file;
pub(crate) mod vmstat;
pub(crate) mod wait_queue;
