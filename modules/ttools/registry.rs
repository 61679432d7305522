// SPDX-License-Identifier: GPL-2.0

//! Who is protected, and the answers to the kernel's hooks.
//!
//! The hooks read the table of [`Protection`]s under RCU, in any context and without a lock. The
//! table changes under its mutex only: when a process asks for it, when a protected process forks,
//! and when a process in it ends. `docs/ttools.md` argues why these can't miss each other.

use super::{
    protection::Protection,
    refusals::{
        Attempt,
        Refusals, //
    },
    tk::{
        hooks::{
            access::{
                Access,
                AccessHook, //
            },
            process::{
                CloneFlags,
                ProcessHook, //
            },
            ptrace::{
                may_attach,
                PtraceHook,
                Request, //
            },
        },
        module::ModuleRef,
        pid::{
            Pid,
            ProcessKey, //
        },
        rcu::{
            AtomicContext,
            ReadSide, //
        },
        rcu_table::{
            Entry as _,
            RcuTable,
            Writer, //
        },
        task::{
            find_memory_sharer,
            TaskExt as _, //
        },
    },
};
use kernel::{
    current,
    prelude::*,
    sync::rcu,
    task::Task, //
};

/// What the administrator chose when the module was loaded.
#[derive(Clone, Copy)]
pub(crate) struct Policy {
    /// Only `CAP_SYS_ADMIN` may use the device.
    pub(crate) admin_only: bool,
    /// Only ptrace(2) is refused.
    pub(crate) ptrace_only: bool,
    /// The module can't be unloaded while a process is protected.
    pub(crate) pin_while_protected: bool,
}

/// What changes together with the table.
#[derive(Default)]
struct Totals {
    /// Entries whose process asked for protection or inherited it.
    own: u64,
    /// Held while there are any, if the policy says so.
    pin: Option<ModuleRef>,
}

type Table = RcuTable<Protection, Totals>;

/// The protected processes.
#[pin_data]
pub(crate) struct Registry {
    #[pin]
    table: Table,
    #[pin]
    refusals: Refusals,
    policy: Policy,
    module: &'static ThisModule,
}

impl Registry {
    pub(crate) fn new(policy: Policy, module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- Table::new(Totals::default()),
            refusals <- Refusals::new(),
            policy,
            module,
        })
    }

    /// What the administrator chose.
    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// How many processes are protected.
    pub(crate) fn protected(&self) -> u64 {
        self.table.lock().state().own
    }

    /// What was refused.
    pub(crate) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Protects current's process, with the processes that it will make if `tree`.
    ///
    /// Returns `EEXIST` if it is protected so already.
    pub(crate) fn protect(&self, tree: bool) -> Result {
        let process = Pid::of_process(current!()).ok_or(ESRCH)?;
        let key = process.key();
        let mut table = self.table.lock();
        let old = table.get(key.as_usize());
        // Then so is whoever else uses its memory.
        let is_covered = old.is_some_and(|old| old.covers(current!()));
        let new = match old {
            Some(old) if old.is_own() => {
                if !tree || old.is_tree() {
                    return Err(EEXIST);
                }
                old.with_tree()
            }
            _ => Protection::new(process, tree),
        };
        self.put(&mut table, new)?;
        if is_covered {
            return Ok(());
        }
        self.cover_sharers(&mut table, key).inspect_err(|_| {
            Self::remove(&mut table, key);
            self.uncover_sharers(&mut table);
        })
    }

    /// Ends the protection that current's process has asked for or inherited.
    pub(crate) fn unprotect(&self) {
        let key = ProcessKey::of(current!());
        let mut table = self.table.lock();
        if table.get(key.as_usize()).is_some_and(Protection::is_own) {
            Self::remove(&mut table, key);
            self.uncover_sharers(&mut table);
        }
    }

    /// Protects the processes that use the memory of current's, which is protected by `key`.
    fn cover_sharers(&self, table: &mut Writer<'_, Protection, Totals>, key: ProcessKey) -> Result {
        loop {
            let open = |task: &Task| {
                let entry = table.get(ProcessKey::of(task).as_usize());
                !entry.is_some_and(|protection| protection.covers(task))
            };
            // A process that is covered covers its children, so this comes to an end.
            let Some((process, exec_id)) = find_memory_sharer(open) else {
                return Ok(());
            };
            let owner = table.get(key.as_usize()).ok_or(ESRCH)?;
            let new = owner.for_sharer(process, exec_id);
            self.put(table, new)?;
        }
    }

    /// Ends that, unless another process with the same memory is protected: then current's is one
    /// of those that share its memory.
    fn uncover_sharers(&self, table: &mut Writer<'_, Protection, Totals>) {
        let is_own = |task: &Task| {
            let entry = table.get(ProcessKey::of(task).as_usize());
            entry.is_some_and(Protection::is_own)
        };
        if let Some((owner, _)) = find_memory_sharer(is_own) {
            let new = table
                .get(owner.key().as_usize())
                .zip(Pid::of_process(current!()))
                .map(|(owner, process)| owner.for_sharer(process, current!().exec_id()));
            // Without memory for it current's process is as open as it wanted to be.
            let _ = new.map(|new| self.put(table, new));
            return;
        }
        loop {
            let covered = |task: &Task| table.get(ProcessKey::of(task).as_usize()).is_some();
            let Some((process, _)) = find_memory_sharer(covered) else {
                return;
            };
            Self::remove(table, process.key());
        }
    }

    /// Lets the process of the pidfd `fd` access current's process.
    ///
    /// Returns `ENOENT` if current's isn't protected, `EBADF` if `fd` is no pidfd, `EINVAL` if it
    /// is one of a thread, `ESRCH` if its process is gone, `EEXIST` if it may already, and `ENOSPC`
    /// if too many may.
    pub(crate) fn allow(&self, fd: u32) -> Result {
        let tracer = Pid::from_pidfd(fd)?;
        self.change(|protection| {
            let read_side = rcu::read_lock();
            if !tracer.is_process(&read_side) {
                return Err(if tracer.is_thread(&read_side) {
                    EINVAL
                } else {
                    ESRCH
                });
            }
            protection.with_tracer(tracer, &read_side)
        })
    }

    /// Takes back what [`Registry::allow`] gave; `ENOENT` if nothing was given.
    pub(crate) fn disallow(&self, fd: u32) -> Result {
        let tracer = Pid::from_pidfd(fd)?;
        self.change(|protection| protection.without_tracer(&tracer))
    }

    /// Changes the protection that current's process has asked for or inherited.
    fn change(&self, change: impl FnOnce(&Protection) -> Result<Protection>) -> Result {
        let mut table = self.table.lock();
        let old = table.get(ProcessKey::of(current!()).as_usize());
        let new = change(old.ok_or(ENOENT)?)?;
        self.put(&mut table, new)
    }

    /// Puts an entry in, in place of an older one of the same process.
    fn put(&self, table: &mut Writer<'_, Protection, Totals>, new: Protection) -> Result {
        let was_own = table.get(new.key()).is_some_and(Protection::is_own);
        if !new.is_own() || was_own {
            return table.put(new);
        }

        let first = table.state().own == 0;
        let pin = if first && self.policy.pin_while_protected {
            Some(ModuleRef::new(self.module)?)
        } else {
            None
        };
        table.put(new)?;

        let totals = table.state();
        totals.own += 1;
        if first {
            totals.pin = pin;
        }
        Ok(())
    }

    fn remove(table: &mut Writer<'_, Protection, Totals>, process: ProcessKey) {
        let key = process.as_usize();
        let own = table.get(key).is_some_and(Protection::is_own);
        if table.remove(key) && own {
            let totals = table.state();
            totals.own -= 1;
            if totals.own == 0 {
                totals.pin = None;
            }
        }
    }

    /// Whether the process `tracer` may access the one with this protection all the same.
    ///
    /// Who shares a protected process's memory is as open as that process is now, and closed to
    /// all once that has ended.
    fn allows(
        &self,
        protection: &Protection,
        tracer: ProcessKey,
        read_side: &impl ReadSide,
    ) -> bool {
        match protection.list_owner() {
            None => protection.lists(tracer),
            Some(owner) => self
                .table
                .get(owner.as_usize(), read_side)
                .is_some_and(|owner| owner.lists(tracer)),
        }
    }

    /// Refuses, and records it.
    #[cold]
    fn refuse(&self, attempt: Attempt, target: &Task) -> Result {
        self.refusals.record(attempt, target);
        Err(EPERM)
    }

    /// Decides about a request for a process that is in the table.
    #[cold]
    fn judge_request(
        &self,
        protection: &Protection,
        context: &AtomicContext,
        target: &Task,
        request: Request,
    ) -> Result {
        let current = current!();
        if !protection.covers(target) {
            return Ok(());
        }
        if request == Request::TRACEME {
            // The C original let a protected process have itself traced, by a tracer that could
            // do nothing with it, not even let it go on. Kept where only ptrace(2) is refused.
            let parent = ProcessKey::of(target.real_parent(context));
            if self.policy.ptrace_only || self.allows(protection, parent, context) {
                return Ok(());
            }
        } else {
            let tracer = ProcessKey::of(current);
            if self.allows(protection, tracer, context) || target.same_process(current) {
                return Ok(());
            }
            // Who has no business with the process gets the kernel's own answer, and so doesn't
            // learn that it is protected.
            let attached = target.tracer(context).is_some_and(|it| *it == **current);
            if !attached && !may_attach(target) {
                return Ok(());
            }
        }
        self.refuse(Attempt::Ptrace, target)
    }

    /// Decides about access to a process that is in the table.
    #[cold]
    fn judge_access(
        &self,
        protection: &Protection,
        context: &AtomicContext,
        target: &Task,
        access: Access,
    ) -> Result {
        let tracer = ProcessKey::of(current!());
        if !protection.covers(target) || self.allows(protection, tracer, context) {
            return Ok(());
        }
        self.refuse(Attempt::Access(access), target)
    }
}

impl PtraceHook for Registry {
    fn pre_hook(&self, context: &AtomicContext, target: &Task, request: Request) -> Result {
        match self.table.get(ProcessKey::of(target).as_usize(), context) {
            None => Ok(()),
            Some(protection) => self.judge_request(protection, context, target, request),
        }
    }
}

impl AccessHook for Registry {
    fn access(&self, context: &AtomicContext, target: &Task, access: Access) -> Result {
        // ps(1), lsof(8) and container runtimes go on working.
        if access == Access::Observe {
            return Ok(());
        }
        match self.table.get(ProcessKey::of(target).as_usize(), context) {
            None => Ok(()),
            Some(protection) => self.judge_access(protection, context, target, access),
        }
    }
}

impl ProcessHook for Registry {
    fn fork(&self, child: &Task, pid: &Pid, flags: CloneFlags) -> Result {
        let inherited = {
            let read_side = rcu::read_lock();
            self.table
                .get(ProcessKey::of(current!()).as_usize(), &read_side)
                .filter(|protection| protection.covers(current!()))
                .and_then(|protection| protection.for_child(child, pid, flags))
        };
        match inherited {
            None => Ok(()),
            Some(new) => self.put(&mut self.table.lock(), new),
        }
    }

    fn release(&self, pid: &Pid) {
        // Most processes that end aren't in the table, and shouldn't wait for others.
        let key = pid.key();
        if self.table.get(key.as_usize(), &rcu::read_lock()).is_some() {
            Self::remove(&mut self.table.lock(), key);
        }
    }
}
