// SPDX-License-Identifier: GPL-2.0

//! The scheduling class for offline work, BT.

use crate::{machine::Machine, program, sys};
use anyhow::{bail, Context, Result};
use std::{collections::HashSet, ffi::OsString, io};

/// Where the kernel has sched_ext, 7 is its policy, and BT comes after it.
fn policy(machine: &Machine) -> libc::c_int {
    if machine.has("/sys/kernel/sched_ext") {
        8
    } else {
        7
    }
}

/// Becomes the program, in the class.
pub fn run(machine: &Machine, command: &[OsString]) -> Result<()> {
    explained(sys::set_policy(0, policy(machine)), "this process")?;
    Err(program::become_program(command).into())
}

/// Moves all threads of a process.
pub fn move_process(machine: &Machine, pid: i32) -> Result<()> {
    each_thread(machine, pid, |thread| {
        match sys::set_policy(thread, policy(machine)) {
            // It has ended since.
            Err(error) if thread != pid && error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => explained(result, &format!("process {pid}")),
        }
    })
}

/// Calls `act` once for each thread that the process has or makes meanwhile: threads inherit the
/// class, so those of threads that have been moved need nothing, but may be visited.
fn each_thread(machine: &Machine, pid: i32, mut act: impl FnMut(i32) -> Result<()>) -> Result<()> {
    let mut done = HashSet::new();
    loop {
        let before = done.len();
        for thread in threads(machine, pid)? {
            if done.insert(thread) {
                act(thread)?;
            }
        }
        if done.len() == before {
            return Ok(());
        }
    }
}

fn threads(machine: &Machine, pid: i32) -> Result<Vec<i32>> {
    let directory = format!("/proc/{pid}/task");
    let entries = match machine.path(&directory).read_dir() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("there is no process {pid}"),
        entries => entries.context(directory)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        found.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<i32>().ok()),
        );
    }
    Ok(found)
}

fn explained(result: io::Result<()>, whom: &str) -> Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
            bail!("this kernel has no class for offline work: is the module bt_sched_shim loaded?")
        }
        result => {
            result.with_context(|| format!("can't move {whom} to the class for offline work"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn directories(name: &str, paths: &[&str]) -> Tree {
        let tree = Tree::new(name, &[]);
        for path in paths {
            tree.put_directory(path);
        }
        tree
    }

    #[test]
    fn number_of_the_policy() {
        let tree = directories("policy", &["sys/kernel"]);
        assert_eq!(policy(&tree.machine()), 7);
        tree.put_directory("sys/kernel/sched_ext");
        assert_eq!(policy(&tree.machine()), 8);
    }

    #[test]
    fn visits_threads_that_come_meanwhile_and_each_once() {
        let tree = directories("threads", &["proc/5/task/5", "proc/5/task/6"]);
        let mut seen = Vec::new();
        each_thread(&tree.machine(), 5, |thread| {
            seen.push(thread);
            tree.put_directory("proc/5/task/9");
            Ok(())
        })
        .unwrap();
        seen.sort();
        assert_eq!(seen, [5, 6, 9]);
    }

    #[test]
    fn says_that_there_is_no_such_process() {
        let tree = directories("nobody", &["proc"]);
        let error = move_process(&tree.machine(), 7).unwrap_err();
        assert_eq!(error.to_string(), "there is no process 7");
    }

    #[test]
    fn one_sentence_where_the_class_is_missing() {
        let result = Err(io::Error::from_raw_os_error(libc::EINVAL));
        let error = format!("{:#}", explained(result, "x").unwrap_err());
        assert!(
            error.starts_with("this kernel has no class for offline work"),
            "{error}"
        );
        let result = Err(io::Error::from_raw_os_error(libc::EPERM));
        assert!(format!("{:#}", explained(result, "x").unwrap_err()).contains("can't move x"));
    }
}
