//! `capchat connect` on a terminal: what a person types and sees, and the state the terminal is left in.
//!
//! | a test of | goes to |
//! |---|---|
//! | lines, replies and pasted blocks; Ctrl-D; `--lockstep` | `conversation` |
//! | the other keys, control characters, bytes that are not UTF-8 | `editing` |
//! | what is typed while there is no prompt | `type_ahead` |
//! | what the server sends unasked | `unasked` |
//! | prompts and requests for passwords of the server | `servers_prompt` |
//! | the history | `history` |
//! | how it ends, and signals | `end` |
//! | colors and notices | `look` |
//! | dumb terminals | `dumb` |

mod conversation;
mod dumb;
mod editing;
mod end;
mod history;
mod look;
mod servers_prompt;
mod type_ahead;
mod unasked;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;

use crate::support::client::Client;
use crate::support::custom_server::custom_server;
use crate::support::terminal::{Setup, Terminal};
use crate::support::wait::DEADLINE;

const BACKSPACE: &str = "\x7f";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_L: &str = "\x0c";
const CTRL_R: &str = "\x12";
const CTRL_V: &str = "\x16";
const CTRL_Z: &str = "\x1a";
const ESC: &str = "\x1b";
const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";

/// The prompt, before anything is typed.
const EMPTY_PROMPT: &str = "enter your message: ▏";

/// A terminal that shows the prompt, and the other end of its connection: the test is the server.
#[track_caller]
fn chat(args: &[&str]) -> (Terminal, Client) {
    chat_on(|terminal| terminal.args(args))
}

#[track_caller]
fn chat_on(set_up: impl FnOnce(Setup) -> Setup) -> (Terminal, Client) {
    let (sender, connections) = channel();
    let address = custom_server(move |stream| drop(sender.send(Client { stream })));
    let terminal = set_up(Terminal::connect(&address)).start();
    terminal.wait_for(EMPTY_PROMPT);
    let server = connections.recv_timeout(DEADLINE).expect("a connection");
    (terminal, server)
}

/// Runs a test whose keys must arrive before the prompt returns by itself, half a second after a line was sent. A busy
/// machine may need several attempts.
#[track_caller]
fn in_time(test: impl Fn()) {
    let has_passed = |_| catch_unwind(AssertUnwindSafe(&test)).is_ok();
    if !(0..3).any(has_passed) {
        test();
    }
}

/// Types a line at the prompt, and waits for its reply and the next prompt.
#[track_caller]
fn exchange(terminal: &Terminal, line: &str, reply: &str) {
    terminal.wait_for(EMPTY_PROMPT);
    terminal.type_keys(format!("{line}\r"));
    terminal.wait_for(&format!("enter your message: {line}\n{reply}\n{EMPTY_PROMPT}"));
}
