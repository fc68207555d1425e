//! Half-close: whether data and EOF get through a client while its other direction is idle, blocked or at EOF. The twelve
//! cells are those of <https://wh0.github.io/2024/12/12/nc-warts.html>.

use std::fmt::Write as _;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;

use crate::support::programs::{capchat, is_missing, is_openbsd_nc_missing, skipped};
use crate::support::wait::kill_at_deadline;

/// How long something may take to get through.
const LIMIT: Duration = Duration::from_secs(5);

/// A direction in which nothing moves for this long is blocked. Longer than a busy machine may take.
const STILL: Duration = Duration::from_millis(500);

/// How long a direction is at EOF before the other one is tried. Some clients exit after half a second.
const SETTLED: Duration = Duration::from_millis(800);

const LINE: &[u8] = b"hello\n";

/// Stands for the server's port in the command of a client.
const PORT: &str = "{port}";

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    /// From standard input to the network.
    Upload,
    /// From the network to standard output.
    Download,
}

#[derive(Clone, Copy, PartialEq)]
enum Signal {
    Data,
    Eof,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Idle,
    Blocked,
    AtEof,
}

/// Does `signal` get through in `direction`, in this state of the other direction?
#[derive(Clone, Copy)]
struct Cell {
    direction: Direction,
    signal: Signal,
    other: State,
}

impl Cell {
    /// In the order of the table in the README.
    fn all() -> impl Iterator<Item = Self> {
        [Direction::Upload, Direction::Download].into_iter().flat_map(|direction| {
            [Signal::Data, Signal::Eof].into_iter().flat_map(move |signal| {
                [State::Idle, State::Blocked, State::AtEof].into_iter().map(move |other| Self {
                    direction,
                    signal,
                    other,
                })
            })
        })
    }

    /// The first two columns of its row.
    fn label(self) -> [String; 2] {
        let [this, other] = match self.direction {
            Direction::Upload => ["input", "output"],
            Direction::Download => ["output", "input"],
        };
        let signal = match self.signal {
            Signal::Data => this.to_owned(),
            Signal::Eof => format!("EOF on {this}"),
        };
        let state = match self.other {
            State::Idle => "idle",
            State::Blocked => "blocked",
            State::AtEof => "at EOF",
        };
        [signal, format!("{other} is {state}")]
    }

    /// Whether this client passes.
    fn passes(self, command: &mut Command) -> bool {
        Trial::start(command).is_some_and(|mut trial| {
            trial.prepare(self);
            trial.succeeds(self)
        })
    }
}

/// A client, with the other ends of its input, its output and its connection. Killed when it is dropped.
struct Trial {
    client: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    server: TcpStream,
}

impl Trial {
    /// Starts a client. `None` if it exits without connecting.
    fn start(command: &mut Command) -> Option<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let words: Vec<_> =
            command.get_args().map(|word| word.to_str().unwrap().replace(PORT, &port)).collect();
        let mut client = Command::new(command.get_program())
            .args(words)
            .env_remove("CAPCHAT_ADDRESS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let _watchdog = kill_at_deadline(&client);
        while !is_ready(&listener, PollFlags::IN, Duration::from_millis(20)) {
            if client.try_wait().unwrap().is_some() {
                return None;
            }
        }
        let (server, _) = listener.accept().unwrap();
        let (input, output) = (client.stdin.take(), client.stdout.take().unwrap());
        Some(Self { client, input, output, server })
    }

    /// Puts the other direction into its state.
    fn prepare(&mut self, cell: Cell) {
        match (cell.direction, cell.other) {
            (_, State::Idle) => {}
            (Direction::Upload, State::Blocked) => fill(&mut self.server),
            (Direction::Download, State::Blocked) => fill(self.input.as_mut().unwrap()),
            (Direction::Upload, State::AtEof) => {
                self.server.shutdown(Shutdown::Write).unwrap();
                thread::sleep(SETTLED);
            }
            (Direction::Download, State::AtEof) => {
                self.input = None;
                thread::sleep(SETTLED);
            }
        }
    }

    /// Whether the signal gets through. An EOF that is there already does not count: the client closed too much.
    fn succeeds(&mut self, cell: Cell) -> bool {
        match (cell.direction, cell.signal) {
            (Direction::Upload, Signal::Data) => {
                self.input.as_mut().unwrap().write_all(LINE).is_ok() && receives_line(&mut self.server)
            }
            (Direction::Upload, Signal::Eof) => {
                receive(&mut self.server, Duration::ZERO) == Arrival::Nothing && {
                    self.input = None;
                    receive(&mut self.server, LIMIT) == Arrival::Eof
                }
            }
            (Direction::Download, Signal::Data) => {
                self.server.write_all(LINE).is_ok() && receives_line(&mut self.output)
            }
            (Direction::Download, Signal::Eof) => {
                receive(&mut self.output, Duration::ZERO) == Arrival::Nothing
                    && self.server.shutdown(Shutdown::Write).is_ok()
                    && receive(&mut self.output, LIMIT) == Arrival::Eof
            }
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

fn is_ready(descriptor: &impl AsFd, flags: PollFlags, limit: Duration) -> bool {
    let limit = Timespec::try_from(limit).unwrap();
    poll(&mut [PollFd::new(descriptor, flags)], Some(&limit)).unwrap() > 0
}

/// Writes until nothing moves anymore.
fn fill(writer: &mut (impl Write + AsFd)) {
    ioctl_fionbio(&writer, true).unwrap();
    while is_ready(writer, PollFlags::OUT, STILL) {
        match writer.write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The client closed.
            Err(_) => return,
        }
    }
}

#[derive(Debug, PartialEq)]
enum Arrival {
    Data(Vec<u8>),
    Eof,
    /// A reset.
    Failure,
    Nothing,
}

fn receive(reader: &mut (impl Read + AsFd), limit: Duration) -> Arrival {
    if !is_ready(reader, PollFlags::IN, limit) {
        return Arrival::Nothing;
    }
    let mut buffer = [0; LINE.len()];
    match reader.read(&mut buffer) {
        Ok(0) => Arrival::Eof,
        Ok(length) => Arrival::Data(buffer[..length].to_vec()),
        Err(_) => Arrival::Failure,
    }
}

fn receives_line(reader: &mut (impl Read + AsFd)) -> bool {
    let mut received = Vec::new();
    while received.len() < LINE.len() {
        let Arrival::Data(bytes) = receive(reader, LIMIT) else { return false };
        received.extend(bytes);
    }
    received == LINE
}

/// Tries every cell with the client that `command` returns for it, all in parallel.
fn measure(command: impl Fn(Cell) -> Command + Sync) -> Vec<bool> {
    let command = &command;
    thread::scope(|scope| {
        let trials: Vec<_> =
            Cell::all().map(|cell| scope.spawn(move || cell.passes(&mut command(cell)))).collect();
        trials.into_iter().map(|trial| trial.join().unwrap()).collect()
    })
}

#[test]
fn everything_gets_through() {
    let passed = measure(|cell| {
        let mut command = capchat();
        command.args(["connect", "127.0.0.1", PORT]);
        if cell.direction == Direction::Upload && cell.other == State::AtEof {
            command.arg("--until-eof");
        }
        command
    });
    let failed: Vec<_> = Cell::all()
        .zip(passed)
        .filter(|(_, passed)| !passed)
        .map(|(cell, _)| cell.label().join(", "))
        .collect();
    assert!(failed.is_empty(), "these do not: {failed:#?}");
}

/// The rows of the table in the README, each split into its cells. The first is the heading.
fn readme_table() -> Vec<Vec<String>> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("\n## Why not ").nth(1).expect("the section").split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---"));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// A client that is not capchat.
struct OtherClient {
    command: &'static [&'static str],
    /// Prints its version.
    version: [&'static str; 2],
}

fn others() -> [OtherClient; 3] {
    [
        OtherClient { command: &["nc", "-N", "127.0.0.1", PORT], version: ["nc", "-h"] },
        OtherClient { command: &["ncat", "127.0.0.1", PORT], version: ["ncat", "--version"] },
        OtherClient { command: &["socat", "-", "TCP:127.0.0.1:{port}"], version: ["socat", "-V"] },
    ]
}

impl OtherClient {
    /// Whether the client is not installed in the version of its heading, such as `ncat 7.93`. If so, says that it is
    /// skipped.
    fn is_skipped(&self, heading: &str) -> bool {
        let [program, print_version] = self.version;
        if is_missing(program) || program == "nc" && is_openbsd_nc_missing() {
            return true;
        }
        let output = Command::new(program).arg(print_version).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let version = heading.rsplit(' ').next().unwrap();
        let is_other = !text.split(|c: char| !c.is_ascii_digit() && c != '.').any(|word| word == version);
        if is_other {
            skipped(format_args!("not {heading}"));
        }
        is_other
    }

    /// A report of what was measured, if that is not what is documented.
    fn compare(&self, documented: &[bool]) -> String {
        let measure = || {
            measure(|_| {
                let mut command = Command::new(self.command[0]);
                command.args(&self.command[1..]);
                command
            })
        };
        let mut measured = measure();
        // A busy machine may take longer than `STILL` or `SETTLED`.
        for _ in 0..2 {
            if measured != documented {
                measured = measure();
            }
        }
        let mut report = String::new();
        if measured != documented {
            let _ = writeln!(report, "\n{:?}:", self.command);
            for (cell, passed) in Cell::all().zip(measured) {
                let _ = writeln!(report, "{}: {passed}", cell.label().join(", "));
            }
        }
        report
    }
}

/// A column of the table: whether the client passes each cell.
fn documented(rows: &[Vec<String>], column: usize) -> Vec<bool> {
    let is_yes = |cell: &str| match cell.split(',').next().unwrap() {
        "yes" => true,
        "no" => false,
        other => panic!("neither yes nor no: {other}"),
    };
    rows.iter().map(|row| is_yes(&row[column])).collect()
}

#[test]
fn the_table_in_the_readme_is_true() {
    let table = readme_table();
    let (heading, rows) = table.split_first().unwrap();
    let labels: Vec<_> = rows.iter().map(|row| [row[0].clone(), row[1].clone()]).collect();
    assert_eq!(labels, Cell::all().map(Cell::label).collect::<Vec<_>>());
    assert_eq!(documented(rows, 2), [true; 12], "tested above");
    let others = (3..).zip(others()).filter(|(column, other)| !other.is_skipped(&heading[*column]));
    let reports: Vec<String> = thread::scope(|scope| {
        let reports: Vec<_> = others
            .map(|(column, other)| scope.spawn(move || other.compare(&documented(rows, column))))
            .collect();
        reports.into_iter().map(|report| report.join().unwrap()).collect()
    });
    assert!(reports.iter().all(String::is_empty), "{}", reports.concat());
}
