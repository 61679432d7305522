// SPDX-License-Identifier: GPL-2.0

//! What the machine has of tkernel-rs: hooks, modules, their settings and counters.

use crate::machine::Machine;
use anyhow::{Context, Result};
use comfy_table::{presets, ContentArrangement, Table};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, Write},
    path::Path,
};

/// Where a module has its settings and counters.
struct Feature {
    module: &'static str,
    /// What it can't be loaded without.
    hooks: &'static [&'static str],
    /// A directory, and the beginnings of the names of files there. What isn't there is left out.
    /// The kernel shows no parameters of modules in Rust.
    settings: Option<(&'static str, &'static [&'static str])>,
    /// Files with a number.
    counters: &'static [&'static str],
    /// A file with lines `NAME VALUE`.
    table: Option<&'static str>,
}

// The modules' pages in docs, and docs/ABI.
const FEATURES: &[Feature] = &[
    Feature {
        module: "ttools",
        hooks: &["ptrace", "access", "process"],
        settings: None,
        counters: &[
            "/sys/class/misc/ttools/protected",
            "/sys/class/misc/ttools/refused",
            "/sys/class/misc/ttools/refused_looks",
        ],
        table: None,
    },
    Feature {
        module: "pclimit",
        hooks: &["pagecache"],
        settings: Some(("/proc/sys/vm", &["pagecache_limit_"])),
        counters: &["/proc/sys/vm/pagecache_system_usage"],
        table: Some("/proc/pagecache_limit"),
    },
    Feature {
        module: "cgroup_isolation",
        hooks: &["procview"],
        settings: Some((
            "/proc/sys/kernel",
            &[
                "stats_isolated",
                "container_",
                "cpuset_cpuinfo_show_realinfo",
            ],
        )),
        counters: &[],
        table: None,
    },
    Feature {
        module: "nonpriv_netbind",
        hooks: &["netbind"],
        settings: None,
        counters: &[],
        table: None,
    },
    Feature {
        module: "shield_mounts",
        hooks: &["mounts"],
        settings: Some(("/proc/sys/kernel", &["shield_mounts_max"])),
        counters: &[],
        table: None,
    },
    Feature {
        module: "release_suffix",
        hooks: &["uname"],
        settings: Some(("/proc/tkernel", &["release_suffix"])),
        counters: &[],
        table: None,
    },
    Feature {
        module: "hostinfo",
        hooks: &["pidfile"],
        settings: Some(("/proc/sys/kernel", &["watch_host_pid"])),
        counters: &[],
        table: None,
    },
    Feature {
        module: "fatal_signals",
        hooks: &["signal"],
        settings: Some(("/proc/sys/kernel", &["print-fatal-signals-src-dst"])),
        counters: &[],
        table: None,
    },
    Feature {
        module: "epoll_min_wait",
        hooks: &["epoll"],
        settings: Some(("/proc/sys/kernel", &["min_epoll_wait_time"])),
        counters: &[],
        table: None,
    },
    Feature {
        module: "max_map_count",
        hooks: &["maps"],
        settings: Some(("/proc/sys/kernel", &["isolate_max_map_count"])),
        counters: &[],
        table: None,
    },
    Feature {
        module: "irq_force_manage",
        hooks: &["irqs"],
        settings: None,
        counters: &[],
        table: None,
    },
    Feature {
        module: "tcp_tuning",
        hooks: &["tcp"],
        settings: Some((
            "/proc/sys/net/ipv4",
            &[
                "tcp_init_cwnd",
                "tcp_loss_init_cwnd",
                "tcp_no_delay_ack",
                "tcp_rto_max",
                "tcp_rto_min",
            ],
        )),
        counters: &[],
        table: None,
    },
    Feature {
        module: "bt_sched_shim",
        hooks: &["sched"],
        settings: Some(("/proc/sys/kernel", &["sched_bt_"])),
        counters: &[],
        table: None,
    },
];

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "lowercase")]
enum State {
    Loaded,
    /// Can be loaded with modprobe.
    Installed,
    Absent,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            State::Loaded => "loaded",
            State::Installed => "not loaded",
            State::Absent => "not installed",
        }
    }
}

/// Who has a hook.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Debug)]
#[serde(rename_all = "lowercase")]
enum Provider {
    /// hooks.patch: it is compiled into the kernel.
    Patch,
    /// tkhooks, which modprobe loads when it is needed.
    Ftrace,
}

/// The hooks that can be registered with, by name.
type Hooks = BTreeMap<String, Provider>;

#[derive(Serialize)]
struct Module {
    name: &'static str,
    state: State,
    /// References that keep it loaded.
    users: Option<u64>,
    missing_hooks: Vec<&'static str>,
    settings: Map<String, Value>,
    counters: Map<String, Value>,
}

#[derive(Serialize)]
struct Status {
    kernel: String,
    /// None if it can't be told.
    hooks: Option<Hooks>,
    /// Those that modules want and nobody has, and why that is so.
    unavailable: BTreeMap<&'static str, &'static str>,
    modules: Vec<Module>,
}

/// Prints all of it, as JSON or as a table, which takes the terminal's width if `wrap`.
pub fn show(machine: &Machine, json: bool, wrap: bool, out: &mut dyn Write) -> Result<()> {
    let status = collect(machine)?;
    if json {
        serde_json::to_writer_pretty(&mut *out, &status).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        print(&status, wrap, out)?;
    }
    Ok(())
}

fn collect(machine: &Machine) -> Result<Status> {
    let kernel = machine
        .line("/proc/sys/kernel/osrelease")
        .context("/proc isn't mounted")?;
    let hooks = hooks(machine, &kernel);
    let installed = installed(machine, &kernel);
    let modules: Vec<Module> = FEATURES
        .iter()
        .map(|feature| module(machine, feature, hooks.as_ref(), &installed))
        .collect();
    let why = why_unavailable(hooks.as_ref(), &installed);
    let missing = modules.iter().flat_map(|module| &module.missing_hooks);
    let unavailable = missing.map(|hook| (*hook, why)).collect();
    Ok(Status {
        kernel,
        hooks,
        unavailable,
        modules,
    })
}

/// The hook that a symbol registers with, if it is such a symbol.
fn hook_of(symbol: &str) -> Option<&str> {
    if symbol == "sched_bt_register" {
        return Some("sched");
    }
    let hook = symbol.strip_prefix("tkernel_")?.strip_suffix("_register")?;
    // What registers any of them isn't a hook itself.
    (hook != "hook").then_some(hook)
}

fn hooks(machine: &Machine, kernel: &str) -> Option<Hooks> {
    let symbols = machine.read("/proc/kallsyms").ok()?;
    let mut found = Hooks::new();
    for line in symbols.lines() {
        // ADDRESS TYPE NAME [MODULE]
        let mut words = line.split_ascii_whitespace().skip(2);
        let Some(hook) = words.next().and_then(hook_of) else {
            continue;
        };
        let provider = match words.next() {
            None => Provider::Patch,
            Some(_) => Provider::Ftrace,
        };
        found.insert(hook.to_owned(), provider);
    }
    // What modules that aren't loaded yet would offer: alias symbol:NAME MODULE
    let offered = machine
        .read(format!("/lib/modules/{kernel}/modules.symbols"))
        .unwrap_or_default();
    for line in offered.lines() {
        let symbol = line
            .strip_prefix("alias symbol:")
            .and_then(|rest| rest.split_ascii_whitespace().next());
        if let Some(hook) = symbol.and_then(hook_of) {
            found.entry(hook.to_owned()).or_insert(Provider::Ftrace);
        }
    }
    Some(found)
}

/// Why a hook that isn't among these isn't there.
fn why_unavailable(hooks: Option<&Hooks>, installed: &BTreeSet<String>) -> &'static str {
    let patched = hooks.is_some_and(|hooks| hooks.values().any(|has| *has == Provider::Patch));
    if patched {
        "this kernel was configured without it"
    } else if installed.contains("tkhooks") {
        "tkhooks doesn't offer it, only hooks.patch"
    } else {
        "this kernel has no hooks.patch, and tkhooks isn't installed"
    }
}

/// The names of the modules that modprobe can load.
fn installed(machine: &Machine, kernel: &str) -> BTreeSet<String> {
    let list = machine
        .read(format!("/lib/modules/{kernel}/modules.dep"))
        .unwrap_or_default();
    list.lines()
        .filter_map(|line| {
            let file = Path::new(line.split(':').next()?).file_name()?.to_str()?;
            Some(file.split(".ko").next()?.replace('-', "_"))
        })
        .collect()
}

fn module(
    machine: &Machine,
    feature: &Feature,
    hooks: Option<&Hooks>,
    installed: &BTreeSet<String>,
) -> Module {
    let directory = format!("/sys/module/{}", feature.module);
    let state = match machine.has(&directory) {
        true => State::Loaded,
        false if installed.contains(feature.module) => State::Installed,
        false => State::Absent,
    };
    let lacks = |hook: &&str| hooks.is_some_and(|hooks| !hooks.contains_key(*hook));
    let mut module = Module {
        name: feature.module,
        state,
        users: machine.number(format!("{directory}/refcnt")).ok(),
        missing_hooks: feature.hooks.iter().copied().filter(lacks).collect(),
        settings: Map::new(),
        counters: Map::new(),
    };
    if state == State::Loaded {
        module.settings = feature
            .settings
            .map(|files| settings(machine, files))
            .unwrap_or_default();
        module.counters = counters(machine, feature);
    }
    module
}

/// A number where it is one.
fn value(text: &str) -> Value {
    text.parse::<i64>()
        .map_or_else(|_| Value::from(text), Value::from)
}

fn settings(machine: &Machine, (directory, beginnings): (&str, &[&str])) -> Map<String, Value> {
    let Ok(entries) = fs::read_dir(machine.path(directory)) else {
        return Map::new();
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.retain(|name| {
        beginnings
            .iter()
            .any(|beginning| name.starts_with(beginning))
    });
    names.sort();
    names
        .into_iter()
        .filter_map(|name| {
            let text = machine.line(format!("{directory}/{name}"))?;
            Some((name, value(&text)))
        })
        .collect()
}

fn counters(machine: &Machine, feature: &Feature) -> Map<String, Value> {
    let files = feature.counters.iter().filter_map(|file| {
        let name = Path::new(file).file_name()?.to_str()?.to_owned();
        Some((name, value(&machine.line(file)?)))
    });
    let lines = feature
        .table
        .and_then(|file| machine.counters(file).ok())
        .unwrap_or_default();
    files
        .chain(lines.into_iter().map(|(name, count)| (name, count.into())))
        .collect()
}

fn print(status: &Status, wrap: bool, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "kernel  {}", status.kernel)?;
    if let Some(hooks) = &status.hooks {
        let of = |provider| {
            let its = hooks.iter().filter(move |(_, has)| **has == provider);
            its.map(|(hook, _)| hook.as_str()).collect::<Vec<_>>()
        };
        for (names, provider) in [
            (of(Provider::Patch), "by hooks.patch"),
            (of(Provider::Ftrace), "by tkhooks (ftrace)"),
        ] {
            if !names.is_empty() {
                writeln!(out, "hooks   {provider}: {}", names.join(", "))?;
            }
        }
        // One reason holds for all.
        if let Some(why) = status.unavailable.values().next() {
            let names: Vec<_> = status.unavailable.keys().copied().collect();
            writeln!(out, "none    {}: {why}", names.join(", "))?;
        }
    } else {
        writeln!(out, "hooks   unknown: /proc/kallsyms can't be read")?;
    }
    writeln!(out)?;

    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        .set_content_arrangement(if wrap {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        })
        .set_header(["MODULE", "STATE", "USERS", "SETTINGS", "COUNTERS"]);
    for module in &status.modules {
        let state = match module.missing_hooks.as_slice() {
            [] => module.state.as_str().to_owned(),
            missing => format!("{}\nno hook {}", module.state.as_str(), missing.join(", ")),
        };
        let users = module
            .users
            .map(|users| users.to_string())
            .unwrap_or_default();
        table.add_row([
            module.name.to_owned(),
            state,
            users,
            lines(&module.settings, |_| true),
            lines(&module.counters, |value| value.as_i64() != Some(0)),
        ]);
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn lines(values: &Map<String, Value>, shown: impl Fn(&Value) -> bool) -> String {
    let lines = values
        .iter()
        .filter(|(_, value)| shown(value))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name} {text}"),
            value => format!("{name} {value}"),
        });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    const KALLSYMS: &str = "\
0000000000000000 T tkernel_hook_register
0000000000000000 T tkernel_ptrace_register
0000000000000000 T tkernel_access_register
0000000000000000 r __ksymtab_tkernel_access_register
0000000000000000 t tkernel_process_register\t[tkhooks]
";

    fn shown(tree: &Tree, json: bool) -> String {
        let mut out = Vec::new();
        show(&tree.machine(), json, false, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn patched(name: &str) -> Tree {
        Tree::new(
            name,
            &[
                ("proc/sys/kernel/osrelease", "7.3.4-tk\n"),
                ("proc/kallsyms", KALLSYMS),
                (
                    "lib/modules/7.3.4-tk/modules.dep",
                    "updates/dkms/ttools.ko.xz:\nupdates/dkms/pclimit.ko: kernel/x.ko\n",
                ),
                ("sys/module/ttools/refcnt", "2\n"),
                ("sys/class/misc/ttools/protected", "3\n"),
                ("sys/class/misc/ttools/refused", "0\n"),
                ("proc/sys/vm/pagecache_limit_ratio", "7\n"),
            ],
        )
    }

    #[test]
    fn json_has_all_of_it() {
        let status: Value = serde_json::from_str(&shown(&patched("json"), true)).unwrap();
        assert_eq!(status["kernel"], "7.3.4-tk");
        assert_eq!(
            status["hooks"],
            serde_json::json!({"access": "patch", "process": "ftrace", "ptrace": "patch"})
        );
        assert_eq!(
            status["unavailable"]["sched"],
            "this kernel was configured without it"
        );
        assert_eq!(status["unavailable"]["ptrace"], Value::Null);
        let ttools = &status["modules"][0];
        assert_eq!(ttools["state"], "loaded");
        assert_eq!(ttools["users"], 2);
        assert_eq!(ttools["missing_hooks"], serde_json::json!([]));
        assert_eq!(
            ttools["counters"],
            serde_json::json!({"protected": 3, "refused": 0})
        );
        let pclimit = &status["modules"][1];
        assert_eq!(pclimit["state"], "installed");
        assert_eq!(pclimit["missing_hooks"], serde_json::json!(["pagecache"]));
        // What a module has isn't there while it isn't loaded.
        assert_eq!(pclimit["settings"], serde_json::json!({}));
        assert_eq!(status["modules"][2]["state"], "absent");
    }

    #[test]
    fn table_is_for_people() {
        let text = shown(&patched("table"), false);
        assert!(
            text.contains("hooks   by hooks.patch: access, ptrace\n"),
            "{text}"
        );
        assert!(
            text.contains("hooks   by tkhooks (ftrace): process\n"),
            "{text}"
        );
        let row = |name: &str| {
            text.lines()
                .find(|line| line.trim().starts_with(name))
                .unwrap()
        };
        assert!(row("ttools").contains("protected 3"), "{text}");
        assert!(!text.contains("refused 0"), "{text}");
        assert!(row("pclimit").contains("not loaded"), "{text}");
        assert!(row("cgroup_isolation").contains("not installed"), "{text}");
        assert!(text.contains("no hook procview"), "{text}");
    }

    #[test]
    fn another_kernel_has_none() {
        let tree = Tree::new(
            "stock",
            &[
                ("proc/sys/kernel/osrelease", "6.12\n"),
                ("proc/kallsyms", "0 T schedule\n"),
            ],
        );
        let text = shown(&tree, false);
        assert!(
            text.contains("this kernel has no hooks.patch, and tkhooks isn't installed\n"),
            "{text}"
        );
        assert!(!text.contains("by "), "{text}");
        let unreadable = Tree::new("mute", &[("proc/sys/kernel/osrelease", "6.12\n")]);
        assert!(shown(&unreadable, false).contains("hooks   unknown"));
        let status: Value = serde_json::from_str(&shown(&unreadable, true)).unwrap();
        assert_eq!(status["hooks"], Value::Null);
        assert_eq!(status["modules"][0]["missing_hooks"], serde_json::json!([]));
    }

    #[test]
    fn what_tkhooks_would_offer() {
        let tree = Tree::new(
            "tkhooks",
            &[
                ("proc/sys/kernel/osrelease", "7.3.4\n"),
                ("proc/kallsyms", "0 T schedule\n"),
                ("lib/modules/7.3.4/modules.dep", "updates/tkhooks.ko:\n"),
                (
                    "lib/modules/7.3.4/modules.symbols",
                    "# Aliases\nalias symbol:tkernel_epoll_register tkhooks\n\
                     alias symbol:tkernel_hook_register tkhooks\n",
                ),
            ],
        );
        let status: Value = serde_json::from_str(&shown(&tree, true)).unwrap();
        assert_eq!(status["hooks"], serde_json::json!({"epoll": "ftrace"}));
        assert_eq!(
            status["unavailable"]["sched"],
            "tkhooks doesn't offer it, only hooks.patch"
        );
        let text = shown(&tree, false);
        assert!(
            text.contains("hooks   by tkhooks (ftrace): epoll\n"),
            "{text}"
        );
    }

    #[test]
    fn settings_and_tables() {
        let tree = patched("settings");
        for (file, text) in [
            ("sys/module/pclimit/refcnt", "0"),
            (
                "proc/pagecache_limit",
                "nr_usage 5\nnr_limit 0\nnot a counter\n",
            ),
            ("proc/sys/vm/swappiness", "60"),
        ] {
            tree.put(file, text);
        }
        let status: Value = serde_json::from_str(&shown(&tree, true)).unwrap();
        let pclimit = &status["modules"][1];
        assert_eq!(
            pclimit["settings"],
            serde_json::json!({"pagecache_limit_ratio": 7})
        );
        assert_eq!(
            pclimit["counters"],
            serde_json::json!({"nr_usage": 5, "nr_limit": 0})
        );
    }
}
