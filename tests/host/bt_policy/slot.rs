// SPDX-License-Identifier: GPL-2.0

//! A model of the kernel's slot, with the interface of `modules/tk/hooks/sched_slot.rs`.

use crate::{
    offline::Offline,
    settings::Settings, //
};
use kernel::{
    cpumask::Cpumask,
    sync::atomic::Atomic, //
};
use std::cell::{
    Cell,
    RefCell, //
};

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SECOND: u64 = 1000 * MS;
const STEP: u64 = MS / 4;
const TICK: u64 = 4 * MS;

pub(crate) trait Class {
    fn enqueue(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, why: Why);
    fn dequeue(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, why: Why);
    fn run(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, waited: u64);
    fn charge(&self, queue: &mut Queue, level: &mut Level, member: &mut Member, ran: u64);
    fn tick(&self, queue: &mut Queue, level: &mut Level, member: &mut Member) -> bool;
    fn preempt(
        &self,
        queue: &mut Queue,
        level: &mut Level,
        running: &mut Member,
        woken: &Member,
    ) -> bool;
    fn give_way(&self, queue: &mut Queue, level: &mut Level, member: &mut Member);
    fn weigh(
        &self,
        queue: &mut Queue,
        above: &mut Level,
        group: &mut Member,
        own: &Level,
        shared: &Shared,
    ) -> bool;
    fn share(&self, group: &Member, own: &Level, load: u64) -> u64;
    fn spend(&self, queue: &mut Queue, ran: u64) -> u64;
    fn spend_of(&self, queue: &mut Queue, group: &mut Member, shared: &Shared, ran: u64) -> u64;
    fn idle(&self, queue: &mut Queue, group: &mut Member, shared: &Shared);
    fn select_cpu(&self, task: &Member, previous: u32, wake: Wake, allowed: &Cpumask) -> u32;
    fn newidle(&self, queue: &mut Queue, waiting: &Cpumask) -> Option<u32>;
    fn push(&self, queue: &mut Queue, load: u64, allowed: &Cpumask) -> Option<u32>;
    fn spread(&self, queue: &mut Queue, shared: bool, allowed: &Cpumask) -> Option<u32>;
    fn floor(&self, queue: &mut Queue, waited: u64) -> u64;
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Sleep,
    Migrate,
    Switch,
    Change,
}

#[derive(Clone, Copy)]
pub(crate) struct Wake {
    pub(crate) new: bool,
    pub(crate) sync: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Member {
    key: u64,
    weight: u64,
    numbers: [u64; 6],
}

impl Member {
    pub(crate) fn key(&self) -> u64 {
        self.key
    }
    pub(crate) fn set_key(&mut self, key: u64) {
        self.key = key;
    }
    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }
    pub(crate) fn set_weight(&mut self, weight: u32) {
        self.weight = weight.into();
    }
    pub(crate) fn has_joined(&self) -> bool {
        true
    }
    /// There are none in the model.
    pub(crate) fn is_group(&self) -> bool {
        false
    }
    pub(crate) fn numbers(&self) -> &[u64; 6] {
        &self.numbers
    }
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; 6] {
        &mut self.numbers
    }
}

#[derive(Clone, Default)]
pub(crate) struct Level {
    first_key: u64,
    waiting: u32,
    numbers: [u64; 2],
}

impl Level {
    pub(crate) fn first_key(&self) -> Option<u64> {
        (self.waiting != 0).then_some(self.first_key)
    }
    /// There are no others in the model.
    pub(crate) fn is_top(&self) -> bool {
        true
    }
    pub(crate) fn numbers(&self) -> &[u64; 2] {
        &self.numbers
    }
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; 2] {
        &mut self.numbers
    }
}

pub(crate) struct Shared([Atomic<u64>; 8]);

impl Shared {
    pub(crate) fn numbers(&self) -> &[Atomic<u64>; 8] {
        &self.0
    }
}

#[derive(Clone, Default)]
pub(crate) struct Queue {
    now: u64,
    cpu: u32,
    waiting: u32,
    queued: u32,
    online: u32,
    numbers: [u64; 10],
}

impl Queue {
    pub(crate) fn now(&self) -> u64 {
        self.now
    }
    pub(crate) fn clock(&self) -> u64 {
        self.now
    }
    pub(crate) fn cpu(&self) -> u32 {
        self.cpu
    }
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }
    pub(crate) fn queued(&self) -> u32 {
        self.queued
    }
    pub(crate) fn online(&self) -> u32 {
        self.online
    }
    pub(crate) fn numbers(&self) -> &[u64; 10] {
        &self.numbers
    }
    pub(crate) fn numbers_mut(&mut self) -> &mut [u64; 10] {
        &mut self.numbers
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) core: u32,
    pub(crate) node: u32,
    pub(crate) queued: u32,
    pub(crate) online: u32,
    pub(crate) idle: bool,
    pub(crate) core_idle: bool,
    pub(crate) barred: bool,
    pub(crate) nohz_full: bool,
    pub(crate) numbers: [u64; 2],
}

thread_local! {
    static FACTS: RefCell<Vec<Facts>> = const { RefCell::new(Vec::new()) };
    static SETTINGS: Cell<Settings> = const { Cell::new(Settings { limit: None, floor: 0 }) };
}

pub(crate) fn settings() -> Settings {
    SETTINGS.get()
}

impl Facts {
    pub(crate) fn of(cpu: u32) -> Option<Self> {
        FACTS.with_borrow(|facts| facts.get(cpu as usize).copied())
    }
}

pub(crate) fn share_cache(_a: u32, _b: u32) -> bool {
    true
}

pub(crate) fn cpus_from(cpus: &Cpumask, start: u32) -> impl Iterator<Item = u32> {
    let mask = cpus.0;
    (start..64)
        .chain(0..start)
        .filter(move |cpu| mask >> cpu & 1 != 0)
}

#[derive(Default)]
struct Task {
    member: Member,
    ran: u64,
    /// Where it waits or runs.
    cpu: Option<usize>,
    last_cpu: usize,
    since: u64,
    /// Runs as a normal task for so long, of which it has had a part.
    lifted: u64,
    lift_had: u64,
    /// Computes and sleeps for so long, unless it never sleeps.
    rhythm: Option<(u64, u64)>,
    burst: u64,
    wakes_at: u64,
}

#[derive(Default)]
struct Cpu {
    queue: Queue,
    level: Level,
    waiting: Vec<usize>,
    running: Option<usize>,
    throttled_until: u64,
}

pub(crate) struct Machine {
    class: Offline,
    tasks: Vec<Task>,
    cpus: Vec<Cpu>,
    /// Of a core.
    threads: usize,
    now: u64,
    pub(crate) moves: u32,
}

impl Machine {
    pub(crate) fn new(cpus: usize, settings: Settings) -> Self {
        SETTINGS.set(settings);
        let mut machine = Self {
            class: Offline::new(false, false).unwrap(),
            tasks: Vec::new(),
            cpus: (0..cpus).map(|_| Cpu::default()).collect(),
            threads: 1,
            now: 1_234_567,
            moves: 0,
        };
        for (number, cpu) in machine.cpus.iter_mut().enumerate() {
            cpu.queue.cpu = number as u32;
        }
        machine
    }

    /// So many CPUs one after another are a core.
    pub(crate) fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    pub(crate) fn add(&mut self, cpu: usize, weight: u64) -> usize {
        let mut task = Task::default();
        task.member.weight = weight;
        self.tasks.push(task);
        let task = self.tasks.len() - 1;
        self.join(cpu, task, Why::Switch);
        task
    }

    pub(crate) fn sleeps(&mut self, task: usize, computes: u64, sleeps: u64) {
        self.tasks[task].rhythm = Some((computes, sleeps));
    }

    pub(crate) fn seconds(&self, task: usize) -> f64 {
        self.tasks[task].ran as f64 / SECOND as f64
    }

    /// How many tasks each CPU has.
    pub(crate) fn spread(&self) -> Vec<u32> {
        self.cpus.iter().map(|cpu| cpu.queue.queued).collect()
    }

    fn look(&mut self, cpu: usize) {
        let first = self
            .first(cpu)
            .map_or(0, |task| self.tasks[task].member.key);
        let Cpu {
            queue,
            level,
            waiting,
            ..
        } = &mut self.cpus[cpu];
        queue.now = self.now;
        queue.waiting = waiting.len() as u32;
        level.first_key = first;
        level.waiting = queue.waiting;
    }

    fn first(&self, cpu: usize) -> Option<usize> {
        self.cpus[cpu].waiting.iter().copied().reduce(|a, b| {
            let (x, y) = (self.tasks[a].member.key, self.tasks[b].member.key);
            if (y.wrapping_sub(x) as i64) < 0 {
                b
            } else {
                a
            }
        })
    }

    fn join(&mut self, cpu: usize, task: usize, why: Why) {
        self.look(cpu);
        let state = &mut self.tasks[task];
        let Cpu { queue, level, .. } = &mut self.cpus[cpu];
        self.class.enqueue(queue, level, &mut state.member, why);
        state.cpu = Some(cpu);
        state.last_cpu = cpu;
        if why != Why::Migrate {
            state.since = self.now;
        }
        self.cpus[cpu].queue.queued += 1;
        self.cpus[cpu].waiting.push(task);
        self.look(cpu);
    }

    fn leave(&mut self, cpu: usize, task: usize, why: Why) {
        self.cpus[cpu].waiting.retain(|&other| other != task);
        if self.cpus[cpu].running == Some(task) {
            self.cpus[cpu].running = None;
        }
        self.cpus[cpu].queue.queued -= 1;
        self.look(cpu);
        self.tasks[task].cpu = None;
        let Cpu { queue, level, .. } = &mut self.cpus[cpu];
        self.class
            .dequeue(queue, level, &mut self.tasks[task].member, why);
    }

    /// Is there nothing to do for a CPU?
    fn is_idle(&self, cpu: usize, online: &dyn Fn(u32, u64) -> bool) -> bool {
        self.cpus[cpu].queue.queued == 0 && !online(cpu as u32, self.now)
    }

    /// The CPUs that are threads of the same core, itself among them.
    fn core(&self, cpu: usize) -> core::ops::Range<usize> {
        let first = cpu / self.threads * self.threads;
        first..first + self.threads
    }

    fn facts(&mut self, online: &dyn Fn(u32, u64) -> bool) {
        let facts = self
            .cpus
            .iter()
            .enumerate()
            .map(|(number, cpu)| {
                let mut core = self.core(number);
                Facts {
                    core: core.start as u32,
                    node: 0,
                    queued: cpu.queue.queued,
                    online: u32::from(online(number as u32, self.now)),
                    idle: self.is_idle(number, online),
                    core_idle: core.all(|thread| self.is_idle(thread, online)),
                    barred: self.now < cpu.throttled_until,
                    nohz_full: false,
                    numbers: [cpu.queue.numbers[0], cpu.queue.numbers[1]],
                }
            })
            .collect();
        FACTS.set(facts);
    }

    fn charge(&mut self, cpu: usize, task: usize, ran: u64) {
        self.look(cpu);
        let state = &mut self.tasks[task];
        let Cpu { queue, level, .. } = &mut self.cpus[cpu];
        self.class.charge(queue, level, &mut state.member, ran);
        let pause = self.class.spend(queue, ran);
        if pause != 0 {
            self.cpus[cpu].throttled_until = self.now + pause;
        }
    }

    /// For so long, with online work where and when it says.
    pub(crate) fn run(&mut self, time: u64, online: impl Fn(u32, u64) -> bool) {
        let end = self.now + time;
        while self.now < end {
            self.step(&online);
        }
    }

    fn step(&mut self, online: &dyn Fn(u32, u64) -> bool) {
        self.now += STEP;
        self.facts(online);
        let all = Cpumask((1 << self.cpus.len()) - 1);

        for task in 0..self.tasks.len() {
            let state = &self.tasks[task];
            if state.cpu.is_none() && self.now >= state.wakes_at {
                let wake = Wake {
                    new: false,
                    sync: false,
                };
                let cpu = self
                    .class
                    .select_cpu(&state.member, state.last_cpu as u32, wake, &all);
                self.join(cpu as usize, task, Why::Sleep);
                self.facts(online);
            }
        }

        for cpu in 0..self.cpus.len() {
            let busy = online(cpu as u32, self.now);
            self.cpus[cpu].queue.online = u32::from(busy);

            // What ran until now.
            if let Some(task) = self.cpus[cpu].running {
                self.tasks[task].ran += STEP;
                self.charge(cpu, task, STEP);
                if let Some((computes, sleeps)) = self.tasks[task].rhythm {
                    self.tasks[task].burst += STEP;
                    if self.tasks[task].burst >= computes {
                        self.tasks[task].burst = 0;
                        self.tasks[task].wakes_at = self.now + sleeps;
                        self.leave(cpu, task, Why::Sleep);
                    }
                }
            }
            // A lifted task shares with the online work; here it goes first.
            let lifted = self.cpus[cpu]
                .waiting
                .iter()
                .copied()
                .find(|&task| self.tasks[task].lifted != 0);
            if let (true, Some(task)) = (busy, lifted) {
                let state = &mut self.tasks[task];
                state.ran += STEP;
                state.lift_had += STEP;
                if state.lift_had >= state.lifted {
                    let had = std::mem::take(&mut state.lift_had);
                    state.lifted = 0;
                    state.since = self.now;
                    self.charge(cpu, task, had);
                }
            }

            let mut resched = false;
            let phase = TICK / self.cpus.len() as u64 * cpu as u64 / STEP * STEP;
            if (self.now / STEP * STEP + phase) % TICK < STEP {
                resched = self.tick(cpu, busy, online, &all);
            }
            self.pick(cpu, busy, resched, &all);
            self.facts(online);
        }
    }

    fn tick(
        &mut self,
        cpu: usize,
        busy: bool,
        online: &dyn Fn(u32, u64) -> bool,
        all: &Cpumask,
    ) -> bool {
        let mut resched = false;
        if let Some(task) = self.cpus[cpu].running {
            self.look(cpu);
            if self.cpus[cpu].queue.waiting != 0 {
                let state = &mut self.tasks[task];
                let Cpu { queue, level, .. } = &mut self.cpus[cpu];
                resched = self.class.tick(queue, level, &mut state.member);
            }
        }
        for _ in 0..8 {
            let Some(task) = self.first(cpu) else { break };
            self.look(cpu);
            let state = &self.tasks[task];
            if state.lifted != 0 {
                break;
            }
            let Some(to) = self
                .class
                .push(&mut self.cpus[cpu].queue, state.member.weight, all)
            else {
                break;
            };
            self.leave(cpu, task, Why::Migrate);
            self.join(to as usize, task, Why::Migrate);
            self.moves += 1;
            self.facts(online);
        }
        self.spread_running(cpu, online, all);
        if let (true, Some(task)) = (busy, self.first(cpu)) {
            self.look(cpu);
            let waited = self.now - self.tasks[task].since;
            let grant = self.class.floor(&mut self.cpus[cpu].queue, waited);
            if self.tasks[task].lifted == 0 {
                self.tasks[task].lifted = grant;
            }
        }
        resched
    }

    /// Sends the task that runs to another core. The slot's stopper does that, a moment later.
    fn spread_running(&mut self, cpu: usize, online: &dyn Fn(u32, u64) -> bool, all: &Cpumask) {
        let Some(task) = self.cpus[cpu].running else {
            return;
        };
        self.look(cpu);
        if self.cpus[cpu].queue.waiting != 0 {
            return;
        }
        let shared = self
            .core(cpu)
            .any(|thread| thread != cpu && !self.is_idle(thread, online));
        if let Some(to) = self.class.spread(&mut self.cpus[cpu].queue, shared, all) {
            self.leave(cpu, task, Why::Migrate);
            self.join(to as usize, task, Why::Migrate);
            self.moves += 1;
            self.facts(online);
        }
    }

    fn pick(&mut self, cpu: usize, busy: bool, resched: bool, all: &Cpumask) {
        let stop = busy || self.now < self.cpus[cpu].throttled_until;
        if stop || resched {
            if let Some(task) = self.cpus[cpu].running.take() {
                self.tasks[task].since = self.now;
                self.cpus[cpu].waiting.push(task);
            }
        }
        if stop || self.cpus[cpu].running.is_some() {
            return;
        }
        if self.cpus[cpu].queue.queued == 0 {
            let waiting = (0..self.cpus.len())
                .filter(|&other| !self.cpus[other].waiting.is_empty() && all.0 >> other & 1 != 0)
                .fold(0, |mask, other| mask | 1 << other);
            if waiting == 0 {
                return;
            }
            self.look(cpu);
            let from = self
                .class
                .newidle(&mut self.cpus[cpu].queue, &Cpumask(waiting));
            if let Some(task) = from.and_then(|from| self.first(from as usize)) {
                let from = self.tasks[task].last_cpu;
                self.leave(from, task, Why::Migrate);
                self.join(cpu, task, Why::Migrate);
                self.moves += 1;
            }
        }
        if let Some(task) = self.first(cpu) {
            self.cpus[cpu].waiting.retain(|&other| other != task);
            self.cpus[cpu].running = Some(task);
            self.look(cpu);
            let state = &mut self.tasks[task];
            let waited = self.now - state.since;
            let Cpu { queue, level, .. } = &mut self.cpus[cpu];
            self.class.run(queue, level, &mut state.member, waited);
        }
    }
}
