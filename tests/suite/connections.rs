//! Transcripts with several connections, against servers whose clients affect each other.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::chats::Chats;
use crate::support::custom_server::{Lonely, Nobody, custom_server, reset};
use crate::support::server::TestServer;

/// A server that passes messages on: `join NAME`, then `tell NAME TEXT` or `leave`. Also `data`: names a port of its own
/// that greets and closes, and `reset`.
fn switchboard() -> String {
    let members: Arc<Mutex<HashMap<String, TcpStream>>> = Arc::default();
    custom_server(move |stream| {
        let say = |mut to: &TcpStream, text: &str| drop(to.write_all(format!("{text}\n").as_bytes()));
        stream.set_nodelay(true).unwrap();
        for line in BufReader::new(&stream).lines().map_while(Result::ok) {
            match line.splitn(3, ' ').collect::<Vec<_>>()[..] {
                ["join", name] => {
                    members.lock().unwrap().insert(name.to_owned(), stream.try_clone().unwrap());
                    say(&stream, &format!("welcome {name}"));
                }
                ["tell", name, text] => {
                    say(&members.lock().unwrap()[name], text);
                    say(&stream, "told");
                }
                ["data"] => {
                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    say(&stream, &format!("port {}", listener.local_addr().unwrap().port()));
                    thread::spawn(move || say(&listener.accept().unwrap().0, "some data"));
                }
                ["reset"] => {
                    // Otherwise the clone keeps the connection open.
                    members.lock().unwrap().clear();
                    return reset(stream);
                }
                ["leave"] => {
                    members.lock().unwrap().clear();
                    return;
                }
                _ => say(&stream, "what?"),
            }
        }
    })
}

const TALK: &str = "\
C: join ann
S: welcome ann
C2: join bob
S2: welcome bob
C: tell bob hello
S: told
S2: hello
C2: tell ann hi
S2: told
S: hi
";

#[test]
fn two_clients_talk_to_each_other() {
    Chats::with(TALK).passes(&switchboard());
    // Each awaits a reply, so the order in the file is free.
    let swapped = TALK.replace("S: told\nS2: hello\n", "S2: hello\nS: told\n");
    Chats::with(swapped).passes(&switchboard());
}

#[test]
fn each_connection_has_its_own_end() {
    let text = format!("{TALK}C2: reset\nS2 RST\nC: leave\nS EOF\n");
    Chats::with(text).passes(&switchboard());
    let chats = Chats::with("C: join ann\nS: welcome ann\nC2: leave\nS2 RST\nC: x\n");
    chats
        .check(&switchboard(), &["t.chat"])
        .run()
        .reports(3, &["t.chat:4: server reply differs", "-S2 RST\n+S2 EOF\n"]);
}

#[test]
fn a_port_that_the_server_names() {
    let server = switchboard();
    let (host, port) = server.split_once(':').unwrap();
    for address in
        [format!("{host}:\\{{port}}"), "\\{port}".to_owned(), "tcp://localhost:\\{port}".to_owned()]
    {
        let text = format!(
            "C: data\nS\\ port \\{{port}}\nC2 CONNECT {address}\nS2: some data\nS2 EOF\nC: x\nS: what?\n"
        );
        let chats = Chats::with(&text);
        chats.passes(&format!("{host}:{port}"));
        let run = chats.check(&server, &["t.chat", "-v"]).run();
        let shown = run.errors();
        for line in ["C2 CONNECT ", "S2: some data\n", "S2 EOF\n", "C: x\n"] {
            assert!(shown.contains(&format!(" {line}")), "no {line:?} in {shown}");
        }
    }
}

#[test]
fn the_report_shows_the_connection_and_its_address() {
    let chats = Chats::with("C: data\nS\\ port \\{port}\nC2 CONNECT :\\{port}\nS2: other data\n");
    let run = chats.check(&switchboard(), &["t.chat"]).run();
    run.reports(
        3,
        &["t.chat:4: server reply differs (last sent: line 1)", "-S2: other data\n+S2: some data\n"],
    );
    let report = run.report();
    let port = report.split_once("note: port = ").unwrap().1.lines().next().unwrap();
    assert!(report.contains(&format!("+++ received 127.0.0.1:{port}\n")), "{report}");

    let chats = Chats::with(
        "C: join ann\nS: welcome ann\nC2: join ann\nS2: welcome ann\nC2: tell ann x\nS2: x\nS2 QUIET 30s\n",
    );
    chats
        .check(&switchboard(), &["t.chat"])
        .run()
        .reports(3, &["t.chat:7: unexpected output", " S2: x\n+S2: told\n S2 QUIET 30s\n"]);
}

#[test]
fn what_the_server_said_before_its_last_reply_is_judged_on_every_connection() {
    let chats = Chats::with("C2: join bob\nS2: welcome bob\nC: tell bob hello\nS: told\n");
    let server = switchboard();
    // The order in which the two are read depends on the system.
    for _ in 0..20 {
        let run = chats.check(&server, &["t.chat"]).run();
        run.reports(3, &["t.chat:5: unexpected output (last sent: line 3)", " S: told\n+S2: hello\n"]);
    }
}

#[test]
fn a_connection_that_cannot_be_made_is_a_failure() {
    let nobody = Nobody::new();
    let address = nobody.address();
    let port = address.rsplit_once(':').unwrap().1;
    let text = format!("C: join ann\nS: welcome ann\nC2 CONNECT {address}\nC2: x\n");
    let chats = Chats::with(&text);
    let run = chats.check(&switchboard(), &["t.chat", "--retry", "30s"]).run();
    let headline =
        format!("FAIL t.chat:3: could not connect to {address}: connection refused (last sent: line 1)\n");
    run.reports(1, &[&headline, &format!("+++ received {address}\n"), "2 matched, 1 failed, 1 not run\n"]);
    // What the server said may choose a host and a port, and nothing else.
    for (hole, reason) in [
        (port.to_owned(), format!("could not connect to 127.0.0.1:{port}: connection refused")),
        ("0".to_owned(), "could not connect to '0': cannot connect to port 0".to_owned()),
        (
            "./sock".to_owned(),
            "could not connect to './sock': expected a host and a port around holes".to_owned(),
        ),
        ("unix:sock".to_owned(), "could not connect to 'unix:sock': expected a host and a port".to_owned()),
        ("a:b".to_owned(), "could not connect to 'a:b': invalid port 'b'".to_owned()),
        ("1 2 3".to_owned(), "could not connect to '1 2 3': invalid address".to_owned()),
        ("\x1b[2J:1".to_owned(), r"could not connect to '\u{1b}[2J:1': invalid address".to_owned()),
    ] {
        let text = format!(
            "C: join ann\nS: welcome ann\nC\\ tell ann {}\nS\\ \\{{where}}\nS: told\nC2 CONNECT \\{{where}}\n",
            hole.replace('\x1b', "\\x1b")
        );
        let run = Chats::with(text).check(&switchboard(), &["t.chat"]).run();
        run.reports(1, &["FAIL t.chat:6: "]);
        assert!(run.report().contains(&reason), "{}", run.report());
    }
}

#[test]
fn mistakes_are_found_before_any_connection() {
    let server = Lonely::new();
    for (text, message) in [
        ("C1: x\n", "t.chat:1: expected 'C:' for connection 1 or 'C2:' to 'C9:', found 'C1: x'"),
        ("C: x\nC2 CONNECT h:\\{port}\n", "t.chat:2: expected a value for the client to send"),
        ("C: x\nC2 CONNECT h:\\{}\n", "t.chat:2: expected a sample for the client to send"),
        ("C: x\nC2 CONNECT h:x:y\n", "t.chat:2: invalid address 'h:x:y'"),
        ("C: x\nC2 CONNECT h:0\n", "t.chat:2: cannot connect to port 0"),
        ("C: x\nC2 CONNECT /tmp/\\{a=b}\n", "t.chat:2: expected a host and a port around holes"),
        ("C: x\nC CONNECT h:1\n", "t.chat:2: expected 'C2 CONNECT' to 'C9 CONNECT'"),
    ] {
        Chats::with(text).check(&server.address(), &["t.chat"]).run().fails_with(2, &[message]);
    }
    let chats = Chats::with("C: x\nC3: y\nS3: z\n");
    let expected = "t.chat:2: expected items of one connection";
    chats
        .update(&server.address(), &["t.chat"])
        .run()
        .fails_with(2, &[expected, "edit the file by hand", "'C3'"]);
    assert_eq!(chats.read("t.chat"), "C: x\nC3: y\nS3: z\n");
    let path = chats.path("t.chat").display().to_string();
    let mut command = crate::support::programs::capchat();
    command.args(["serve", "--play", &path, "0"]);
    crate::support::run::Run::of(command).run().fails_with(2, &[expected, "found 'C3'"]);
    server.has_seen_nobody();
}

#[test]
fn eight_more_connections_with_much_to_say_are_all_read() {
    // Each line is longer than what the kernel keeps: a connection that is not read would hold up its server.
    let line = "x".repeat(900_000);
    let reply = line.to_uppercase();
    let said: String = (2..=9).map(|connection| format!("C{connection}: {line}\n").repeat(4)).collect();
    let replies: String = (2..=9)
        .rev()
        .map(|connection| format!("S{connection}: {reply}\n").repeat(2) + &format!("S{connection} ...\n"))
        .collect();
    let text = format!("%timeout 60s\n{said}C: first\nS: FIRST\n{replies}");
    let server = TestServer::start(&[]);
    Chats::with(text).passes(server.address());
}
