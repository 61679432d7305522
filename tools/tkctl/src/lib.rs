// SPDX-License-Identifier: GPL-2.0

//! What `tkctl` does, by subject. It reads and writes documented files and ioctls only, and needs
//! no module to be loaded: what isn't there it says.

#![deny(unsafe_code)]

pub mod cli;
pub mod machine;
pub mod offline;
pub mod pagecache;
pub mod program;
pub mod protect;
pub mod size;
pub mod status;
mod sys;
#[cfg(test)]
mod tree;
