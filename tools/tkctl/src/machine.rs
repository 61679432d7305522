// SPDX-License-Identifier: GPL-2.0

//! The files of the machine, or of a directory that looks like one.

use anyhow::{bail, Context, Result};
use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A tree with /proc, /sys and /lib/modules.
pub struct Machine {
    root: PathBuf,
}

impl Machine {
    /// The one that we run on.
    pub fn running() -> Self {
        Self::at("/")
    }

    /// One whose files are below `root`, for tests.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where the file that is called `path` there is found here.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Whether `path` is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        self.path(path).exists()
    }

    /// The text of a file.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<String> {
        // Names of processes and the like needn't be UTF-8.
        Ok(String::from_utf8_lossy(&fs::read(self.path(path))?).into_owned())
    }

    /// The first line of a file, if it can be read.
    pub fn line(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.read(path).ok()?;
        Some(text.lines().next().unwrap_or_default().trim().to_owned())
    }

    /// The number in a file.
    pub fn number(&self, path: impl AsRef<Path>) -> Result<u64> {
        let path = path.as_ref();
        let text = self
            .read(path)
            .with_context(|| path.display().to_string())?;
        let number = text.trim().parse();
        number.with_context(|| format!("{}: {:?} is no number", path.display(), text.trim()))
    }

    /// Writes a setting in one write(2), as the kernel wants it.
    pub fn write(&self, path: impl AsRef<Path>, value: &str) -> Result<()> {
        let path = path.as_ref();
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(self.path(path))
            .with_context(|| path.display().to_string())?;
        let text = format!("{value}\n");
        match file.write(text.as_bytes()) {
            Ok(count) if count == text.len() => Ok(()),
            Ok(_) => bail!("{}: takes only a part of {value}", path.display()),
            Err(error) => Err(error).with_context(|| format!("{} rejects {value}", path.display())),
        }
    }

    /// The lines `NAME VALUE` of a file, in their order.
    pub fn counters(&self, path: impl AsRef<Path>) -> io::Result<Vec<(String, u64)>> {
        let text = self.read(path)?;
        Ok(text
            .lines()
            .filter_map(|line| {
                let (name, value) = line.split_once(' ')?;
                Some((name.to_owned(), value.trim().parse().ok()?))
            })
            .collect())
    }
}
