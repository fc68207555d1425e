//! The signals that end the program, as events: so that it can keep a recording, restore the terminal, or say
//! goodbye to its clients first.

use std::fs;
use std::io;
use std::task::Poll;

use tokio::signal::unix::{self, SignalKind};

use crate::status::{Failure, Status};

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Quit,
    Terminate,
}

impl Signal {
    /// Its name, as signal(7) has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
        }
    }

    fn kind(self) -> SignalKind {
        match self {
            Self::Hangup => SignalKind::hangup(),
            Self::Interrupt => SignalKind::interrupt(),
            Self::Quit => SignalKind::quit(),
            Self::Terminate => SignalKind::terminate(),
        }
    }
}

/// The failure of a client that a signal ended.
impl From<Signal> for Failure {
    fn from(signal: Signal) -> Self {
        match signal {
            Signal::Hangup => Self::new(Status::HungUp, "hung up"),
            Signal::Interrupt => Self::new(Status::Interrupted, "interrupted"),
            Signal::Quit => Self::new(Status::Quit, "quit"),
            Signal::Terminate => Self::new(Status::Terminated, "terminated"),
        }
    }
}

/// The signals that are waited for; while this lives, and after it, they do not end the process by themselves.
#[derive(Debug)]
pub(crate) struct Signals(Vec<(Signal, unix::Signal)>);

impl Signals {
    /// Listens for `signals`, except for those that were ignored when the program started (nohup(1)): they stay
    /// ignored.
    pub(crate) fn listen(signals: &[Signal]) -> io::Result<Self> {
        let ignored = ignored();
        let listened = signals.iter().filter(|signal| ignored & mask(**signal) == 0);
        listened
            .map(|&signal| Ok((signal, unix::signal(signal.kind())?)))
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// Waits for no signal.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// Waits for the next signal; forever if all of them are ignored. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Signal {
        std::future::poll_fn(|cx| {
            let received = self
                .0
                .iter_mut()
                .find_map(|(signal, stream)| stream.poll_recv(cx).is_ready().then_some(*signal));
            received.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// Makes writes that exceed the limit on the size of files (`ulimit -f`) fail, with EFBIG. The signal that comes with
/// them ends the program otherwise.
pub(crate) fn survive_file_size_limit() -> io::Result<()> {
    // It is handled from now on, although nobody waits for it.
    unix::signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw())).map(drop)
}

/// The signals that are ignored, as proc(5) has them under `SigIgn`. Only the kernel knows: asking sigaction(2)
/// has no safe interface.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

fn mask(signal: Signal) -> u64 {
    1 << (signal.kind().as_raw_value() - 1)
}
