//! One run of a client, and what to expect of it.

use std::io::{BufRead, BufReader, Read, Seek, Write, empty, sink};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::programs::{self, capchat};
use super::wait::{DEADLINE, kill_at_deadline, wait_for_exit};

/// A client that is about to run: `capchat connect` in a pipe, a check, or an update.
pub(crate) struct Run {
    command: Command,
    stdin: Vec<u8>,
}

impl Run {
    pub(crate) fn connect(address: &str) -> Self {
        let mut command = capchat();
        command.args(["connect", address]);
        Self::of(command)
    }

    /// Checks `files` against the server at `address`.
    pub(crate) fn check(address: &str, files: &[&str]) -> Self {
        Self::of(programs::check(address, files))
    }

    /// Updates `files` from the server at `address`.
    pub(crate) fn update(address: &str, files: &[&str]) -> Self {
        Self::of(programs::update(address, files))
    }

    /// Any client.
    pub(crate) fn of(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, stdin: Vec::new() }
    }

    /// Adds options.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// The input, up to EOF.
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// The input, as a file: it is never quiet, which the input in a pipe may be on a busy machine.
    pub(crate) fn stdin_file(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes.as_ref()).unwrap();
        file.rewind().unwrap();
        self.command.stdin(file);
        self
    }

    /// Starts it, with standard input open.
    #[track_caller]
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stdin = Box::new(child.stdin.take().unwrap());
        let stdout: BufReader<Box<dyn Read>> = BufReader::new(Box::new(child.stdout.take().unwrap()));
        let watchdog = kill_at_deadline(&child);
        Running { child, stdin, stdout, _watchdog: watchdog }
    }

    /// Runs it to the end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Finished {
        let mut child = self.command.spawn().unwrap();
        if let Some(mut stdin) = child.stdin.take() {
            let bytes = self.stdin;
            // The client may exit before it has read everything.
            thread::spawn(move || drop(stdin.write_all(&bytes)));
        }
        let pid = Pid::from_child(&child);
        let (sender, output) = channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = output.recv_timeout(DEADLINE) else {
            let _ = kill_process(pid, Signal::KILL);
            panic!("the client did not exit in time");
        };
        Finished(output.unwrap())
    }
}

/// A client that runs while its test talks to it, killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Box<dyn Write>,
    pub(crate) stdout: BufReader<Box<dyn Read>>,
    _watchdog: Sender<()>,
}

impl Running {
    /// The next line on standard output, with its ending.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Closes the reading end of standard output.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = BufReader::new(Box::new(empty()));
    }

    /// Closes standard input: the client reads EOF.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = Box::new(sink());
    }

    /// Closes standard input, and waits for it to exit.
    #[track_caller]
    pub(crate) fn finish(mut self) -> (Option<i32>, String) {
        self.close_stdin();
        self.wait()
    }

    /// Waits for it to exit. Returns the exit status and the rest of standard error.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = wait_for_exit(&mut self.child).code();
        let mut errors = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        (status, errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has ended.
pub(crate) struct Finished(pub(crate) Output);

impl Finished {
    /// It exited 0 with these bytes on standard output, and nothing on standard error.
    #[track_caller]
    pub(crate) fn succeeds_with(&self, stdout: impl AsRef<[u8]>) {
        assert_eq!(self.errors(), "");
        assert_eq!(self.0.status.code(), Some(0));
        let (got, expected) = (&self.0.stdout, stdout.as_ref());
        // Megabytes would make the message unreadable.
        let same = got.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
        let rest = |bytes: &[u8]| {
            bytes[same..].escape_ascii().take(200).collect::<Vec<_>>().escape_ascii().to_string()
        };
        assert_eq!(rest(got), rest(expected), "from byte {same}");
        assert_eq!(got.len(), expected.len());
    }

    /// It exited with this status, and one line on standard error that contains each of `texts`.
    #[track_caller]
    pub(crate) fn fails_with(&self, status: i32, texts: &[&str]) {
        let errors = self.errors();
        assert_eq!(self.0.status.code(), Some(status), "{errors}");
        assert!(
            errors.starts_with("capchat: ") && errors.matches('\n').count() == 1,
            "not one line: {errors}"
        );
        for text in texts {
            assert!(errors.contains(text), "no {text:?} in: {errors}");
        }
    }

    /// It exited with this status, and its report contains each of `texts`.
    #[track_caller]
    pub(crate) fn reports(&self, status: i32, texts: &[&str]) {
        let (report, errors) = (self.report(), self.errors());
        assert_eq!(self.0.status.code(), Some(status), "{report}{errors}");
        for text in texts {
            assert!(report.contains(text), "no {text:?} in:\n{report}{errors}");
        }
    }

    /// Standard output.
    pub(crate) fn report(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    /// Standard error.
    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}
