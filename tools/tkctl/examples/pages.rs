// SPDX-License-Identifier: GPL-2.0

//! `pages DIR` writes the manual pages and the completion for bash into DIR.

use clap::CommandFactory;
use std::{env, fs, io, path::PathBuf};
use tkctl::cli::Cli;

fn main() -> io::Result<()> {
    let directory = env::args_os().nth(1).map(PathBuf::from);
    let directory = directory.ok_or_else(|| io::Error::other("usage: pages DIR"))?;
    fs::create_dir_all(&directory)?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &directory)?;
    let shell = clap_complete::Shell::Bash;
    clap_complete::generate_to(shell, &mut Cli::command(), "tkctl", &directory)?;
    Ok(())
}
