// SPDX-License-Identifier: GPL-2.0

//! The command line. The manual pages and the completion are made from it.

use crate::size::{self, Limit};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use std::{ffi::OsString, path::PathBuf};

/// Shows and controls the features of tkernel-rs
///
/// Reads and writes the files, devices and system calls that the modules document. Each needs the
/// module that it belongs to; `tkctl status` says which are there.
#[derive(Parser)]
#[command(name = "tkctl", version, max_term_width = 80)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Show the kernel's hooks, the modules, their settings and counters
    ///
    /// The table leaves out counters that are 0.
    Status {
        /// Print all of it as JSON
        #[arg(long)]
        json: bool,
    },

    /// Run a program that others can't debug, read or write
    ///
    /// Needs the module ttools. The program is protected from its first instruction until it ends,
    /// and runs with the process number and the environment of tkctl. Ends with the program's
    /// status; with 125 if it can't be protected, 126 if it can't be executed, 127 if there is no
    /// such program.
    Protect {
        /// Protect the processes that it starts as well, and those that they start
        #[arg(long)]
        tree: bool,

        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND",
              value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },

    /// Run a program, or move one, into the class for offline work
    ///
    /// Needs the module bt_sched_shim. Tasks in this class (BT) run when nothing else wants the
    /// CPU; what they start is in it too. Exit statuses are as for protect.
    Offline {
        /// Move this process, with all its threads, instead of starting a program
        #[arg(long, value_name = "PID", conflicts_with = "command",
              value_parser = clap::value_parser!(i32).range(1..))]
        pid: Option<i32>,

        /// The program and its arguments
        #[arg(required_unless_present = "pid", trailing_var_arg = true, value_name = "COMMAND",
              value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },

    /// Show, set or watch the limit of the page cache
    ///
    /// Needs the module pclimit.
    Pagecache {
        /// What to do with it.
        #[command(subcommand)]
        command: Pagecache,
    },
}

/// What to do with the limit of the page cache.
#[derive(Subcommand)]
pub enum Pagecache {
    /// Show the limit, what counts against it, and the settings
    Show {
        /// Print it as JSON
        #[arg(long)]
        json: bool,

        /// Of which limit.
        #[command(flatten)]
        scope: Scope,
    },

    /// Set the limit and how it is kept
    ///
    /// Settings that aren't mentioned stay, but for the depth of reclaim, which a new limit sets to
    /// its default. If one is rejected, those before it are set all the same; the message says
    /// which it was.
    Set(Set),

    /// Show what counts against the limit, as a bar that moves
    ///
    /// A line for each look if the output isn't a terminal.
    Watch {
        /// Time between two looks, in seconds
        #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = size::seconds)]
        interval: std::time::Duration,

        /// End after so many looks
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
        count: Option<u64>,

        /// Of which limit.
        #[command(flatten)]
        scope: Scope,
    },
}

/// Which limit: the machine's, or that of a cgroup.
#[derive(Args)]
pub struct Scope {
    /// The limit of this cgroup instead of the machine's
    ///
    /// A path below /sys/fs/cgroup, with or without that.
    #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
    pub cgroup: Option<PathBuf>,
}

/// Settings to change.
#[derive(Args)]
pub struct Set {
    /// The limit: a part of the memory (30%), a size (4G), or off
    ///
    /// Units are K, M, G and T, powers of 1024. For a cgroup a part of its memory.max or off.
    #[arg(required_unless_present_any = ["reclaim_ratio", "mode", "ignore_dirty", "ignore_slab"],
          value_name = "LIMIT", value_parser = size::limit)]
    pub limit: Option<Limit>,

    /// How far reclaim goes, in percent: see pagecache_limit(5)
    #[arg(long, value_name = "PERCENT")]
    pub reclaim_ratio: Option<u8>,

    /// Who reclaims
    #[arg(long, conflicts_with = "cgroup")]
    pub mode: Option<Mode>,

    /// 1: dirty pages don't count, 0: they do, N: one in N doesn't
    #[arg(long, value_name = "N", conflicts_with = "cgroup")]
    pub ignore_dirty: Option<u32>,

    /// 1: slab memory doesn't count, 0: it does
    #[arg(long, value_name = "0|1", conflicts_with = "cgroup",
          value_parser = clap::value_parser!(u8).range(0..=1))]
    pub ignore_slab: Option<u8>,

    /// Of which limit.
    #[command(flatten)]
    pub scope: Scope,
}

/// Who reclaims.
#[derive(Clone, Copy, ValueEnum)]
pub enum Mode {
    /// Who inserts into the page cache, with the help of a kernel worker
    Sync,
    /// The thread kpclimitd
    Async,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(words: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(format!("tkctl {words}").split(' '))
    }

    fn kind_of(words: &str) -> clap::error::ErrorKind {
        match parse(words) {
            Ok(_) => panic!("{words} was accepted"),
            Err(error) => error.kind(),
        }
    }

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_of_the_program_are_the_programs() {
        for words in ["protect -- ls -l --tree", "protect ls -l --tree"] {
            let Ok(Cli {
                command: Command::Protect { tree, command },
            }) = parse(words)
            else {
                panic!("{words}")
            };
            assert!(!tree);
            assert_eq!(command, ["ls", "-l", "--tree"]);
        }
    }

    #[test]
    fn offline_takes_a_program_or_a_process() {
        use clap::error::ErrorKind::*;
        assert!(parse("offline -- true").is_ok());
        assert!(parse("offline --pid 12").is_ok());
        assert_eq!(kind_of("offline"), MissingRequiredArgument);
        assert_eq!(kind_of("offline --pid 12 true"), ArgumentConflict);
        for pid in ["0", "-1", "x", "99999999999"] {
            assert_eq!(kind_of(&format!("offline --pid={pid}")), ValueValidation);
        }
    }

    #[test]
    fn set_needs_something_to_set() {
        use clap::error::ErrorKind::*;
        assert_eq!(kind_of("pagecache set"), MissingRequiredArgument);
        assert_eq!(kind_of("pagecache set --cgroup a"), MissingRequiredArgument);
        assert_eq!(
            kind_of("pagecache set --cgroup a --mode async"),
            ArgumentConflict
        );
        assert_eq!(kind_of("pagecache set 101%"), ValueValidation);
        assert!(parse("pagecache set --mode async").is_ok());
        assert!(parse("pagecache set 30% --cgroup a --reclaim-ratio 5").is_ok());
    }
}
