// SPDX-License-Identifier: GPL-2.0

//! What is kept for one protected process.

use super::tk::{
    hooks::process::CloneFlags,
    pid::{
        Pid,
        ProcessKey, //
    },
    rcu::ReadSide,
    rcu_table::Entry,
    task::TaskExt as _,
};
use kernel::{
    prelude::*,
    sync::aref::ARef,
    task::Task, //
};

/// How many tracers a process may name.
const MAX_TRACERS: usize = 8;

/// Processes that may access a protected one all the same.
#[derive(Clone)]
struct Tracers([Option<ARef<Pid>>; MAX_TRACERS]);

impl Tracers {
    const fn none() -> Self {
        Self([const { None }; MAX_TRACERS])
    }

    fn has(&self, tracer: ProcessKey) -> bool {
        self.0.iter().flatten().any(|pid| pid.key() == tracer)
    }
}

/// Why a process is protected.
#[derive(Clone)]
enum Reason {
    /// It asked for it, or it inherited it from a process that asked for its whole tree.
    Own { tree: bool, tracers: Tracers },
    /// It uses the memory of the protected process `owner` until it executes a program, as after
    /// vfork(2): while its count of executed programs is `exec_id`.
    SharedMemory { owner: ARef<Pid>, exec_id: u64 },
}

/// The protection of a process.
///
/// It doesn't change: the registry puts another one in its place.
pub(crate) struct Protection {
    /// Whose it is. Held, so that no other process gets the same key.
    process: ARef<Pid>,
    reason: Reason,
}

impl Entry for Protection {
    fn key(&self) -> usize {
        self.process.key().as_usize()
    }
}

impl Protection {
    /// For a process that asks for it.
    pub(crate) fn new(process: ARef<Pid>, tree: bool) -> Self {
        Self {
            process,
            reason: Reason::Own {
                tree,
                tracers: Tracers::none(),
            },
        }
    }

    /// For a process that uses the memory of this one, until it executes its next program.
    pub(crate) fn for_sharer(&self, process: ARef<Pid>, exec_id: u64) -> Self {
        let owner = match &self.reason {
            Reason::Own { .. } => &self.process,
            Reason::SharedMemory { owner, .. } => owner,
        };
        Self {
            process,
            reason: Reason::SharedMemory {
                owner: owner.clone(),
                exec_id,
            },
        }
    }

    /// The same for the whole tree.
    pub(crate) fn with_tree(&self) -> Self {
        Self {
            process: self.process.clone(),
            reason: Reason::Own {
                tree: true,
                tracers: self.tracers().cloned().unwrap_or(Tracers::none()),
            },
        }
    }

    /// The same with one more tracer.
    ///
    /// Returns `EEXIST` if it is there already, `ENOSPC` if there are too many, and `ENOENT` if the
    /// process isn't protected in its own right. Tracers that are gone make room.
    pub(crate) fn with_tracer(&self, tracer: ARef<Pid>, read_side: &impl ReadSide) -> Result<Self> {
        self.with_tracers(|tracers| {
            if tracers.has(tracer.key()) {
                return Err(EEXIST);
            }
            let place = tracers
                .0
                .iter_mut()
                .find(|place| !matches!(place, Some(pid) if pid.is_process(read_side)))
                .ok_or(ENOSPC)?;
            *place = Some(tracer);
            Ok(())
        })
    }

    /// The same without a tracer, or `ENOENT` if it isn't there.
    pub(crate) fn without_tracer(&self, tracer: &Pid) -> Result<Self> {
        self.with_tracers(|tracers| {
            let place = tracers
                .0
                .iter_mut()
                .find(|place| matches!(place, Some(pid) if pid.key() == tracer.key()))
                .ok_or(ENOENT)?;
            *place = None;
            Ok(())
        })
    }

    fn with_tracers(&self, change: impl FnOnce(&mut Tracers) -> Result) -> Result<Self> {
        let Reason::Own { tree, tracers } = &self.reason else {
            return Err(ENOENT);
        };
        let mut tracers = tracers.clone();
        change(&mut tracers)?;
        Ok(Self {
            process: self.process.clone(),
            reason: Reason::Own {
                tree: *tree,
                tracers,
            },
        })
    }

    /// What the process `pid`, which the protected one makes, starts with.
    pub(crate) fn for_child(&self, child: &Task, pid: &Pid, flags: CloneFlags) -> Option<Self> {
        if self.is_tree() {
            Some(Self {
                process: pid.into(),
                reason: self.reason.clone(),
            })
        } else if flags.shares_memory() {
            Some(self.for_sharer(pid.into(), child.exec_id()))
        } else {
            None
        }
    }

    /// Whether the process asked for it itself, or inherited it.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.reason, Reason::Own { .. })
    }

    /// Whether it is for the whole tree.
    pub(crate) fn is_tree(&self) -> bool {
        matches!(self.reason, Reason::Own { tree: true, .. })
    }

    /// Whether it holds for the process of `task`, a thread of it, right now.
    pub(crate) fn covers(&self, task: &Task) -> bool {
        match self.reason {
            Reason::Own { .. } => true,
            Reason::SharedMemory { exec_id, .. } => task.exec_id() == exec_id,
        }
    }

    /// Whose list of tracers holds, if that is another process's.
    pub(crate) fn list_owner(&self) -> Option<ProcessKey> {
        match &self.reason {
            Reason::Own { .. } => None,
            Reason::SharedMemory { owner, .. } => Some(owner.key()),
        }
    }

    /// Whether the process `tracer` is in this one's own list.
    pub(crate) fn lists(&self, tracer: ProcessKey) -> bool {
        self.tracers().is_some_and(|tracers| tracers.has(tracer))
    }

    fn tracers(&self) -> Option<&Tracers> {
        match &self.reason {
            Reason::Own { tracers, .. } => Some(tracers),
            Reason::SharedMemory { .. } => None,
        }
    }
}
