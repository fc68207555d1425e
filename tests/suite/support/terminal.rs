//! capchat on a pseudo-terminal: its screen, and the keys that a test presses.

use std::ffi::OsStr;
use std::fmt::from_fn;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pty, open};
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, SpecialCodeIndex, Termios, tcgetattr};
use tempfile::TempDir;

use super::programs::capchat;
use super::wait::{eventually, wait_for_exit};

const COLUMNS: u16 = 80;

/// Marks the cursor in the text of a screen, before the character that it is on.
const CURSOR: char = '▏';

/// A terminal whose program is about to start.
pub(crate) struct Setup {
    command: Command,
    rows: u16,
    state_home: TempDir,
}

impl Setup {
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn rows(mut self, rows: u16) -> Self {
        self.rows = rows;
        self
    }

    pub(crate) fn start(self) -> Terminal {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(self.rows, COLUMNS)).unwrap();
        let tty = pts.as_fd().try_clone_to_owned().unwrap();
        let attributes = tcgetattr(&tty).unwrap();
        let child = PtyCommand::from(self.command).spawn(pts).unwrap();
        let [rows, columns] = [self.rows, COLUMNS].map(|size| NonZero::new(size).unwrap());
        let pty = Arc::new(pty);
        let output =
            Arc::new(Mutex::new(Output { parser: vt100::Parser::new(rows, columns, 0), bytes: Vec::new() }));
        let reader = thread::spawn({
            let (pty, output) = (Arc::clone(&pty), Arc::clone(&output));
            move || read_output(&pty, &output)
        });
        Terminal {
            child,
            pty,
            tty: Some(tty),
            reader: Some(reader),
            output,
            attributes,
            _state_home: self.state_home,
        }
    }
}

/// How a character is painted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) color: vt100::Color,
    pub(crate) is_dim: bool,
    pub(crate) is_reversed: bool,
}

/// Everything written to the terminal.
struct Output {
    parser: vt100::Parser,
    bytes: Vec<u8>,
}

fn read_output(mut pty: &Pty, output: &Mutex<Output>) {
    let mut buffer = [0; 4096];
    // Fails when no process has the terminal open anymore.
    while let Ok(count @ 1..) = pty.read(&mut buffer) {
        let mut output = output.lock().unwrap();
        output.parser.process(&buffer[..count]);
        output.bytes.extend_from_slice(&buffer[..count]);
    }
}

/// A terminal with a program on it, killed when this is dropped.
pub(crate) struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    /// Kept open to read the terminal's attributes.
    tty: Option<OwnedFd>,
    reader: Option<JoinHandle<()>>,
    output: Arc<Mutex<Output>>,
    /// The attributes before the program started.
    attributes: Termios,
    _state_home: TempDir,
}

impl Terminal {
    /// `capchat connect`, with its own history.
    pub(crate) fn connect(address: &str) -> Setup {
        let mut command = capchat();
        command.args(["connect", address]);
        Self::with(command)
    }

    /// Any program.
    pub(crate) fn with(mut command: Command) -> Setup {
        let state_home = TempDir::new().unwrap();
        command.env("TERM", "xterm-256color").env("XDG_STATE_HOME", state_home.path());
        Setup { command, rows: 24, state_home }
    }

    #[track_caller]
    pub(crate) fn type_keys(&self, keys: impl AsRef<[u8]>) {
        self.pty.as_ref().write_all(keys.as_ref()).unwrap();
    }

    /// Types like a fast typist: a key every 5 ms.
    #[track_caller]
    pub(crate) fn type_fast(&self, keys: &str) {
        for key in keys.chars() {
            self.type_keys(key.to_string());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The text on the screen with the cursor marked, without trailing spaces.
    pub(crate) fn screen(&self) -> String {
        let output = self.output.lock().unwrap();
        let screen = output.parser.screen();
        let mut text = String::new();
        for row in 0..screen.size().0.get() {
            let mut line = String::new();
            for column in 0..COLUMNS {
                if (row, column) == screen.cursor_position() {
                    line.push(CURSOR);
                }
                match screen.cell(row, column).unwrap() {
                    cell if cell.is_wide_continuation() => {}
                    cell if cell.has_contents() => line.push_str(cell.contents()),
                    _ => line.push(' '),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text.truncate(text.trim_end_matches('\n').len());
        text
    }

    /// All bytes written to the terminal.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.output.lock().unwrap().bytes.clone()
    }

    /// Waits until the screen shows `text`.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Waits until `condition` accepts the screen.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let what = from_fn(|f| write!(f, "{what:?} on this screen:\n{}", self.screen()));
        eventually(what, || condition(&self.screen()).then_some(()));
    }

    /// How the first character of `text` on the screen is painted.
    #[track_caller]
    pub(crate) fn look(&self, text: &str) -> Look {
        let output = self.output.lock().unwrap();
        let screen = output.parser.screen();
        let first = screen.rows(0, COLUMNS).enumerate().find_map(|(row, line)| {
            let start = line.find(text)?;
            Some((row, line[..start].chars().count()))
        });
        let (row, column) =
            first.unwrap_or_else(|| panic!("no {text:?} on this screen:\n{}", screen.contents()));
        let cell = screen.cell(row.try_into().unwrap(), column.try_into().unwrap()).unwrap();
        Look { color: cell.fgcolor(), is_dim: cell.dim(), is_reversed: cell.inverse() }
    }

    /// Whether the terminal is in canonical mode, as a program without a line editor expects.
    pub(crate) fn is_canonical(&self) -> bool {
        self.local_modes().contains(LocalModes::ICANON)
    }

    /// Whether the kernel echoes what is typed.
    pub(crate) fn has_echo(&self) -> bool {
        self.local_modes().contains(LocalModes::ECHO)
    }

    fn local_modes(&self) -> LocalModes {
        tcgetattr(self.tty.as_ref().unwrap()).unwrap().local_modes
    }

    /// How many bytes were typed and not read.
    pub(crate) fn unread(&self) -> u64 {
        ioctl_fionread(self.tty.as_ref().unwrap()).unwrap()
    }

    /// Waits for the program to exit, and returns how many bytes were typed and not read.
    #[track_caller]
    pub(crate) fn unread_at_exit(&mut self) -> u64 {
        wait_for_exit(&mut self.child);
        self.unread()
    }

    pub(crate) fn send_signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the program to exit with this status, and checks that the terminal is as it was before. Returns the
    /// last screen.
    #[track_caller]
    pub(crate) fn expect_exit(&mut self, status: i32) -> String {
        let exit = wait_for_exit(&mut self.child);
        let tty = self.tty.take().unwrap();
        let attributes = tcgetattr(&tty).unwrap();
        drop(tty);
        let reader = self.reader.take().unwrap();
        eventually("the end of output", || reader.is_finished().then_some(()));

        let screen = self.screen();
        assert_eq!(exit.code(), Some(status), "{exit} with this screen:\n{screen}");
        assert_eq!(attributes.local_modes, self.attributes.local_modes);
        assert_eq!(attributes.input_modes, self.attributes.input_modes);
        assert_eq!(attributes.output_modes, self.attributes.output_modes);
        for code in [SpecialCodeIndex::VSUSP, SpecialCodeIndex::VMIN, SpecialCodeIndex::VTIME] {
            assert_eq!(attributes.special_codes[code], self.attributes.special_codes[code], "{code:?}");
        }
        let bytes = self.bytes();
        assert!(last(&bytes, b"\x1b[?2004l") >= last(&bytes, b"\x1b[?2004h"), "bracketed paste is still on");
        assert!(
            screen.lines().last().is_some_and(|line| line.starts_with(CURSOR)),
            "the cursor is not at the start of an empty line:\n{screen}"
        );
        screen
    }
}

fn last(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).rposition(|window| window == part)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
