//! Ctrl-Z at the prompt: the terminal is restored for the shell, and set up again when the shell continues the
//! program.
//!
//! rustyline does not wait for the stop: if another thread takes the signal, the terminal is in raw mode again
//! before the shell gets it.

use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

use super::screen::write;
use super::terminal::{END_BRACKETED_PASTE, START_BRACKETED_PASTE};

/// How long the signal may take to stop all threads. The kernel ignores it if no shell could continue the program,
/// so waiting for the stop could take forever.
const STOP_LIMIT: Duration = Duration::from_millis(100);

/// Suspends the program.
#[derive(Debug)]
pub(super) struct Suspend {
    /// The terminal's attributes for the shell.
    pub(super) attributes: Termios,
}

impl Suspend {
    /// Returns when the program is continued.
    pub(super) fn suspend(&self) {
        // The next read reports a terminal that fails.
        let _ = self.try_to_suspend();
    }

    fn try_to_suspend(&self) -> io::Result<()> {
        let raw = tcgetattr(io::stdin())?;
        tcsetattr(io::stdin(), OptionalActions::Drain, &self.attributes)?;
        write(END_BRACKETED_PASTE)?;
        kill_current_process_group(Signal::TSTP)?;
        thread::sleep(STOP_LIMIT);
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        write(START_BRACKETED_PASTE)
    }
}
