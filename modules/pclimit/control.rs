// SPDX-License-Identifier: GPL-2.0

//! Changes of the settings, one at a time, and the life of `kpclimitd`.

use super::{
    limiter::Limiter,
    settings::Settings,
    tk::kthread::Thread, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

/// Who changes the settings.
#[pin_data]
pub(crate) struct Control {
    #[pin]
    state: Mutex<State>,
    limiter: Arc<Limiter>,
}

struct State {
    settings: Settings,
    /// There is one exactly while the settings want it.
    thread: Option<Thread<Limiter>>,
}

impl Control {
    pub(crate) fn new(limiter: Arc<Limiter>) -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_mutex!(State {
                settings: Settings::DEFAULT,
                thread: None,
            }),
            limiter,
        })
    }

    pub(crate) fn limiter(&self) -> &Limiter {
        &self.limiter
    }

    pub(crate) fn settings(&self) -> Settings {
        self.state.lock().settings
    }

    /// Changes the settings, or fails and changes nothing.
    ///
    /// Returns when what is cached fits a new limit: this shrinks the cache, which takes a while if
    /// there is much of it, until it fits, the process gets a signal, or it has taken much longer
    /// than that should, because others insert as fast. With `kpclimitd` that is left to the
    /// thread. May sleep.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings) -> Result) -> Result {
        let mut state = self.state.lock();
        let mut settings = state.settings;
        change(&mut settings)?;

        if !settings.wants_thread() {
            state.thread = None;
        } else if state.thread.is_none() {
            let thread = Thread::spawn(c"kpclimitd", self.limiter.clone())?;
            // Else it doesn't keep up with many that insert.
            thread.put_first();
            state.thread = Some(thread);
        }
        state.settings = settings;
        self.limiter.publish(&settings);
        drop(state);

        self.limiter.settle();
        Ok(())
    }
}
