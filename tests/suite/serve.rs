//! `capchat serve`, as its clients see it.

use crate::support::TestServer;

#[test]
fn answers_in_capitals() {
    let server = TestServer::start(&[]);
    let mut client = server.connect();
    client.send("hello\r\nstraße\n");
    client.expect("HELLO\r\nSTRASSE\n");
}
