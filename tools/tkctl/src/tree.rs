// SPDX-License-Identifier: GPL-2.0

//! For tests: files to take for a machine's.

use crate::machine::Machine;
use std::{env, fs, path::PathBuf, process};

/// A directory that goes with it.
pub struct Tree(PathBuf);

impl Tree {
    /// One with these files, each a path and a text. No two may have the same name at a time.
    pub fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let dir = env::temp_dir().join(format!("tkctl-{name}-{}", process::id()));
        fs::create_dir(&dir).unwrap();
        let tree = Self(dir);
        for (file, text) in files {
            tree.put(file, text);
        }
        tree
    }

    pub fn put(&self, file: &str, text: &str) {
        let path = self.0.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn put_directory(&self, path: &str) {
        fs::create_dir_all(self.0.join(path)).unwrap();
    }

    pub fn machine(&self) -> Machine {
        Machine::at(&self.0)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
