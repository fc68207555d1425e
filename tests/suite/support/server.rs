//! A capchat server on a free port.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::Receiver;

use rustix::process::{Pid, Signal, kill_process};

use super::client::Client;
use super::programs::capchat;
use super::wait::{DEADLINE, lines_of, wait_for_exit};

/// A `capchat serve`, killed when it is dropped.
pub(crate) struct TestServer {
    child: Child,
    /// The addresses that it listens on, as it announced them.
    pub(crate) addresses: Vec<String>,
    log: Receiver<String>,
    announcements: Receiver<String>,
}

impl TestServer {
    /// Starts a server on a free port of the loopback interface.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_with(capchat().arg("serve").args(options).arg("127.0.0.1:0"), 1)
    }

    /// Starts a server with a complete command, and waits until it listens on this many addresses.
    #[track_caller]
    pub(crate) fn start_with(command: &mut Command, addresses: usize) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let announcements = lines_of(child.stdout.take().unwrap());
        let log = lines_of(child.stderr.take().unwrap());
        let mut server = Self { child, addresses: Vec::new(), log, announcements };
        for _ in 0..addresses {
            let Ok(line) = server.announcements.recv_timeout(DEADLINE) else {
                panic!("the server did not start: {:?}", server.log.try_iter().collect::<Vec<_>>());
            };
            let address = line.strip_prefix("listening on ").expect("an announcement");
            server.addresses.push(address.to_owned());
        }
        server
    }

    /// The first address, as capchat and `TcpStream::connect` take it.
    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    #[track_caller]
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// The next line of the log.
    #[track_caller]
    pub(crate) fn log_line(&self) -> String {
        self.log.recv_timeout(DEADLINE).expect("a line in the log")
    }

    /// The next line of the log that contains `text`.
    #[track_caller]
    pub(crate) fn log_line_with(&self, text: &str) -> String {
        loop {
            let line = self.log_line();
            if line.contains(text) {
                return line;
            }
        }
    }

    /// The rest of the log of a server that has exited.
    pub(crate) fn remaining_log(&self) -> Vec<String> {
        self.log.iter().collect()
    }

    pub(crate) fn send_signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the server to exit by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for_exit(&mut self.child)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
