// SPDX-License-Identifier: GPL-2.0

//! The limit of the page cache, of the machine or of a cgroup: docs/pclimit.md.

use crate::{
    cli::{Mode, Pagecache, Scope, Set},
    machine::Machine,
    size::{human, Limit},
    sys,
};
use anyhow::{bail, ensure, Context, Result};
use comfy_table::{presets, Table};
use serde_json::{json, Value};
use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const SYSCTL: &str = "/proc/sys/vm/pagecache_limit_";
const COUNTERS: &str = "/proc/pagecache_limit";
const CGROUPS: &str = "/sys/fs/cgroup";
const BAR: usize = 40;

/// Does what the command says.
pub fn run(machine: &Machine, command: Pagecache, out: &mut dyn Write) -> Result<()> {
    match command {
        Pagecache::Show { json, scope } => show(&Target::new(machine, &scope)?, json, out),
        Pagecache::Set(settings) => set(&Target::new(machine, &settings.scope)?, &settings),
        Pagecache::Watch {
            interval,
            count,
            scope,
        } => {
            let bar = io::stdout().is_terminal();
            watch(&Target::new(machine, &scope)?, interval, count, bar, out)
        }
    }
}

/// What a limit holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Usage {
    used: u64,
    /// None without a limit.
    limit: Option<u64>,
    /// What a full bar stands for if there is no limit.
    whole: u64,
    /// Freed since loading; of a cgroup, how often the limit was reached.
    events: u64,
}

enum Target<'a> {
    Machine(&'a Machine),
    Cgroup(&'a Machine, PathBuf),
}

impl<'a> Target<'a> {
    fn new(machine: &'a Machine, scope: &Scope) -> Result<Self> {
        ensure!(
            machine.has(format!("{SYSCTL}ratio")),
            "this kernel has no limit for the page cache: is the module pclimit loaded?"
        );
        let Some(name) = &scope.cgroup else {
            return Ok(Self::Machine(machine));
        };
        let below = name.strip_prefix(CGROUPS).unwrap_or(name);
        let path = Path::new(CGROUPS).join(below.strip_prefix("/").unwrap_or(below));
        ensure!(
            machine.has(path.join("cgroup.procs")),
            "there is no cgroup {}",
            path.display()
        );
        ensure!(
            machine.has(path.join("memory.pagecache.max_ratio")),
            "{} has no limit: it is the root, or has no memory controller",
            path.display()
        );
        Ok(Self::Cgroup(machine, path))
    }

    fn usage(&self) -> Result<Usage> {
        match self {
            Self::Machine(machine) => machine_usage(machine),
            Self::Cgroup(machine, path) => cgroup_usage(machine, path),
        }
    }

    /// Each setting by its name.
    fn settings(&self) -> Vec<(&'static str, String)> {
        let (machine, directory, names): (_, _, &[_]) = match self {
            Self::Machine(machine) => (
                machine,
                Path::new("/proc/sys/vm"),
                &[
                    "pagecache_limit_ratio",
                    "pagecache_limit_bytes",
                    "pagecache_limit_reclaim_ratio",
                    "pagecache_limit_async",
                    "pagecache_limit_ignore_dirty",
                    "pagecache_limit_ignore_slab",
                ],
            ),
            Self::Cgroup(machine, path) => (
                machine,
                path.as_path(),
                &[
                    "memory.max",
                    "memory.pagecache.max_ratio",
                    "memory.pagecache.reclaim_ratio",
                ],
            ),
        };
        let read = |name: &&'static str| Some((*name, machine.line(directory.join(name))?));
        names.iter().filter_map(read).collect()
    }
}

fn machine_usage(machine: &Machine) -> Result<Usage> {
    let counters = machine.counters(COUNTERS).context(COUNTERS)?;
    let counter = |name| {
        counters
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, count)| *count)
    };
    let page = sys::page_size();
    let bytes = |name| counter(name).map(|pages| pages.saturating_mul(page));
    let freed = counters
        .iter()
        .filter(|(name, _)| name.starts_with("pgfree_"));
    Ok(Usage {
        used: bytes("nr_usage").with_context(|| format!("{COUNTERS} has no nr_usage"))?,
        limit: bytes("nr_limit").filter(|_| has_limit(machine)),
        whole: memory(machine)?,
        events: freed.map(|(_, pages)| pages.saturating_mul(page)).sum(),
    })
}

/// What the counters say without a limit isn't one.
fn has_limit(machine: &Machine) -> bool {
    let set = |name| {
        machine
            .number(format!("{SYSCTL}{name}"))
            .is_ok_and(|value| value > 0)
    };
    set("ratio") || set("bytes")
}

fn cgroup_usage(machine: &Machine, path: &Path) -> Result<Usage> {
    let max = machine
        .line(path.join("memory.max"))
        .and_then(|text| text.parse::<u64>().ok());
    let ratio = machine.number(path.join("memory.pagecache.max_ratio"))?;
    let part = |max: u64| u64::try_from(u128::from(max) * u128::from(ratio) / 100).ok();
    let events = machine
        .counters(path.join("memory.pagecache.events"))
        .unwrap_or_default();
    Ok(Usage {
        used: machine.number(path.join("memory.pagecache.current"))?,
        limit: max.filter(|_| ratio < 100).and_then(part),
        whole: match max {
            Some(max) => max,
            None => memory(machine)?,
        },
        events: events.first().map_or(0, |(_, count)| *count),
    })
}

fn memory(machine: &Machine) -> Result<u64> {
    let text = machine.read("/proc/meminfo").context("/proc/meminfo")?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let number = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    Ok(number
        .context("/proc/meminfo has no MemTotal")?
        .saturating_mul(1024))
}

fn show(target: &Target<'_>, as_json: bool, out: &mut dyn Write) -> Result<()> {
    let usage = target.usage()?;
    let settings = target.settings();
    if as_json {
        let settings: serde_json::Map<String, Value> = settings
            .into_iter()
            .map(|(name, text)| {
                let value = text
                    .parse::<u64>()
                    .map_or_else(|_| Value::from(text), Value::from);
                (name.to_owned(), value)
            })
            .collect();
        let all = json!({"used": usage.used, "limit": usage.limit, "settings": settings});
        writeln!(out, "{all:#}")?;
        return Ok(());
    }
    let limit = usage.limit.map_or("none".into(), human);
    writeln!(out, "used   {}\nlimit  {limit}\n", human(usage.used))?;
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_header(["SETTING", "VALUE"]);
    for (name, value) in settings {
        table.add_row([name, &value]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A new limit first, for what else depends on it.
fn set(target: &Target<'_>, settings: &Set) -> Result<()> {
    match target {
        Target::Machine(machine) => {
            for (name, value) in machine_writes(settings) {
                machine.write(format!("{SYSCTL}{name}"), &value)?;
            }
        }
        Target::Cgroup(machine, path) => {
            for (name, value) in cgroup_writes(settings)? {
                machine.write(path.join(format!("memory.pagecache.{name}")), &value)?;
            }
        }
    }
    Ok(())
}

fn machine_writes(settings: &Set) -> Vec<(&'static str, String)> {
    let mut writes = Vec::new();
    match settings.limit {
        None => (),
        // Whichever is set: writing one clears the other.
        Some(Limit::Off) => writes.push(("ratio", "0".into())),
        Some(Limit::Percent(percent)) => writes.push(("ratio", percent.to_string())),
        Some(Limit::Bytes(bytes)) => writes.push(("bytes", bytes.to_string())),
    }
    let mut push = |name, value: Option<String>| writes.extend(value.map(|value| (name, value)));
    push(
        "reclaim_ratio",
        settings.reclaim_ratio.map(|ratio| ratio.to_string()),
    );
    push(
        "async",
        settings
            .mode
            .map(|mode| u8::from(matches!(mode, Mode::Async)).to_string()),
    );
    push(
        "ignore_dirty",
        settings.ignore_dirty.map(|value| value.to_string()),
    );
    push(
        "ignore_slab",
        settings.ignore_slab.map(|value| value.to_string()),
    );
    writes
}

fn cgroup_writes(settings: &Set) -> Result<Vec<(&'static str, String)>> {
    let mut writes = Vec::new();
    match settings.limit {
        None => (),
        Some(Limit::Off) => writes.push(("max_ratio", "100".into())),
        Some(Limit::Percent(percent)) => writes.push(("max_ratio", percent.to_string())),
        Some(Limit::Bytes(_)) => {
            bail!("the limit of a cgroup is a part of its memory.max, such as 30%")
        }
    }
    writes.extend(
        settings
            .reclaim_ratio
            .map(|ratio| ("reclaim_ratio", ratio.to_string())),
    );
    Ok(writes)
}

fn watch(
    target: &Target<'_>,
    interval: Duration,
    count: Option<u64>,
    bar: bool,
    out: &mut dyn Write,
) -> Result<()> {
    let rate_of = match target {
        Target::Machine(_) => {
            |events, seconds| format!("{}/s reclaimed", human((events as f64 / seconds) as u64))
        }
        Target::Cgroup(..) => {
            |events, seconds| format!("{:.0}/s at the limit", events as f64 / seconds)
        }
    };
    let mut last = (target.usage()?, Instant::now());
    let mut looks = 0;
    while count.is_none_or(|count| looks < count) {
        thread::sleep(interval);
        let (usage, now) = (target.usage()?, Instant::now());
        let seconds = now.duration_since(last.1).as_secs_f64().max(1e-3);
        let rate = rate_of(usage.events.saturating_sub(last.0.events), seconds);
        last = (usage, now);
        looks += 1;
        let line = format!("[{}] {}, {rate}", picture(usage), words(usage));
        if bar {
            // In place, and without what was longer before.
            write!(out, "\r{line}\x1b[K")?;
        } else {
            writeln!(out, "{line}")?;
        }
        out.flush()?;
    }
    if bar {
        writeln!(out)?;
    }
    Ok(())
}

/// What is used, with room for a quarter above the limit, and a mark at that.
fn picture(usage: Usage) -> String {
    let full = match usage.limit {
        Some(limit) => limit.saturating_add(limit / 4),
        None => usage.whole,
    };
    let place = |bytes: u64| {
        let cells = u128::from(bytes) * BAR as u128 / u128::from(full.max(1));
        usize::try_from(cells).unwrap_or(BAR).min(BAR)
    };
    let used = place(usage.used);
    let mark = usage.limit.map(place);
    (0..BAR)
        .map(|cell| match cell {
            cell if mark == Some(cell) => '|',
            cell if cell < used => '#',
            _ => '.',
        })
        .collect()
}

fn words(usage: Usage) -> String {
    match usage.limit {
        Some(limit) => {
            let percent = u128::from(usage.used) * 100 / u128::from(limit.max(1));
            format!("{} of {} ({percent} %)", human(usage.used), human(limit))
        }
        None => format!("{}, no limit", human(usage.used)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn limited(name: &str) -> Tree {
        Tree::new(
            name,
            &[
                ("proc/meminfo", "MemTotal:        1000 kB\nMemFree: 1 kB\n"),
                (
                    "proc/pagecache_limit",
                    "nr_usage 50\nnr_limit 100\npgfree_insert 2\npgfree_worker 3\n",
                ),
                ("proc/sys/vm/pagecache_limit_ratio", "40\n"),
                ("proc/sys/vm/pagecache_limit_bytes", "0\n"),
                ("proc/sys/vm/pagecache_limit_reclaim_ratio", "42\n"),
                ("proc/sys/vm/pagecache_limit_async", "0\n"),
                ("sys/fs/cgroup/cgroup.procs", ""),
                ("sys/fs/cgroup/a/cgroup.procs", ""),
                ("sys/fs/cgroup/a/memory.max", "1000\n"),
                ("sys/fs/cgroup/a/memory.pagecache.max_ratio", "30\n"),
                ("sys/fs/cgroup/a/memory.pagecache.current", "150\n"),
                (
                    "sys/fs/cgroup/a/memory.pagecache.events",
                    "pagecache_max 7\npagecache_fail 1\n",
                ),
            ],
        )
    }

    fn scope(cgroup: Option<&str>) -> Scope {
        Scope {
            cgroup: cgroup.map(Into::into),
        }
    }

    fn nothing() -> Set {
        Set {
            limit: None,
            reclaim_ratio: None,
            mode: None,
            ignore_dirty: None,
            ignore_slab: None,
            scope: scope(None),
        }
    }

    #[test]
    fn usage_of_the_machine() {
        let tree = limited("usage");
        let machine = tree.machine();
        let page = sys::page_size();
        let target = Target::new(&machine, &scope(None)).unwrap();
        let expected = Usage {
            used: 50 * page,
            limit: Some(100 * page),
            whole: 1024000,
            events: 5 * page,
        };
        assert_eq!(target.usage().unwrap(), expected);
        tree.put("proc/sys/vm/pagecache_limit_ratio", "0\n");
        assert_eq!(target.usage().unwrap().limit, None);
        tree.put("proc/sys/vm/pagecache_limit_bytes", "409600\n");
        assert_eq!(target.usage().unwrap().limit, Some(100 * page));
    }

    #[test]
    fn usage_of_a_cgroup() {
        let tree = limited("cgroup");
        let machine = tree.machine();
        for name in ["a", "/a", "/sys/fs/cgroup/a"] {
            let target = Target::new(&machine, &scope(Some(name))).unwrap();
            let expected = Usage {
                used: 150,
                limit: Some(300),
                whole: 1000,
                events: 7,
            };
            assert_eq!(target.usage().unwrap(), expected);
        }
        tree.put("sys/fs/cgroup/a/memory.max", "max\n");
        let target = Target::new(&machine, &scope(Some("a"))).unwrap();
        assert_eq!(target.usage().unwrap().limit, None);
    }

    #[test]
    fn what_is_not_there_is_said() {
        let tree = limited("absent");
        let error = |machine: &Machine, cgroup| match Target::new(machine, &scope(cgroup)) {
            Ok(_) => panic!("accepted"),
            Err(error) => error.to_string(),
        };
        let empty = Machine::at("/nonexistent");
        assert!(error(&empty, None).contains("is the module pclimit loaded?"));
        assert!(error(&tree.machine(), Some("b")).contains("no cgroup /sys/fs/cgroup/b"));
        assert!(error(&tree.machine(), Some("/")).contains("it is the root"));
    }

    #[test]
    fn settings_are_written_in_the_order_that_they_need() {
        let settings = Set {
            limit: Some(Limit::Percent(30)),
            reclaim_ratio: Some(35),
            mode: Some(Mode::Async),
            ignore_dirty: Some(0),
            ignore_slab: Some(1),
            ..nothing()
        };
        let expected = [
            ("ratio", "30"),
            ("reclaim_ratio", "35"),
            ("async", "1"),
            ("ignore_dirty", "0"),
            ("ignore_slab", "1"),
        ];
        let writes = machine_writes(&settings);
        assert!(writes
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .eq(expected));
        let off = Set {
            limit: Some(Limit::Off),
            ..nothing()
        };
        assert_eq!(machine_writes(&off), [("ratio", "0".to_owned())]);
        assert_eq!(
            cgroup_writes(&off).unwrap(),
            [("max_ratio", "100".to_owned())]
        );
        let bytes = Set {
            limit: Some(Limit::Bytes(4096)),
            ..nothing()
        };
        assert_eq!(machine_writes(&bytes), [("bytes", "4096".to_owned())]);
        assert!(cgroup_writes(&bytes).is_err());
    }

    #[test]
    fn set_writes_the_files() {
        let tree = limited("set");
        let machine = tree.machine();
        let settings = Set {
            limit: Some(Limit::Percent(20)),
            mode: Some(Mode::Async),
            ..nothing()
        };
        set(&Target::new(&machine, &scope(None)).unwrap(), &settings).unwrap();
        assert_eq!(
            machine
                .number("/proc/sys/vm/pagecache_limit_ratio")
                .unwrap(),
            20
        );
        assert_eq!(
            machine
                .number("/proc/sys/vm/pagecache_limit_async")
                .unwrap(),
            1
        );
        let slab = Set {
            ignore_slab: Some(0),
            ..nothing()
        };
        let error = set(&Target::new(&machine, &scope(None)).unwrap(), &slab).unwrap_err();
        assert!(
            format!("{error:#}").contains("pagecache_limit_ignore_slab"),
            "{error:#}"
        );
    }

    #[test]
    fn bars() {
        let usage = |used, limit| Usage {
            used,
            limit,
            whole: 1000,
            events: 0,
        };
        let cells = |usage, cell| picture(usage).chars().filter(|c| *c == cell).count();
        // Four fifths of the bar are below the limit.
        assert_eq!(picture(usage(0, Some(100))).find('|'), Some(32));
        assert_eq!(cells(usage(50, Some(100)), '#'), 16);
        assert_eq!(cells(usage(1_000_000, Some(100)), '#'), BAR - 1);
        assert_eq!(cells(usage(500, None), '#'), BAR / 2);
        assert_eq!(cells(usage(500, None), '|'), 0);
        assert_eq!(picture(usage(1, Some(0))).len(), BAR);
        assert_eq!(words(usage(50, Some(100))), "50 B of 100 B (50 %)");
    }

    #[test]
    fn watch_ends_after_count() {
        let tree = limited("watch");
        let machine = tree.machine();
        let mut out = Vec::new();
        let target = Target::new(&machine, &scope(Some("a"))).unwrap();
        watch(&target, Duration::from_millis(1), Some(3), false, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert!(
            text.lines()
                .all(|line| line.contains("150 B of 300 B (50 %), 0/s at the limit")),
            "{text}"
        );
    }
}
