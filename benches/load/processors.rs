//! Which processor the load and the servers run on: one each, where there are two.

use std::io;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this program was given, divided.
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

    /// Puts this thread, and what it starts from now on, on the load's processor.
    pub(crate) fn take_the_load(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.load)?)
    }

    /// Lets this thread, and what it starts from now on, run on any.
    pub(crate) fn take_all(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.all)?)
    }

    /// Puts a process that has just been started on the server's processor.
    pub(crate) fn give_to_server(&self, process: Pid) -> io::Result<()> {
        Ok(sched_setaffinity(Some(process), &self.server)?)
    }
}
