// SPDX-License-Identifier: GPL-2.0

//! Tests of the Rust layer and of the hooks, for the virtual machine only; never installed.
//!
//! Loading it runs the KUnit suites of the layer (`*_tests`); the results are in the kernel log. Its
//! parameters make it a neighbour for the tests of other modules: it holds hooks that they want and
//! a device's number ([`holder`]), or stays inside an op while it is to be unloaded. Others make the
//! files and the thread that the tests of the layer try out ([`numbers`], [`gate`]).

#[path = "../tk/mod.rs"]
mod tk;

mod gate;
mod holder;
#[cfg(CONFIG_KUNIT)]
mod kthread_tests;
#[cfg(CONFIG_KUNIT)]
mod number_tests;
mod numbers;
#[cfg(CONFIG_KUNIT)]
mod percpu_tests;
#[cfg(CONFIG_KUNIT)]
mod release_tests;
#[cfg(CONFIG_KUNIT)]
mod table_tests;
#[cfg(CONFIG_KUNIT)]
mod wait_queue_tests;

use gate::{
    Gate,
    Idler, //
};
use holder::Holder;
use kernel::{
    prelude::*,
    sync::Arc, //
};
use numbers::Numbers;
use tk::{
    hooks,
    kthread,
    misc_device,
    proc_file,
    sysctl, //
};

module! {
    type: Selftest,
    name: "tk_selftest",
    authors: ["The tkernel-rs authors"],
    description: "Tests of the tkernel-rs layer and hooks",
    license: "GPL",
    params: {
        hold: u32 {
            default: 0,
            description: "Hooks to hold: 1 ptrace, 2 access, 4 process, added up (default: none)",
        },
        fork_delay_ms: u32 {
            default: 0,
            description: "Milliseconds that forks sleep in the process hook (default: 0)",
        },
        minor: u8 {
            default: 0,
            description: "Minor number of a misc device to make (default: no device)",
        },
        files: u32 {
            default: 0,
            description: "Files to make: 1 sysctl, 2 proc, 4 sysctl in vm, added up (default: none)",
        },
        twice: u32 {
            default: 0,
            description: "Of these, what to make a second time, which fails (default: none)",
        },
        thread: bool {
            default: false,
            description: "Start a thread that waits (default: none)",
        },
    },
}

struct Selftest {
    _files: Files,
    _files_again: Files,
    _thread: Option<kthread::Thread<Idler>>,
    _ptrace: Option<Pin<KBox<hooks::ptrace::Registration<Holder>>>>,
    _access: Option<Pin<KBox<hooks::access::Registration<Holder>>>>,
    _process: Option<Pin<KBox<hooks::process::Registration<Holder>>>>,
    _device: Option<Pin<KBox<misc_device::Registration<Holder>>>>,
}

impl kernel::Module for Selftest {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let hold = *module_parameters::hold.value_ref();
        let delay = *module_parameters::fork_delay_ms.value_ref();
        let minor = *module_parameters::minor.value_ref();
        let holder = Arc::new(Holder::new(delay), GFP_KERNEL)?;
        let numbers = Arc::new(Numbers::new(), GFP_KERNEL)?;
        let gate = Arc::pin_init(Gate::new(), GFP_KERNEL)?;

        Ok(Self {
            _files: Files::new(*module_parameters::files.value_ref(), &numbers, &gate)?,
            _files_again: Files::new(*module_parameters::twice.value_ref(), &numbers, &gate)?,
            _thread: if *module_parameters::thread.value_ref() {
                let idler = Arc::pin_init(Idler::new(), GFP_KERNEL)?;
                Some(kthread::Thread::spawn(Idler::NAME, idler)?)
            } else {
                None
            },
            _ptrace: if hold & 1 != 0 {
                let hook = hooks::ptrace::Registration::new(holder.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            } else {
                None
            },
            _access: if hold & 2 != 0 {
                let hook = hooks::access::Registration::new(holder.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            } else {
                None
            },
            _process: if hold & 4 != 0 {
                let hook = hooks::process::Registration::new(holder.clone());
                Some(KBox::pin_init(hook, GFP_KERNEL)?)
            } else {
                None
            },
            _device: if minor != 0 {
                Some(KBox::pin_init(holder::device(minor, holder), GFP_KERNEL)?)
            } else {
                None
            },
        })
    }
}

struct Files {
    _numbers: Option<sysctl::Registration<Numbers>>,
    _lines: Option<proc_file::Registration<Numbers>>,
    _gate: Option<sysctl::Registration<Gate>>,
}

impl Files {
    fn new(which: u32, numbers: &Arc<Numbers>, gate: &Arc<Gate>) -> Result<Self> {
        Ok(Self {
            _numbers: if which & 1 != 0 {
                Some(sysctl::Registration::new(numbers.clone())?)
            } else {
                None
            },
            _lines: if which & 2 != 0 {
                Some(proc_file::Registration::new(numbers.clone())?)
            } else {
                None
            },
            _gate: if which & 4 != 0 {
                Some(sysctl::Registration::new(gate.clone())?)
            } else {
                None
            },
        })
    }
}
