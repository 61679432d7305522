// SPDX-License-Identifier: GPL-2.0

//! The lists: a bit for each port, for each network namespace.

use super::{
    command::Command,
    tk::{
        atomic::peek,
        capability::Capability,
        hooks::netbind::NetbindHook,
        net::{
            Net,
            PerNet, //
        },
        rcu::AtomicContext,
        text::Text,
        tkernel_file::{
            TkernelFile,
            Writer, //
        },
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{
        ordering::{
            Full,
            Relaxed, //
        },
        Atomic, //
    },
};

/// The last port that can be listed.
pub(crate) const LAST: u16 = 1023;

const WORDS: usize = (LAST as usize + 1) / 64;

/// The lists of all namespaces.
pub(crate) struct Ports {
    lists: PerNet<WORDS>,
    host_list_everywhere: bool,
}

/// Where the bit of a port is; [`None`] for one that can't be listed.
fn place(list: &[Atomic<u64>; WORDS], port: u16) -> Option<(&Atomic<u64>, u64)> {
    let word = list.get(usize::from(port / 64))?;
    Some((word, 1 << (port % 64)))
}

fn has(list: &[Atomic<u64>; WORDS], port: u16) -> bool {
    place(list, port).is_some_and(|(word, bit)| peek(word) & bit != 0)
}

impl Ports {
    pub(crate) fn new(host_list_everywhere: bool) -> Result<Self> {
        Ok(Self {
            lists: PerNet::new()?,
            host_list_everywhere,
        })
    }

    fn apply(&self, net: &Net, command: Command) {
        let Some((word, bit)) = place(self.lists.of(net), command.port) else {
            return;
        };
        let mut old = word.load(Relaxed);
        loop {
            let new = if command.is_added {
                old | bit
            } else {
                old & !bit
            };
            match word.cmpxchg(old, new, Full) {
                Ok(_) => return,
                // Somebody else changed another port.
                Err(now) => old = now,
            }
        }
    }
}

impl NetbindHook for Ports {
    fn allows(&self, context: &AtomicContext, net: &Net, port: u16) -> bool {
        has(self.lists.of_under(net, context), port)
            || (self.host_list_everywhere
                && has(self.lists.of_under(Net::initial(), context), port))
    }
}

impl TkernelFile for Ports {
    const NAME: &'static CStr = c"nonpriv_netbind";

    /// The root of a container with a user namespace of its own isn't the file's owner, but may
    /// change the list of a network namespace that is its own.
    const MODE: u16 = 0o666;

    const MAX_COMMAND: usize = 4095;

    /// The ports of the reader's network namespace.
    fn show(&self, text: &mut Text<'_>) -> Result {
        let net = Net::of_current();
        let list = self.lists.of(&net);
        for port in (1..=LAST).filter(|&port| has(list, port)) {
            text.number(u64::from(port)).put(b"\n");
        }
        Ok(())
    }

    /// Changes the list of the writer's network namespace.
    fn write(&self, command: &[u8], writer: &Writer<'_>) -> Result {
        let net = Net::of_current();
        writer.need_over(&net, &[Capability::NetBindService, Capability::NetAdmin])?;
        self.apply(&net, Command::parse(command)?);
        Ok(())
    }
}
