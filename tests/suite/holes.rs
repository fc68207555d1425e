//! Holes and variables on live connections.

use crate::support::chats::Chats;
use crate::support::custom_server::{Reply, line_server, say};
use crate::support::server::TestServer;

fn job_server() -> String {
    line_server("", |line| match line.split(' ').collect::<Vec<_>>()[..] {
        ["put"] => say("INSERTED 42"),
        ["delete", "42"] => say("DELETED"),
        ["close"] => Reply::Close,
        _ => say("NOT_FOUND"),
    })
}

#[test]
fn a_value_of_the_server_is_sent_back() {
    let text = "C: put\nS\\ INSERTED \\{id=9}\nC\\ delete \\{id}\nS: DELETED\nC: close\nS EOF\n";
    let chats = Chats::with(text);
    chats.passes(&job_server());
    chats
        .update(&job_server(), &["t.chat"])
        .run()
        .succeeds_with("SAME t.chat\n0 updated, 1 unchanged, 0 failed\n");
    assert_eq!(chats.read("t.chat"), text);
}

#[test]
fn values_from_the_command_line() {
    let chats = Chats::with("C: put\nS\\ INSERTED \\{id}\nC\\ \\{command}\nS: DELETED\nC: close\nS EOF\n");
    let check = |settings: &[&str]| {
        let settings: Vec<_> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
        chats.check(&job_server(), &["t.chat"]).args(&settings).run()
    };
    check(&["command=delete 42"]).succeeds_with("PASS t.chat\n1 passed, 0 failed\n");
    check(&["command=delete 42", "id=42"]).succeeds_with("PASS t.chat\n1 passed, 0 failed\n");
    check(&["command=delete 42", "id=43"])
        .reports(3, &[r"-S\ INSERTED \{id}", "+S: INSERTED 42", "note: id = 43"]);
    for (settings, message) in [
        (&[][..], r"t.chat:3: expected a value for the client to send"),
        (&["command=x", "other=x"], "--set other: no transcript has a hole of this name"),
        (&["command=x", "command=y"], "'command' is set twice"),
        (&["command="], "the value is empty"),
        (&["command=a\nb"], "the value has a CR or LF"),
        (&["2=x"], "expected a name of letters, digits and '_' before the '='"),
        (&["command"], "expected NAME=VALUE"),
    ] {
        check(settings).fails_with(2, &[message]);
    }
}

#[test]
fn a_mock_takes_values_too_and_each_client_has_its_own_variables() {
    let chats = Chats::with("S\\ \\{greeting}\nC\\ \\{tag} HELLO\nS\\ \\{tag} OK\nS EOF\n");
    let path = chats.path("t.chat");
    let mock = TestServer::start(&["--play", path.to_str().unwrap(), "--set", "greeting=hi there"]);
    for tag in ["a", "b"] {
        chats.write("client.chat", format!("S: hi there\nC: {tag} HELLO\nS: {tag} OK\nS EOF\n"));
        chats
            .check(mock.address(), &["client.chat"])
            .run()
            .succeeds_with("PASS client.chat\n1 passed, 0 failed\n");
    }
}
