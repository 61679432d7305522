// SPDX-License-Identifier: GPL-2.0

//! The program: parses its arguments and says what went wrong.

use clap::Parser;
use std::{
    io::{self, IsTerminal, Write},
    process::ExitCode,
};
use tkctl::{
    cli::{Cli, Command},
    machine::Machine,
    offline, pagecache, program, protect, status,
};

fn run(cli: Cli) -> anyhow::Result<()> {
    let machine = Machine::running();
    let mut out = io::stdout().lock();
    match cli.command {
        Command::Status { json } => {
            status::show(&machine, json, io::stdout().is_terminal(), &mut out)?
        }
        Command::Protect { tree, command } => protect::run(&machine, tree, &command)?,
        Command::Offline { pid, command } => match pid {
            Some(pid) => offline::move_process(&machine, pid)?,
            None => offline::run(&machine, &command)?,
        },
        Command::Pagecache { command } => pagecache::run(&machine, command, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// Whoever read our output has had enough of it: that's no error.
fn reader_is_gone(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // What starts programs tells its own failures from theirs, as nice(1) and env(1) do.
    let own_failure = match cli.command {
        Command::Protect { .. } | Command::Offline { pid: None, .. } => 125,
        _ => 1,
    };
    match run(cli) {
        Err(error) if !reader_is_gone(&error) => {
            eprintln!("tkctl: {error:#}");
            let status = error.downcast_ref::<program::NotStarted>();
            ExitCode::from(status.map_or(own_failure, program::NotStarted::status))
        }
        _ => ExitCode::SUCCESS,
    }
}
