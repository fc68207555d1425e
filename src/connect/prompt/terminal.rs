//! The terminal's mode: one for the whole session, from before the connection is made to the end.
//!
//! In this mode what is typed without a prompt waits, complete and unechoed, for the next one. The line editor
//! switches to raw mode and back around each line. If it found the terminal in canonical mode, the kernel would
//! echo what is typed ahead, and damage it: Ctrl-D, Ctrl-C and carriage returns, and lines over 4,095 bytes.

use std::io;
use std::panic;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::BorrowedFd;
use rustix::io::Errno;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush, tcgetattr,
    tcgetwinsize, tcsetattr,
};
use rustyline::error::ReadlineError;

/// Turn bracketed paste on and off, as the editor does (xterm's control sequences).
pub(super) const START_BRACKETED_PASTE: &str = "\x1b[?2004h";
pub(super) const END_BRACKETED_PASTE: &str = "\x1b[?2004l";

/// Input that was not understood is discarded until nothing arrives for this long: a paste arrives in pieces, and slowly over a network.
const PASTE_GAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };

/// Columns of a terminal that does not know its size.
const DEFAULT_COLUMNS: usize = 80;

/// Turns an error of the line editor into the I/O error that it is: as a cause, that would repeat its text.
pub(super) fn io_error(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(error) => error.into(),
        other => io::Error::other(other),
    }
}

/// Holds the terminal in the session's mode, and restores it when dropped.
#[derive(Debug)]
pub(in crate::connect) struct Terminal {
    original: Option<Termios>,
    /// Whether the terminal stays in canonical mode, without a line editor.
    is_dumb: bool,
    /// Whether input that nobody has read is left for whoever reads the terminal next.
    keeps_unread: bool,
}

impl Terminal {
    /// For conversations without a prompt.
    pub(in crate::connect) fn untouched() -> Self {
        Self { original: None, is_dumb: true, keeps_unread: true }
    }

    /// Switches to the session's mode, except on a dumb terminal.
    pub(in crate::connect) fn take(is_dumb: bool) -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let original = tcgetattr(stdin)?;
        if !is_dumb {
            restore_on_panic(stdin, original.clone());
            tcsetattr(stdin, OptionalActions::Now, &session_mode(&original))?;
        }
        Ok(Self { original: Some(original), is_dumb, keeps_unread: false })
    }

    /// The attributes to restore, unless the terminal is untouched.
    pub(super) fn original(&self) -> Option<&Termios> {
        self.original.as_ref()
    }

    /// Leaves unread input for the shell. Without this it is discarded, so that the shell does not run the rest of
    /// a line that was meant for the server.
    pub(super) fn keep_unread(&mut self) {
        self.keeps_unread = true;
    }

    /// Whether the kernel echoes what is typed on a dumb terminal. The line editor does not need the kernel's echo.
    pub(super) fn set_echo(&self, echoes: bool) {
        if let (Some(original), true) = (&self.original, self.is_dumb) {
            let mut mode = original.clone();
            if !echoes {
                mode.local_modes.remove(LocalModes::ECHO);
            }
            // The next read reports a terminal that fails.
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, &mode);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let Some(original) = &self.original else { return };
        let stdin = rustix::stdio::stdin();
        if !self.keeps_unread {
            let _ = tcflush(stdin, QueueSelector::IFlush);
        }
        // Not after the output is drained: a stopped terminal would never be.
        let _ = tcsetattr(stdin, OptionalActions::Now, original);
    }
}

/// The mode between two lines.
fn session_mode(original: &Termios) -> Termios {
    let mut mode = original.clone();
    mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO | LocalModes::IEXTEN);
    // Without a prompt, Ctrl-C is a signal.
    mode.local_modes.insert(LocalModes::ISIG);
    mode.input_modes.remove(InputModes::ICRNL);
    mode.special_codes[SpecialCodeIndex::VMIN] = 1;
    mode.special_codes[SpecialCodeIndex::VTIME] = 0;
    // Ctrl-Z waits for the prompt.
    mode.special_codes[SpecialCodeIndex::VSUSP] = 0;
    mode
}

/// Restores the terminal before a panic is reported. Nothing is dropped if the panic aborts the process.
fn restore_on_panic(terminal: BorrowedFd<'static>, original: Termios) {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let _ = tcsetattr(terminal, OptionalActions::Now, &original);
        // Not through the standard library's buffer, which may be in use.
        let _ = rustix::io::write(rustix::stdio::stdout(), END_BRACKETED_PASTE.as_bytes());
        report(panic);
    }));
}

/// Discards what is typed, or pasted, until there is a pause. Its control characters are no signals.
pub(super) fn discard_input() -> io::Result<()> {
    let stdin = rustix::stdio::stdin();
    let mode = tcgetattr(stdin)?;
    let mut without_signals = mode.clone();
    without_signals.local_modes.remove(LocalModes::ISIG);
    tcsetattr(stdin, OptionalActions::Now, &without_signals)?;
    let discarded = loop {
        if let Err(error) = tcflush(stdin, QueueSelector::IFlush) {
            break Err(error);
        }
        let mut input = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut input, Some(&PASTE_GAP)) {
            Ok(0) => break Ok(()),
            // The next read reports a terminal that hung up.
            Ok(_) if !input[0].revents().contains(PollFlags::IN) => break Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => break Err(error),
        }
    };
    tcsetattr(stdin, OptionalActions::Now, &mode)?;
    Ok(discarded?)
}

/// The width of the terminal.
pub(super) fn columns() -> usize {
    match tcgetwinsize(rustix::stdio::stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => DEFAULT_COLUMNS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::{AsFd, OwnedFd};

    #[test]
    fn a_panic_restores_the_terminal() {
        let (_pty, pts) = pty_process::blocking::open().unwrap();
        let terminal: &'static OwnedFd = Box::leak(Box::new(pts.as_fd().try_clone_to_owned().unwrap()));
        let terminal = terminal.as_fd();
        let original = tcgetattr(terminal).unwrap();
        restore_on_panic(terminal, original.clone());
        tcsetattr(terminal, OptionalActions::Now, &session_mode(&original)).unwrap();
        assert!(!tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ICANON));
        let panicked = panic::catch_unwind(|| panic!("on purpose"));
        drop(panic::take_hook());
        assert!(panicked.is_err());
        let restored = tcgetattr(terminal).unwrap();
        assert_eq!(restored.local_modes, original.local_modes);
        assert_eq!(restored.input_modes, original.input_modes);
    }
}
