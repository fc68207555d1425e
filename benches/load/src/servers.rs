//! A server process, started anew for each run, and killed with all its children.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::answer::Answer;
use crate::processors::Processors;

/// Stands for a free port in the command of a server that cannot choose and announce one.
pub(crate) const PORT: &str = "{port}";

/// How to start a server, and what it can do.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) answer: Answer,
    /// How many clients it can serve simultaneously.
    pub(crate) clients: usize,
    command: Vec<String>,
}

/// A running server, killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Kind {
    pub(crate) fn new(name: &'static str, answer: Answer, clients: usize, command: &[&str]) -> Self {
        Self { name, answer, clients, command: command.iter().map(|&word| word.to_owned()).collect() }
    }

    pub(crate) fn start(&self, processors: &Processors) -> io::Result<Server> {
        let port =
            if self.command.iter().any(|word| word.contains(PORT)) { Some(free_port()?) } else { None };
        let number = port.map(|port| port.to_string()).unwrap_or_default();
        let child = Command::new(&self.command[0])
            .args(self.command[1..].iter().map(|word| word.replace(PORT, &number)))
            // A process group, so that its children are killed with it.
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Server { child, address: SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(0))) };
        processors.give_to_server(server.process()?)?;
        match port {
            Some(_) => server.wait_for_port()?,
            None => server.read_address()?,
        }
        Ok(server)
    }
}

impl Server {
    fn read_address(&mut self) -> io::Result<()> {
        let mut line = String::new();
        BufReader::new(self.child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?).read_line(&mut line)?;
        let address = line.trim_end().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        self.address = address.ok_or_else(|| io::Error::other(format!("not an announcement: {line:?}")))?;
        Ok(())
    }

    fn wait_for_port(&self) -> io::Result<()> {
        let start = Instant::now();
        loop {
            match TcpStream::connect(self.address) {
                Ok(_) => return Ok(()),
                Err(error) if start.elapsed() > Duration::from_secs(5) => return Err(error),
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    fn process(&self) -> io::Result<Pid> {
        Pid::from_raw(self.child.id().cast_signed()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// The server's resident memory in bytes.
    pub(crate) fn memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = line.trim_end_matches("kB").trim().parse().unwrap_or_default();
        Ok(kib * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(group) = self.process() {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
