//! `capchat connect` in pipes and scripts.

use crate::support::{Connect, TestServer};

#[test]
fn prints_the_reply() {
    let server = TestServer::start(&[]);
    Connect::to(server.address())
        .stdin("hi\n")
        .run()
        .succeeds_with("HI\n");
}
