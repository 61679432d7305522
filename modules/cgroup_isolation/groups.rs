// SPDX-License-Identifier: GPL-2.0

//! What is kept for a cgroup: only for those that somebody reads as a container, or that somebody
//! set something for.
//!
//! Lock order: the table's mutex; `watched`; none of them together with a group's own locks.

use super::{
    load::{
        Load,
        TaskCounts, //
    },
    times::Times,
    tk::{
        cgroup::{
            Cgroup,
            Tasks, //
        },
        machine,
        rcu_table::{
            Entry,
            RcuTable, //
        },
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            ordering::Relaxed,
            Atomic, //
        },
        rcu,
        Arc,
        Mutex, //
    },
};

/// Not set for this cgroup: what is set above counts.
pub(crate) const UNSET: i32 = -1;

/// The cgroups.
#[pin_data]
pub(crate) struct Groups {
    #[pin]
    table: RcuTable<Member, ()>,
    /// Whose load is sampled.
    #[pin]
    watched: Mutex<KVec<Arc<Group>>>,
    /// How many settings of cgroups there have been, so that nobody looks for one in vain.
    settings: Atomic<usize>,
}

struct Member {
    id: usize,
    group: Arc<Group>,
}

impl Entry for Member {
    fn key(&self) -> usize {
        self.id
    }
}

/// What is kept for one.
#[pin_data]
pub(crate) struct Group {
    cgroup: ARef<Cgroup>,
    /// When the oldest thread in it began, at the time somebody asked first: nanoseconds since
    /// boot. It stands for the beginning of a container without a pid namespace of its own.
    start: u64,
    /// 0, 1, or [`UNSET`].
    stats_isolated: Atomic<i32>,
    /// A number of a CPU policy, or [`UNSET`].
    quota_aware: Atomic<i32>,
    #[pin]
    pub(crate) times: Mutex<Times>,
    #[pin]
    pub(crate) tasks: Mutex<TaskCounts>,
    #[pin]
    pub(crate) load: Mutex<Load>,
}

impl Group {
    fn new(cgroup: &Cgroup) -> Result<Arc<Self>> {
        let tasks = TaskCounts::count(cgroup);
        let start = tasks.get().oldest.min(machine::boot_time());
        Arc::pin_init(
            pin_init!(Self {
                cgroup: cgroup.into(),
                start,
                stats_isolated: Atomic::new(UNSET),
                quota_aware: Atomic::new(UNSET),
                times <- new_mutex!(Times::new()),
                tasks <- new_mutex!(tasks),
                load <- new_mutex!(Load::new()),
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The threads of the cgroup, counted now or a short time ago. May sleep.
    pub(crate) fn tasks(&self) -> Tasks {
        self.tasks_at(machine::boot_time())
    }

    /// The same for who knows how many nanoseconds since boot it is. May sleep.
    pub(crate) fn tasks_at(&self, now: u64) -> Tasks {
        *self.tasks.lock().get_fresh(&self.cgroup, now)
    }
}

/// A setting of cgroups.
#[derive(Clone, Copy)]
pub(crate) enum Setting {
    StatsIsolated,
    QuotaAware,
}

impl Setting {
    fn of(self, group: &Group) -> &Atomic<i32> {
        match self {
            Self::StatsIsolated => &group.stats_isolated,
            Self::QuotaAware => &group.quota_aware,
        }
    }
}

impl Groups {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- RcuTable::new(()),
            watched <- new_mutex!(KVec::new()),
            settings: Atomic::new(0),
        })
    }

    /// What is kept for a cgroup, if anything is.
    pub(crate) fn get(&self, cgroup: &Cgroup) -> Option<Arc<Group>> {
        let read_side = rcu::read_lock();
        let member = self.table.get(key(cgroup), &read_side)?;
        Some(member.group.clone())
    }

    /// What is kept for a cgroup from now on. May sleep.
    pub(crate) fn get_or_add(&self, cgroup: &Cgroup) -> Result<Arc<Group>> {
        if let Some(group) = self.get(cgroup) {
            return Ok(group);
        }
        let new = Group::new(cgroup)?;
        let mut table = self.table.lock();
        if let Some(member) = table.get(key(cgroup)) {
            return Ok(member.group.clone());
        }
        table.put(Member {
            id: key(cgroup),
            group: new.clone(),
        })?;
        // Who hears of the end may have done so already. If not, it will, and finds the entry.
        if cgroup.is_dead() {
            table.remove(key(cgroup));
        }
        Ok(new)
    }

    /// A cgroup is gone. May sleep.
    pub(crate) fn remove(&self, id: u64) {
        let id = usize::try_from(id).unwrap_or(0);
        self.table.lock().remove(id);
        self.watched
            .lock()
            .retain(|group| usize::try_from(group.cgroup.id()).unwrap_or(0) != id);
    }

    /// What was set for the cgroup or the nearest one above for which something was.
    pub(crate) fn setting(&self, cgroup: &Cgroup, setting: Setting) -> Option<i32> {
        if self.settings.load(Relaxed) == 0 {
            return None;
        }
        let read_side = rcu::read_lock();
        cgroup.lineage().find_map(|cgroup| {
            let member = self.table.get(key(cgroup), &read_side)?;
            let value = setting.of(&member.group).load(Relaxed);
            (value != UNSET).then_some(value)
        })
    }

    /// Sets it for a cgroup and those below that have nothing set. May sleep.
    pub(crate) fn set(&self, cgroup: &Cgroup, setting: Setting, value: i32) -> Result {
        setting.of(&*self.get_or_add(cgroup)?).store(value, Relaxed);
        self.settings.add(1, Relaxed);
        Ok(())
    }

    /// Has the load of a group sampled from now on. May sleep.
    pub(crate) fn watch(&self, group: &Arc<Group>) -> Result {
        let mut watched = self.watched.lock();
        watched.push(group.clone(), GFP_KERNEL)?;
        // As in `get_or_add()`.
        if group.cgroup.is_dead() {
            watched.pop();
        }
        Ok(())
    }

    /// Samples the load of each group whose load is sampled. Returns whether there are any left.
    /// May sleep.
    pub(crate) fn sample(&self) -> Result<bool> {
        // Without the lock, so that no cgroup's removal waits for all of them to be counted.
        let mut groups = KVec::new();
        {
            let watched = self.watched.lock();
            groups.reserve(watched.len(), GFP_KERNEL)?;
            for group in watched.iter() {
                groups.push(group.clone(), GFP_KERNEL)?;
            }
        }
        groups.retain(|group| {
            let tasks = group.tasks();
            !group
                .load
                .lock()
                .sample((tasks.running + tasks.blocked) as u64)
        });
        // Those are done with; who asked meanwhile has put them in once more.
        let mut watched = self.watched.lock();
        for done in &groups {
            let at = watched.iter().position(|group| Arc::ptr_eq(group, done));
            if let Some(at) = at {
                let _ = watched.remove(at);
            }
        }
        Ok(!watched.is_empty())
    }
}

fn key(cgroup: &Cgroup) -> usize {
    usize::try_from(cgroup.id()).unwrap_or(0)
}
