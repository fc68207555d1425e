//! Runs capchat as its users do. Every wait for it has a deadline, and none is for a fixed time.

use std::env;
use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

/// How long anything may take before its test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The binary under test, with an environment that says nothing to it.
pub(crate) fn capchat() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_capchat"));
    command.env_remove("CAPCHAT_ADDRESS");
    command
}

/// Tells the reader of the test's output something.
#[expect(clippy::print_stdout, reason = "this is the output")]
pub(crate) fn tell(text: impl Display) {
    println!("{text}");
}

/// Says that a test, or a part of one, is not done here.
pub(crate) fn skipped(reason: impl Display) {
    tell(format_args!("skipped: {reason}"));
}

/// Whether a program is not there; says so.
pub(crate) fn is_missing(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_missing = !env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if is_missing {
        skipped(format_args!("no {program}"));
    }
    is_missing
}

/// Whether `nc` is not the one that has `-N` and `-U`; says so.
pub(crate) fn is_openbsd_nc_missing() -> bool {
    if is_missing("nc") {
        return true;
    }
    let help = Command::new("nc").arg("-h").output().unwrap();
    let is_missing = !String::from_utf8_lossy(&help.stderr).contains("OpenBSD");
    if is_missing {
        skipped("nc is not OpenBSD's");
    }
    is_missing
}

/// Lets this process have as many descriptors as the system allows it, and says how many.
pub(crate) fn raise_descriptor_limit() -> u64 {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}

/// Waits until `condition` gives something.
#[track_caller]
pub(crate) fn eventually<T>(what: impl Display, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits for a process to end; kills it where it does not.
#[track_caller]
pub(crate) fn wait(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("the process did not end in time");
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// Kills a process when its time is over, so that those who read from it see an end; unless what is returned
/// is dropped before.
fn watch(child: &Child) -> Sender<()> {
    let pid = Pid::from_child(child);
    let (sender, dropped) = channel();
    thread::spawn(move || {
        if dropped.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    sender
}

/// The lines of a stream, as a thread reads them.
pub(crate) fn lines_of(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

/// A `capchat serve` on a free port, ended when it is dropped.
pub(crate) struct TestServer {
    child: Child,
    /// Each address that it listens on, as it announced it.
    pub(crate) addresses: Vec<String>,
    log: Receiver<String>,
    _announcements: Receiver<String>,
}

impl TestServer {
    /// Starts a server on a free port of the loopback interface.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::start_with(capchat().arg("serve").args(options).arg("127.0.0.1:0"), 1)
    }

    /// Starts a server from a whole command, and waits until it listens on so many addresses.
    pub(crate) fn start_with(command: &mut Command, addresses: usize) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let announcements = lines_of(child.stdout.take().unwrap());
        let log = lines_of(child.stderr.take().unwrap());
        let addresses = (0..addresses)
            .map(|_| {
                let Ok(line) = announcements.recv_timeout(DEADLINE) else {
                    panic!("the server did not start: {:?}", log.try_iter().collect::<Vec<_>>());
                };
                line.strip_prefix("listening on ").expect("an announcement").to_owned()
            })
            .collect();
        Self { child, addresses, log, _announcements: announcements }
    }

    /// The address, as the options of capchat and of `TcpStream::connect` take it.
    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }

    pub(crate) fn port(&self) -> u16 {
        self.address().rsplit_once(':').unwrap().1.parse().unwrap()
    }

    /// Connects a client.
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

    /// What is left of the log of a server that has ended.
    pub(crate) fn remaining_log(&self) -> Vec<String> {
        self.log.iter().collect()
    }

    pub(crate) fn send_signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the server to end by itself.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait(&mut self.child)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client that is no capchat.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
}

impl Client {
    pub(crate) fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream }
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// Receives exactly these bytes.
    #[track_caller]
    pub(crate) fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let expected = bytes.as_ref();
        let mut received = vec![0; expected.len()];
        if let Err(error) = self.stream.read_exact(&mut received) {
            panic!("expected {:?}: {error}", expected.escape_ascii().to_string());
        }
        assert_eq!(received.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    /// Receives up to the end of the stream, which must be these bytes.
    #[track_caller]
    pub(crate) fn expect_end(&mut self, bytes: impl AsRef<[u8]>) {
        let mut received = Vec::new();
        self.stream.read_to_end(&mut received).expect("an end of stream");
        assert_eq!(received.escape_ascii().to_string(), bytes.as_ref().escape_ascii().to_string());
    }

    /// Sends a line and receives its reply.
    #[track_caller]
    pub(crate) fn expect_answer(&mut self) {
        self.send("are you there?\n");
        self.expect("ARE YOU THERE?\n");
    }

    /// Ends this side.
    pub(crate) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Ends the connection with a reset: `SO_LINGER` with no time (socket(7)).
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }
}

/// A server made for one test: each connection is handed to `serve` in a thread of its own.
pub(crate) fn custom_server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serve = std::sync::Arc::new(serve);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            stream.set_read_timeout(Some(DEADLINE)).unwrap();
            let serve = std::sync::Arc::clone(&serve);
            thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A server that sends everything back as it is, and closes after the client.
pub(crate) fn echo_server() -> String {
    custom_server(|stream| {
        let _ = std::io::copy(&mut &stream, &mut &stream);
    })
}

/// One run of `capchat connect`.
pub(crate) struct Connect {
    command: Command,
    stdin: Vec<u8>,
}

impl Connect {
    pub(crate) fn to(address: &str) -> Self {
        let mut command = capchat();
        command.arg("connect").arg(address);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, stdin: Vec::new() }
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts it in this folder, so that files can be called by their names.
    pub(crate) fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout);
        self
    }

    /// What standard input gives before its end.
    pub(crate) fn stdin(mut self, bytes: impl AsRef<[u8]>) -> Self {
        self.stdin = bytes.as_ref().to_vec();
        self
    }

    /// Starts it, and leaves standard input open.
    pub(crate) fn start(mut self) -> Running {
        let mut child = self.command.spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout: BufReader<Box<dyn Read>> = BufReader::new(Box::new(child.stdout.take().unwrap()));
        let watchdog = watch(&child);
        Running { child, stdin, stdout, _watchdog: watchdog }
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Finished {
        let mut child = self.command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let bytes = self.stdin;
        // The client may end before it has read all.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
        let pid = Pid::from_child(&child);
        let (sender, output) = channel();
        thread::spawn(move || sender.send(child.wait_with_output()));
        let Ok(output) = output.recv_timeout(DEADLINE) else {
            let _ = kill_process(pid, Signal::KILL);
            panic!("the client did not end in time");
        };
        Finished(output.unwrap())
    }
}

/// A `capchat connect` that runs while its test talks to it; killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: BufReader<Box<dyn Read>>,
    _watchdog: Sender<()>,
}

impl Running {
    /// The next line on standard output, with its end.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line
    }

    /// Closes this end of standard output.
    pub(crate) fn close_stdout(&mut self) {
        self.stdout = BufReader::new(Box::new(std::io::empty()));
    }

    /// Waits for the end; gives the exit status and what is left on standard error.
    #[track_caller]
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = wait(&mut self.child).code();
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

/// How a run ended.
pub(crate) struct Finished(pub(crate) Output);

impl Finished {
    /// All went well: these bytes on standard output, nothing on standard error.
    #[track_caller]
    pub(crate) fn succeeds_with(&self, stdout: impl AsRef<[u8]>) {
        assert_eq!(self.errors(), "");
        assert_eq!(self.0.status.code(), Some(0));
        let (got, expected) = (&self.0.stdout, stdout.as_ref());
        // Not all of it in the message, where it is megabytes.
        let same = got.iter().zip(expected).take_while(|(got, expected)| got == expected).count();
        let rest = |bytes: &[u8]| {
            bytes[same..].escape_ascii().take(200).collect::<Vec<_>>().escape_ascii().to_string()
        };
        assert_eq!(rest(got), rest(expected), "from byte {same}");
        assert_eq!(got.len(), expected.len());
    }

    /// It failed with this status, and said so in one line that contains each of `texts`.
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

    pub(crate) fn errors(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }
}
