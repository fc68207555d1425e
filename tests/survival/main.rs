//! What the server survives: thousands of clients, hostile ones, and a lack of descriptors. After each of them, a new
//! client is answered.
//!
//! A program of its own, because cargo runs test programs one after the other: these tests need the machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[allow(dead_code, reason = "the suite uses more of it")]
#[path = "../suite/support"]
mod support {
    pub(crate) mod client;
    pub(crate) mod programs;
    pub(crate) mod server;
    pub(crate) mod wait;
}

use std::fs;
use std::io::{Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use support::client::{Client, raise_descriptor_limit};
use support::programs::{capchat, is_missing, note};
use support::server::TestServer;
use support::wait::eventually;

/// These tests need thousands of descriptors and most of the processor time, so they run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many descriptors the server has open.
fn descriptors(server: &TestServer) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap().count()
}

/// A line of the server's /proc status, such as `VmHWM`, in KiB.
fn memory_kib(server: &TestServer, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid().as_raw_nonzero())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// The processor time of the server, in clock ticks of 10 ms.
fn processor_ticks(server: &TestServer) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid().as_raw_nonzero())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // utime and stime: fields 14 and 15 in proc(5), counted after the name here.
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The server closes its descriptors, except this many.
#[track_caller]
fn expect_descriptors(server: &TestServer, expected: usize) {
    eventually(format_args!("{expected} descriptors"), || (descriptors(server) == expected).then_some(()));
}

/// The server becomes idle, for half a second.
#[track_caller]
fn expect_idle(server: &TestServer) {
    eventually("an idle server", || {
        let before = processor_ticks(server);
        thread::sleep(Duration::from_millis(500));
        (processor_ticks(server) <= before + 1).then_some(())
    });
}

#[test]
fn resets_in_the_middle_of_a_message() {
    let _turn = alone();
    let server = TestServer::start(&["-q"]);
    let mut steady = server.connect();
    steady.expect_answer();
    let before = descriptors(&server);
    for round in 0..2000 {
        let mut client = server.connect();
        client.send("half a mess");
        client.reset();
        if round % 100 == 0 {
            steady.expect_answer();
        }
    }
    server.connect().expect_answer();
    expect_descriptors(&server, before);
    steady.expect_answer();
}

#[test]
fn many_clients_at_once() {
    let _turn = alone();
    let server = TestServer::start(&["-q"]);
    let mut clients: Vec<Client> = (0..300).map(|_| server.connect()).collect();
    for round in 0..10 {
        for (number, client) in clients.iter_mut().enumerate() {
            client.send(format!("client {number} in round {round}\n"));
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.expect(format!("CLIENT {number} IN ROUND {round}\n"));
        }
    }
}

#[test]
fn idle_clients_cost_little_memory_and_no_time() {
    let _turn = alone();
    // Each takes a descriptor of this process too.
    let count = 5000.min(raise_descriptor_limit() - 100);
    let server = TestServer::start(&["-q"]);
    server.connect().expect_answer();
    let before = memory_kib(&server, "VmRSS:");
    let mut clients: Vec<Client> = (0..count).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.expect_answer();
    }
    let each = (memory_kib(&server, "VmRSS:") - before) * 1024 / count;
    note(format_args!("bytes of memory for each idle client: {each}"));
    assert!(each <= 4096, "{each} bytes for each idle client");
    expect_idle(&server);
    server.connect().expect_answer();
    clients.pop().unwrap().expect_answer();
}

#[test]
fn clients_that_never_read() {
    const EACH: usize = 13 << 20;
    let _turn = alone();
    let server = TestServer::start(&["-q"]);
    let senders: Vec<_> = (0..20)
        .map(|_| {
            let client = server.connect();
            client.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut stream = client.stream.try_clone().unwrap();
            // Blocks when the server takes no more.
            let sender = thread::spawn(move || drop(stream.write_all(&vec![b'x'; EACH])));
            (client, sender)
        })
        .collect();
    let start = Instant::now();
    let mut other = server.connect();
    for _ in 0..100 {
        other.expect_answer();
    }
    assert!(start.elapsed() < Duration::from_secs(20), "other clients wait: {:?}", start.elapsed());
    let clients: Vec<Client> = senders
        .into_iter()
        .map(|(client, sender)| {
            sender.join().unwrap();
            client
        })
        .collect();
    let peak = memory_kib(&server, "VmHWM:");
    note(format_args!("peak memory with 20 clients that never read: {peak} KiB"));
    assert!(peak < 32 * 1024, "{peak} KiB");
    expect_idle(&server);
    other.expect_answer();
    drop(clients);
    server.connect().expect_answer();
}

#[test]
fn clients_of_a_mock_that_send_too_early() {
    let _turn = alone();
    let chats = tempfile::tempdir().unwrap();
    let path = chats.path().join("t.chat");
    fs::write(&path, "C: a\nS WAIT 1h\nS: b\nC: c\nC EOF\nS EOF\n").unwrap();
    let server = TestServer::start(&["-q", "--play", path.to_str().unwrap()]);
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = server.connect();
            client.send("a\n");
            client.stream.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut stream = client.stream.try_clone().unwrap();
            // Blocks when the server takes no more.
            let sender = thread::spawn(move || drop(stream.write_all(&vec![b'x'; 13 << 20])));
            (client, sender)
        })
        .collect();
    for (client, sender) in clients {
        sender.join().unwrap();
        drop(client);
    }
    let peak = memory_kib(&server, "VmHWM:");
    note(format_args!("peak memory with 20 clients that send too early: {peak} KiB"));
    assert!(peak < 32 * 1024, "{peak} KiB");
}

/// Sends this text again and again, and reads the replies, until it fails.
fn keep_busy(address: &str, text: &str) -> thread::JoinHandle<()> {
    let client = Client::connect(address);
    let block = text.repeat(1 + (1 << 20) / text.len());
    let mut sender = client.stream.try_clone().unwrap();
    let sender = thread::spawn(move || while sender.write_all(block.as_bytes()).is_ok() {});
    thread::spawn(move || {
        let mut buffer = vec![0; 256 << 10];
        while (&client.stream).read(&mut buffer).is_ok_and(|count| count > 0) {}
        let _ = client.stream.shutdown(std::net::Shutdown::Both);
        let _ = sender.join();
    })
}

/// The median time of a small message next to 8 busy clients.
fn median_ping(server: &TestServer, text: &str) -> Duration {
    let _busy: Vec<_> = (0..8).map(|_| keep_busy(server.address(), text)).collect();
    thread::sleep(Duration::from_millis(500));
    let mut client = server.connect();
    let mut times: Vec<Duration> = (0..31)
        .map(|_| {
            let start = Instant::now();
            client.send("PING\n");
            client.expect("PING\n");
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn busy_clients_delay_others_no_more_than_an_echo_in_c_would() {
    let _turn = alone();
    if is_missing("cc") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let floor = folder.path().join("floor");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load/floor.c");
    assert!(
        std::process::Command::new("cc")
            .args(["-O2", "-o"])
            .arg(&floor)
            .arg(source)
            .status()
            .unwrap()
            .success()
    );
    // Plain, slow, and the slowest text that there is: each capital is three characters.
    for text in ["the quick brown fox\n", "სწრაფი ყავისფერი მელა\n", "\u{390}\u{3b0}\u{390}\u{3b0}\n"]
    {
        // What else the machine does changes from one measurement to the next.
        let is_fair = |_| {
            let floor = TestServer::start_with(&mut std::process::Command::new(&floor), 1);
            let echo = median_ping(&floor, "the quick brown fox\n");
            let ping = median_ping(&TestServer::start(&["-q"]), text);
            note(format_args!("8 clients of {text:?}: {ping:?}; an echo in C with ASCII: {echo:?}"));
            ping <= 2 * echo
        };
        assert!((0..5).any(is_fair), "others wait too long for 8 clients of {text:?}");
    }
}

/// A server with this much address space more than it needs to start, in KiB. How much it needs depends on the build.
fn with_memory(spare: usize, options: &str) -> TestServer {
    const STEP: usize = 250;
    let program = env!("CARGO_BIN_EXE_capchat");
    let command = |limit: usize| {
        let mut command = std::process::Command::new("sh");
        let script = format!("ulimit -v {limit} && exec {program} serve {options} 127.0.0.1:0");
        command.args(["-c", &script]);
        command
    };
    let starts = |limit: &usize| {
        let piped = std::process::Stdio::piped;
        let mut server = command(*limit).stdout(piped()).stderr(piped()).spawn().unwrap();
        let mut byte = [0];
        let is_up = server.stdout.as_mut().unwrap().read_exact(&mut byte).is_ok();
        let _ = server.kill();
        server.wait().unwrap();
        is_up
    };
    let least = (1..1000).map(|steps| steps * STEP).find(starts).expect("a server that starts");
    TestServer::start_with(&mut command(least + spare), 1)
}

#[test]
fn a_lack_of_memory_for_replies_costs_those_who_do_not_take_them() {
    let _turn = alone();
    let server = with_memory(36_000, "");
    let mut steady = server.connect();
    steady.expect_answer();
    let clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    let senders: Vec<_> = clients
        .iter()
        .map(|client| {
            let mut stream = client.stream.try_clone().unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
            thread::spawn(move || drop(stream.write_all(&vec![b'x'; 13 << 20])))
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    assert!(server.log_line_with("disconnected").contains("disconnected uncleanly (out of memory)"));
    steady.expect_answer();
    drop(clients);
    server.connect().expect_answer();
    steady.expect_answer();
}

#[test]
fn a_lack_of_memory_for_messages_costs_those_who_do_not_finish_them() {
    let _turn = alone();
    let server = with_memory(16_000, "--message-gap never");
    let mut steady = server.connect();
    steady.expect_answer();
    for _ in 0..3 {
        let mut clients: Vec<Client> = (0..600).map(|_| server.connect()).collect();
        for client in &mut clients {
            // Some are reset, and some have to wait until they are accepted.
            let _ = client.stream.write_all(&vec![b'x'; 65_535]);
        }
        assert!(server.log_line_with("disconnected").contains("disconnected uncleanly (out of memory)"));
        steady.expect_answer();
        drop(clients);
        server.connect().expect_answer();
    }
    steady.expect_answer();
}

#[test]
fn a_lack_of_memory_costs_a_recording_and_not_the_client() {
    let _turn = alone();
    let folder = tempfile::tempdir().unwrap();
    let server = with_memory(750, &format!("--record {}", folder.path().display()));
    let messages = ["\u{1}".repeat(400_000) + "\n", "\n".repeat(400_000)];
    for message in &messages {
        // Each holds memory.
        let mut waiting: Vec<Client> = (0..30).map(|_| server.connect()).collect();
        for client in &mut waiting {
            let _ = client.stream.write_all(&vec![b'x'; 65_000]);
        }
        let mut client = server.connect();
        let mut sender = client.stream.try_clone().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || drop(sender.write_all(message.as_bytes())));
            let mut replies = vec![0; message.len()];
            // The client may be one of those who are dropped.
            let _ = client.stream.read_exact(&mut replies);
        });
        drop(waiting);
    }
    server.log_line_with("out of memory");
    server.connect().expect_answer();
}

#[test]
fn a_log_that_is_not_read_is_bounded_in_bytes() {
    let _turn = alone();
    let chats = tempfile::tempdir().unwrap();
    let path = chats.path().join("t.chat");
    fs::write(&path, format!("C: {}\n", "x".repeat(1_000_000))).unwrap();
    // Standard error is not read: nobody takes the lines from the channel, but they come through it.
    let socket = chats.path().join("socket");
    let mut command = capchat();
    command.args(["serve", "--play"]).arg(&path).arg(format!("unix:{}", socket.display()));
    let mut child =
        command.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    for _ in 0..100 {
        let mut client = eventually("a connection", || std::os::unix::net::UnixStream::connect(&socket).ok());
        let _ = client.write_all(b"y\n");
        let _ = client.shutdown(std::net::Shutdown::Write);
        let _ = client.read_to_end(&mut Vec::new());
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    note(format_args!("peak memory with 100 long lines in the log: {peak} KiB"));
    let _ = child.kill();
    let _ = child.wait();
    assert!(peak < 48 * 1024, "{peak} KiB");
}

#[test]
fn more_clients_than_descriptors() {
    let _turn = alone();
    let script = format!("ulimit -n 64 && exec {} serve 0", env!("CARGO_BIN_EXE_capchat"));
    let server = TestServer::start_with(
        std::process::Command::new("sh").args(["-c", &script]).env_remove("CAPCHAT_ADDRESS"),
        1,
    );
    let mut clients: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for client in &mut clients {
        client.send("hello\n");
    }
    server.log_line_with("too many open files");
    clients[0].expect("HELLO\n");
    expect_idle(&server);
    // Each client that closes makes room for one that waits.
    for mut client in clients.drain(1..) {
        client.expect("HELLO\n");
    }
    server.connect().expect_answer();
    clients[0].expect_answer();
}

#[test]
fn a_line_of_a_gibibyte_in_constant_memory() {
    const LENGTH: usize = 1 << 30;
    let _turn = alone();
    let server = TestServer::start(&["-q"]);
    let client = server.connect();
    let mut sender = client.stream.try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || {
            let block = vec![b'a'; 1 << 20];
            for _ in 0..LENGTH / block.len() {
                sender.write_all(&block).unwrap();
            }
            sender.shutdown(std::net::Shutdown::Write).unwrap();
        });
        let mut block = vec![0; 1 << 20];
        let capitals = vec![b'A'; 1 << 20];
        let mut received = 0;
        loop {
            let length = (&client.stream).read(&mut block).unwrap();
            if length == 0 {
                break;
            }
            assert!(block[..length] == capitals[..length], "wrong reply after {received} bytes");
            received += length;
        }
        assert_eq!(received, LENGTH);
    });
    let peak = memory_kib(&server, "VmHWM:");
    note(format_args!("peak memory: {peak} KiB"));
    assert!(peak < 32 * 1024, "{peak} KiB");
}

#[test]
fn descriptors_come_back_after_every_kind_of_end() {
    let _turn = alone();
    let server = TestServer::start_with(capchat().args(["serve", "-q", "--idle-timeout", "1h", "0"]), 1);
    let mut steady = server.connect();
    steady.expect_answer();
    let before = descriptors(&server);
    for _ in 0..50 {
        let mut client = server.connect();
        client.send("x\nCLOSE SOCKET\n");
        client.expect_end("X\n");
        drop(client);
        let mut client = server.connect();
        client.send("x\n");
        client.end();
        client.expect_end("X\n");
        drop(client);
        drop(server.connect());
        server.connect().reset();
    }
    expect_descriptors(&server, before);
    steady.expect_answer();
}
