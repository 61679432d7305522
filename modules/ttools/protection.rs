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

/// Why a process is protected.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It asked for it, or it inherited it from a process that asked for its whole tree.
    Own { tree: bool },
    /// It uses the memory of a protected process until it executes a program, as after vfork(2):
    /// while its count of executed programs is this one.
    SharedMemory { exec_id: u64 },
}

/// The protection of a process.
///
/// It doesn't change: the registry puts another one in its place.
pub(crate) struct Protection {
    /// Whose it is. Held, so that no other process gets the same key.
    process: ARef<Pid>,
    reason: Reason,
    /// Processes that may access the process all the same.
    tracers: [Option<ARef<Pid>>; MAX_TRACERS],
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
            reason: Reason::Own { tree },
            tracers: [const { None }; MAX_TRACERS],
        }
    }

    /// For a process that uses the memory of this one, until it executes its next program.
    pub(crate) fn for_sharer(&self, process: ARef<Pid>, exec_id: u64) -> Self {
        Self {
            process,
            reason: Reason::SharedMemory { exec_id },
            tracers: self.tracers.clone(),
        }
    }

    /// The same for the whole tree.
    pub(crate) fn with_tree(&self) -> Self {
        Self {
            process: self.process.clone(),
            reason: Reason::Own { tree: true },
            tracers: self.tracers.clone(),
        }
    }

    /// The same with one more tracer.
    ///
    /// Returns `EEXIST` if it is there already and `ENOSPC` if there are too many. Tracers that
    /// are gone make room.
    pub(crate) fn with_tracer(&self, tracer: ARef<Pid>, read_side: &impl ReadSide) -> Result<Self> {
        if self.allows(tracer.key()) {
            return Err(EEXIST);
        }
        let mut tracers = self.tracers.clone();
        let place = tracers
            .iter_mut()
            .find(|place| !matches!(place, Some(pid) if pid.is_process(read_side)))
            .ok_or(ENOSPC)?;
        *place = Some(tracer);
        Ok(Self {
            process: self.process.clone(),
            reason: self.reason,
            tracers,
        })
    }

    /// The same without a tracer, or `ENOENT` if it isn't there.
    pub(crate) fn without_tracer(&self, tracer: &Pid) -> Result<Self> {
        let mut tracers = self.tracers.clone();
        let place = tracers
            .iter_mut()
            .find(|place| matches!(place, Some(pid) if pid.key() == tracer.key()))
            .ok_or(ENOENT)?;
        *place = None;
        Ok(Self {
            process: self.process.clone(),
            reason: self.reason,
            tracers,
        })
    }

    /// What the process `pid`, which the protected one makes, starts with.
    pub(crate) fn for_child(&self, child: &Task, pid: &Pid, flags: CloneFlags) -> Option<Self> {
        if self.is_tree() {
            Some(Self {
                process: pid.into(),
                reason: self.reason,
                tracers: self.tracers.clone(),
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
        self.reason == Reason::Own { tree: true }
    }

    /// Whether it holds for the process of `task`, a thread of it, right now.
    pub(crate) fn covers(&self, task: &Task) -> bool {
        match self.reason {
            Reason::Own { .. } => true,
            Reason::SharedMemory { exec_id } => task.exec_id() == exec_id,
        }
    }

    /// Whether the process `tracer` may access the process all the same.
    pub(crate) fn allows(&self, tracer: ProcessKey) -> bool {
        self.tracers.iter().flatten().any(|pid| pid.key() == tracer)
    }
}
