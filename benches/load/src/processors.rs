//! Which processors the load and the servers run on: one each, if there are two.

use std::io;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this program may use, divided.
pub(crate) struct Processors {
    all: CpuSet,
    load: CpuSet,
    server: CpuSet,
}

impl Processors {
    pub(crate) fn divide() -> io::Result<Self> {
        let all = sched_getaffinity(None)?;
        let mut each = (0..CpuSet::MAX_CPU).filter(|&processor| all.is_set(processor)).map(|processor| {
            let mut one = CpuSet::new();
            one.set(processor);
            one
        });
        let load = each.next().unwrap_or(all);
        let server = each.next().unwrap_or(load);
        Ok(Self { all, load, server })
    }

    /// Binds this thread, and what it starts from now on, to the load's processor.
    pub(crate) fn take_the_load(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.load)?)
    }

    /// Lets this thread, and what it starts from now on, run on all.
    pub(crate) fn take_all(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.all)?)
    }

    /// Binds a process that was just started to the server's processor.
    pub(crate) fn give_to_server(&self, process: Pid) -> io::Result<()> {
        Ok(sched_setaffinity(Some(process), &self.server)?)
    }
}
