// SPDX-License-Identifier: GPL-2.0

//! `/proc/diskstats`: the disks that the container has used, with its own I/O.

use super::{
    tk::{
        cgroup::{
            Controlled,
            Io,
            IoController, //
        },
        disk::Disk,
        text::Text, //
    },
    view::View,
};

/// The container's I/O, if the io controller is on for it or for one above.
fn controlled(view: &View<'_>) -> Option<Controlled<IoController>> {
    view.cgroup()
        .controlled::<IoController>()
        .filter(|io| !io.is_root())
}

/// Writes the line of a disk, if the container has used it. [`None`] if its I/O isn't counted. May
/// sleep.
pub(crate) fn show(view: &View<'_>, disk: &Disk, text: &mut Text<'_>) -> Option<()> {
    let io = controlled(view)?;
    // For all lines that follow.
    if text.index() == 0 {
        io.flush();
    }
    if let Some(io) = io.with_disk(disk) {
        line(disk, &io, text);
    }
    Some(())
}

/// Writes the numbers of a disk as they are in sysfs. Those of a partition are 0: which one an
/// operation is for isn't counted for cgroups. [`None`] if the container's I/O isn't counted. May
/// sleep.
pub(crate) fn show_numbers(
    view: &View<'_>,
    disk: &Disk,
    is_partition: bool,
    text: &mut Text<'_>,
) -> Option<()> {
    let io = controlled(view)?;
    let mut numbers = [0; 17];
    if !is_partition {
        io.flush();
        numbers = io.with_disk(disk).map_or(numbers, |io| columns(&io));
    }
    let widest = numbers.len() - 1;
    for (index, number) in numbers.into_iter().enumerate() {
        text.padded(number, 8)
            .put(if index < widest { b" " } else { b"\n" });
    }
    Some(())
}

/// Writes the lines of all disks that a cgroup has used. May sleep.
pub(crate) fn show_all(view: &View<'_>, text: &mut Text<'_>) {
    if let Some(io) = controlled(view) {
        io.flush();
        io.with_each(|disk, io| line(disk, io, text));
    }
}

fn line(disk: &Disk, io: &Io, text: &mut Text<'_>) {
    let (major, minor) = disk.number();
    text.padded(major.into(), 4).put(b" ");
    text.padded(minor.into(), 7).put(b" ").put(disk.name());
    for column in columns(io) {
        text.put(b" ").number(column);
    }
    text.put(b"\n");
}

/// What is merged, how long it takes and what is on its way isn't counted for cgroups.
fn columns(io: &Io) -> [u64; 17] {
    const SECTOR: u64 = 512;

    let [read, written, discarded] = io.bytes.map(|bytes| bytes / SECTOR);
    let [reads, writes, discards] = io.ios;
    [
        reads, 0, read, 0, writes, 0, written, 0, 0, 0, 0, discards, 0, discarded, 0, 0, 0,
    ]
}
