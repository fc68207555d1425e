//! Holds back what may be the start of a secret, and what was said after it, until that is known.

use std::collections::VecDeque;

use super::format::Side;
use super::secrets::Secrets;

/// How many bytes of one side wait at most for what may be the start of a secret of the other side.
const LONGEST_WAIT: usize = 64 * 1024;

/// What a side does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Said(Side, Vec<u8>),
    Ended(Side),
    /// The server reset the connection.
    Reset,
}

/// Passes events on in the order in which they came, each secret in one piece.
///
/// A secret that was said in two pieces, with something of the other side between them, is passed on with the second.
#[derive(Debug, Default)]
pub(super) struct Holdback {
    secrets: Secrets,
    /// The first one is, or starts with, what may be the start of a secret. Adjacent ones of a side are joined.
    waiting: VecDeque<Event>,
}

impl Holdback {
    pub(super) fn new(secrets: Secrets) -> Self {
        Self { secrets, waiting: VecDeque::new() }
    }

    pub(super) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Whether bytes that are said now can be passed on as they are.
    pub(super) fn is_certain(&self, bytes: &[u8]) -> bool {
        self.waiting.is_empty() && self.secrets.certain(bytes) == bytes.len()
    }

    /// Takes an event, and returns those that can be passed on by now.
    pub(super) fn take(&mut self, event: Event) -> Vec<Event> {
        match (self.waiting.back_mut(), event) {
            (Some(Event::Said(last, said)), Event::Said(side, bytes)) if *last == side => said.extend(bytes),
            (_, event) => self.waiting.push_back(event),
        }
        self.pass(false)
    }

    /// Returns all events that are left: nothing follows them.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        self.pass(true)
    }

    fn pass(&mut self, is_over: bool) -> Vec<Event> {
        let mut passed = Vec::new();
        while let Some(first) = self.waiting.pop_front() {
            let Event::Said(side, mut bytes) = first else {
                passed.push(first);
                continue;
            };
            // What starts here may go on in later pieces.
            let stream = self.stream(side, &bytes);
            let is_complete = is_over || self.has_ended(side);
            let certain = if is_complete { stream.len() } else { self.secrets.certain(&stream) };
            let is_open = certain < bytes.len();
            let cut = match self.secrets.around(&stream[..certain], bytes.len()) {
                Some(secret) => secret.start,
                None => certain.min(bytes.len()),
            };
            let rest = bytes.split_off(cut);
            if !bytes.is_empty() {
                passed.push(Event::Said(side, bytes));
            }
            if is_open && !self.is_long() {
                self.waiting.push_front(Event::Said(side, rest));
                break;
            }
            self.delay(side, rest);
        }
        passed
    }

    /// These bytes and those of the same side that wait.
    fn stream(&self, side: Side, bytes: &[u8]) -> Vec<u8> {
        let mut stream = bytes.to_vec();
        for event in &self.waiting {
            if let Event::Said(same, bytes) = event
                && *same == side
            {
                stream.extend_from_slice(bytes);
            }
        }
        stream
    }

    fn has_ended(&self, side: Side) -> bool {
        self.waiting.iter().any(|event| *event == Event::Ended(side) || *event == Event::Reset)
    }

    fn is_long(&self) -> bool {
        let lengths = self.waiting.iter().map(|event| match event {
            Event::Said(_, bytes) => bytes.len(),
            Event::Ended(_) | Event::Reset => 0,
        });
        lengths.sum::<usize>() > LONGEST_WAIT
    }

    /// Puts bytes before the next ones of their side.
    fn delay(&mut self, side: Side, mut bytes: Vec<u8>) {
        let next = self.waiting.iter_mut().find_map(|event| match event {
            Event::Said(same, next) if *same == side => Some(next),
            Event::Said(..) | Event::Ended(_) | Event::Reset => None,
        });
        match next {
            Some(next) => {
                bytes.append(next);
                *next = bytes;
            }
            None if bytes.is_empty() => {}
            None => self.waiting.push_back(Event::Said(side, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Secret;
    use Side::{Client, Server};

    fn said(side: Side, text: &str) -> Event {
        Event::Said(side, text.as_bytes().to_vec())
    }

    fn holdback(values: &[&str]) -> Holdback {
        let secrets = values.iter().map(|value| Secret::new("s", value.as_bytes()).unwrap());
        Holdback::new(secrets.collect())
    }

    #[test]
    fn passes_on_what_starts_no_secret() {
        let mut holdback = holdback(&["hunter2"]);
        assert!(holdback.is_certain(b"PASS hunter2\r\nhun\r\n"));
        assert_eq!(holdback.take(said(Server, "login: ")), [said(Server, "login: ")]);
        assert_eq!(holdback.take(Event::Ended(Server)), [Event::Ended(Server)]);
        assert_eq!(holdback.finish(), []);
    }

    #[test]
    fn keeps_the_order_of_what_turns_out_to_be_no_secret() {
        let mut holdback = holdback(&["hunter2"]);
        assert_eq!(holdback.take(said(Server, "on the hunt")), [said(Server, "on the ")]);
        assert_eq!(holdback.take(said(Client, "for h")), []);
        assert_eq!(holdback.take(said(Client, "u")), []);
        assert_eq!(holdback.take(said(Server, "er1")), [said(Server, "hunt"), said(Client, "for ")]);
        assert_eq!(
            holdback.take(said(Client, "!")),
            [said(Client, "hu"), said(Server, "er1"), said(Client, "!")]
        );
    }

    #[test]
    fn a_secret_in_pieces_is_passed_on_with_the_last_one() {
        let mut holdback = holdback(&["hunter2"]);
        assert_eq!(holdback.take(said(Server, "a hun")), [said(Server, "a ")]);
        assert_eq!(holdback.take(said(Client, "x\n")), []);
        assert_eq!(holdback.take(said(Server, "t")), []);
        assert_eq!(holdback.take(said(Client, "y\n")), []);
        assert_eq!(
            holdback.take(said(Server, "er2!")),
            [said(Client, "x\n"), said(Client, "y\n"), said(Server, "hunter2!")]
        );
    }

    #[test]
    fn an_end_decides() {
        let mut one = holdback(&["hunter2"]);
        assert_eq!(one.take(said(Server, "hun")), []);
        assert_eq!(one.take(said(Client, "x\n")), []);
        assert_eq!(
            one.take(Event::Ended(Server)),
            [said(Server, "hun"), said(Client, "x\n"), Event::Ended(Server)]
        );
        assert_eq!(one.take(said(Client, "hunter")), []);
        assert_eq!(one.finish(), [said(Client, "hunter")]);
        let mut both = holdback(&["hunter2"]);
        assert_eq!(both.take(said(Server, "hun")), []);
        assert_eq!(both.take(said(Client, "hun")), []);
        assert_eq!(both.take(Event::Reset), [said(Server, "hun"), said(Client, "hun"), Event::Reset]);
    }

    #[test]
    fn the_other_side_does_not_wait_forever() {
        let mut holdback = holdback(&["hunter2"]);
        assert_eq!(holdback.take(said(Server, "hunter")), []);
        let line = "x".repeat(LONGEST_WAIT - 1) + "\n";
        assert_eq!(holdback.take(said(Client, &line)), []);
        assert_eq!(holdback.take(said(Client, "y\n")), [said(Client, &(line + "y\n"))]);
        assert_eq!(holdback.take(said(Server, "2\n")), [said(Server, "hunter2\n")]);
    }
}
