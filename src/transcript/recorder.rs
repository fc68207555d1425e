//! Writes down a conversation while it goes on, as text to be appended to a file.

use std::mem;

use super::format::{Item, LineEnding, Side};
use super::holdback::{Event, Holdback};
use super::secrets::Secrets;
use super::writer::{LONGEST_PIECE, masked_literals, notation};

/// How many bytes wait for a first complete line. Then the line ending is LF.
const LONGEST_HELD: usize = 64 * 1024;

/// Records one conversation. Each call returns the text that is certain by then.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    holdback: Holdback,
    /// The line ending of the first complete line. Until there is one, items are held back, within limits.
    eol: Option<LineEnding>,
    held: Vec<Item>,
    held_bytes: usize,
    has_started: bool,
    /// The start of a line.
    partial: Option<(Side, Vec<u8>)>,
    state: State,
    tls: Tls,
}

/// Whether the recording ends if the client starts a TLS handshake.
#[derive(Debug, Default)]
enum Tls {
    /// It does not.
    #[default]
    Recorded,
    /// The client's turn is about to start, or started with these bytes, which may become a `ClientHello`.
    Awaited(Vec<u8>),
    /// The client's turn started differently.
    NotNow,
}

/// What a recording ends with if TLS starts.
const TLS_COMMENT: &str = "# TLS starts here; what follows is encrypted, and not recorded\n";

/// Who may still say something.
///
/// ```text
///   Open ── C EOF ──► ClientEnded ── S EOF, S RST ──► Over
///    │ └── S EOF ──► ServerEnded ── C EOF, reset ──────▲
///    └── S RST ────────────────────────────────────────┘
/// ```
#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Open,
    ClientEnded,
    /// The client may go on sending. Only if it has, its end is worth an item.
    ServerEnded {
        client_went_on: bool,
    },
    Over,
}

impl Recorder {
    /// Writes lines without a `%eol` before them, for one that is known already.
    pub(crate) fn with_eol(eol: LineEnding) -> Self {
        Self { eol: Some(eol), has_started: true, ..Self::default() }
    }

    /// Writes holes in place of these secrets.
    #[must_use]
    pub(crate) fn masking(self, secrets: Secrets) -> Self {
        Self { holdback: Holdback::new(secrets), ..self }
    }

    /// Ends the recording if the client starts a TLS handshake, for an observer that sees only the cipher text. The
    /// client waits for the server before it does (RFC 3207, section 4, for example), so its turn starts with that.
    pub(crate) fn end_at_tls(&mut self) {
        self.tls = Tls::Awaited(Vec::new());
    }

    /// Takes what a side says: client bytes when they are handed to the socket, server bytes when they are read.
    pub(crate) fn say(&mut self, side: Side, bytes: &[u8]) -> String {
        if self.holdback.is_certain(bytes) {
            return self.add(side, bytes);
        }
        let events = self.holdback.take(Event::Said(side, bytes.to_vec()));
        self.add_all(events)
    }

    /// Takes a side's EOF.
    pub(crate) fn end(&mut self, side: Side) -> String {
        let events = self.holdback.take(Event::Ended(side));
        self.add_all(events)
    }

    /// Takes a reset of the connection by the server.
    pub(crate) fn reset(&mut self) -> String {
        let events = self.holdback.take(Event::Reset);
        self.add_all(events)
    }

    /// Ends a recording that may have no ending. Nothing is recorded after this.
    pub(crate) fn finish(&mut self) -> String {
        let events = self.holdback.finish();
        self.add_all(events) + &self.stop()
    }

    fn add_all(&mut self, events: Vec<Event>) -> String {
        let texts = events.into_iter().map(|event| match event {
            Event::Said(side, bytes) => self.add(side, &bytes),
            Event::Ended(side) => self.add_end(side),
            Event::Reset => self.add_reset(),
        });
        texts.collect()
    }

    fn add(&mut self, side: Side, bytes: &[u8]) -> String {
        match (self.state, side) {
            _ if bytes.is_empty() => return String::new(),
            (State::Open, _) | (State::ClientEnded, Side::Server) => {}
            (State::ServerEnded { .. }, Side::Client) => {
                self.state = State::ServerEnded { client_went_on: true };
            }
            (State::ClientEnded, Side::Client)
            | (State::ServerEnded { .. }, Side::Server)
            | (State::Over, _) => return String::new(),
        }
        match (side, mem::take(&mut self.tls)) {
            (_, Tls::Recorded) => self.say_more(side, bytes),
            (Side::Server, tls) => {
                self.tls = tls;
                let text = self.release();
                self.tls = Tls::Awaited(Vec::new());
                text + &self.say_more(side, bytes)
            }
            (Side::Client, Tls::NotNow) => {
                self.tls = Tls::NotNow;
                self.say_more(side, bytes)
            }
            (Side::Client, Tls::Awaited(mut start)) => {
                start.extend_from_slice(bytes);
                match starts_tls(&start) {
                    Some(true) => self.stop() + TLS_COMMENT,
                    Some(false) => {
                        self.tls = Tls::NotNow;
                        self.say_more(side, &start)
                    }
                    None => {
                        self.tls = Tls::Awaited(start);
                        String::new()
                    }
                }
            }
        }
    }

    /// Writes what was held back of a turn that did not become a `ClientHello`.
    fn release(&mut self) -> String {
        match &mut self.tls {
            Tls::Awaited(start) => {
                let start = mem::take(start);
                if start.is_empty() { String::new() } else { self.say_more(Side::Client, &start) }
            }
            Tls::Recorded | Tls::NotNow => String::new(),
        }
    }

    fn say_more(&mut self, side: Side, bytes: &[u8]) -> String {
        let mut text = String::new();
        let mut said = match self.partial.take() {
            Some((same, partial)) if same == side => partial,
            Some((other, partial)) => {
                text = self.write(Item::Literal(other, partial));
                Vec::new()
            }
            None => Vec::new(),
        };
        said.extend_from_slice(bytes);
        let complete = memchr::memrchr(b'\n', &said).map_or(0, |line_feed| line_feed + 1);
        let pieces = (said.len() - complete) / LONGEST_PIECE * LONGEST_PIECE;
        let complete = complete + self.holdback.secrets().cut(&said[complete..], pieces);
        let partial = said.split_off(complete);
        if !said.is_empty() {
            self.learn_eol(&said);
            text += &self.write(Item::Literal(side, said));
        }
        if !partial.is_empty() {
            self.partial = Some((side, partial));
        }
        text
    }

    fn add_end(&mut self, side: Side) -> String {
        let (next, is_written) = match (self.state, side) {
            (State::Open, Side::Client) => (State::ClientEnded, true),
            (State::Open, Side::Server) => (State::ServerEnded { client_went_on: false }, true),
            (State::ClientEnded, Side::Server) => (State::Over, true),
            (State::ServerEnded { client_went_on }, Side::Client) => (State::Over, client_went_on),
            (State::ClientEnded, Side::Client)
            | (State::ServerEnded { .. }, Side::Server)
            | (State::Over, _) => return String::new(),
        };
        let released = self.release();
        self.state = next;
        released
            + &self.flush()
            + &if is_written { self.write(Item::End(side)) } else { String::new() }
            + &self.write_if_over()
    }

    fn add_reset(&mut self) -> String {
        match self.state {
            State::Open | State::ClientEnded => {
                let released = self.release();
                self.state = State::Over;
                released + &self.flush() + &self.write(Item::Reset) + &self.write_if_over()
            }
            // `S RST` may not follow `S EOF`.
            State::ServerEnded { .. } => self.stop(),
            State::Over => String::new(),
        }
    }

    fn stop(&mut self) -> String {
        let released = self.release();
        self.state = State::Over;
        released + &self.flush() + &self.write_if_over()
    }

    /// Writes the items that were held back, now that no complete line can follow.
    fn write_if_over(&mut self) -> String {
        match self.state {
            State::Over => {
                self.eol.get_or_insert_default();
                self.write_held()
            }
            State::Open | State::ClientEnded | State::ServerEnded { .. } => String::new(),
        }
    }

    /// Writes the start of a line, if there is one, without waiting for the rest.
    pub(crate) fn flush(&mut self) -> String {
        match self.partial.take() {
            Some((side, partial)) => self.write(Item::Literal(side, partial)),
            None => String::new(),
        }
    }

    fn learn_eol(&mut self, said: &[u8]) {
        self.eol.get_or_insert_with(|| {
            let line = said.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
            if line.ends_with(b"\r\n") { LineEnding::Crlf } else { LineEnding::Lf }
        });
    }

    fn write(&mut self, item: Item) -> String {
        if let Item::Literal(_, bytes) = &item {
            self.held_bytes += bytes.len();
        }
        self.held.push(item);
        if self.held_bytes >= LONGEST_HELD {
            self.eol.get_or_insert_default();
        }
        if self.eol.is_some() { self.write_held() } else { String::new() }
    }

    fn write_held(&mut self) -> String {
        let eol = self.eol.unwrap_or_default();
        let mut text = String::new();
        // Nothing is written before the line ending is known, so this is the start of the file.
        if !mem::replace(&mut self.has_started, true) && eol == LineEnding::Crlf {
            text.push_str("%eol crlf\n");
        }
        self.held_bytes = 0;
        for item in self.held.drain(..) {
            let lines = match &item {
                Item::Literal(side, bytes) => masked_literals(*side, bytes, eol, self.holdback.secrets()),
                item => vec![notation(item, eol)],
            };
            for line in lines {
                text += &line;
                text.push('\n');
            }
        }
        text
    }
}

/// Whether these bytes start a TLS record with a `ClientHello` (RFC 8446, sections 4 and 5.1). `None` if they are too few
/// to say.
fn starts_tls(bytes: &[u8]) -> Option<bool> {
    let is_right = |(index, &byte): (usize, &u8)| match index {
        0 => byte == 22,
        // The version, which is that of TLS 1.0 to 1.3.
        1 => byte == 3,
        2 => byte <= 4,
        // The length.
        3 => byte <= 0x40,
        4 => true,
        _ => byte == 1,
    };
    let start = &bytes[..bytes.len().min(6)];
    if !start.iter().enumerate().all(is_right) {
        return Some(false);
    }
    (start.len() == 6).then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transcript::Secret;

    #[test]
    fn joins_and_cuts_what_was_said_and_writes_the_ending() {
        let mut recorder = Recorder::default();
        let text = [
            recorder.say(Side::Server, b"login: "),
            recorder.say(Side::Client, b"an"),
            recorder.say(Side::Client, b"na\r\nquit\r\nre"),
            recorder.say(Side::Server, b"hello\n"),
            recorder.end(Side::Client),
            recorder.say(Side::Client, b"no more"),
            recorder.end(Side::Server),
            recorder.say(Side::Server, b"no more"),
            recorder.reset(),
            recorder.finish(),
        ];
        let expected = "%eol crlf\nS\\ login: \\\nC: anna\nC: quit\nC\\ re\\\nS\\ hello\\n\\\nC EOF\nS EOF\n";
        assert_eq!(text.concat(), expected);
        assert!(text[2].starts_with("%eol crlf"), "what is certain is written at once");
    }

    #[test]
    fn a_client_that_goes_on_after_the_server_s_end_is_recorded() {
        let mut recorder = Recorder::default();
        let text = [
            recorder.end(Side::Server),
            recorder.say(Side::Client, b"one\r\ntw"),
            recorder.say(Side::Server, b"no more"),
            recorder.say(Side::Client, b"o"),
            recorder.end(Side::Client),
            recorder.say(Side::Client, b"no more"),
            recorder.finish(),
        ];
        assert_eq!(text.concat(), "%eol crlf\nS EOF\nC: one\nC\\ two\\\nC EOF\n");
        // An end alone is not worth an item.
        let mut recorder = Recorder::default();
        assert_eq!(recorder.end(Side::Server) + &recorder.end(Side::Client), "S EOF\n");
        // A server that has ended cannot reset as well.
        let mut recorder = Recorder::default();
        let text = recorder.end(Side::Server) + &recorder.say(Side::Client, b"one\n") + &recorder.reset();
        assert_eq!(text, "S EOF\nC: one\n");
    }

    #[test]
    fn keeps_what_was_said_before_an_interruption() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.say(Side::Client, b"half"), "");
        assert_eq!(recorder.finish(), "C\\ half\\\n");
    }

    #[test]
    fn does_not_wait_forever_for_a_line() {
        let mut recorder = Recorder::default();
        let prompt = vec![b'a'; 30_000];
        let mut written = 0;
        for round in 0..100 {
            written += recorder.say(Side::Client, &prompt).len() + recorder.say(Side::Server, &prompt).len();
            let said = (round + 1) * 2 * prompt.len();
            assert!(said < written + 2 * LONGEST_PIECE, "{said} bytes said, {written} written");
        }
        assert_eq!(recorder.say(Side::Client, b"\r\n"), format!("S\\ {}\\\nC\\ \\r\n", "a".repeat(30_000)));
    }

    fn hiding(values: &[(&str, &str)]) -> Recorder {
        let secret = |(name, value): &(&str, &str)| Secret::new(name, value.as_bytes()).unwrap();
        Recorder::default().masking(values.iter().map(secret).collect())
    }

    #[test]
    fn writes_holes_in_place_of_secrets() {
        let mut recorder = hiding(&[("pw", "hunter2"), ("user", "anna")]);
        let text = [
            recorder.say(Side::Server, b"login: "),
            recorder.say(Side::Client, b"an"),
            recorder.say(Side::Client, b"na\nhunt"),
            recorder.say(Side::Client, b"er"),
            recorder.say(Side::Client, b"2\nto be hu"),
            recorder.say(Side::Server, b"h"),
            recorder.say(Side::Server, b"unter2anna, hi"),
            recorder.end(Side::Client),
            recorder.say(Side::Server, b"hunte"),
            recorder.finish(),
        ];
        assert_eq!(
            text.concat(),
            "S\\ login: \\\nC\\ \\{user}\nC\\ \\{pw}\nC\\ to be hu\\\nS\\ \\{pw}\\{user}, hi\\\nC EOF\nS\\ hunte\\\n"
        );
    }

    #[test]
    fn a_secret_in_a_long_line_is_not_cut() {
        for before in LONGEST_PIECE - 8..=LONGEST_PIECE + 1 {
            for pieces in [7, 40_000] {
                let line =
                    ["x".repeat(before), "hunter2".to_owned(), "y".repeat(10), "\n".to_owned()].concat();
                let mut recorder = hiding(&[("pw", "hunter2")]);
                let mut text: String =
                    line.as_bytes().chunks(pieces).map(|piece| recorder.say(Side::Client, piece)).collect();
                text += &recorder.finish();
                assert_eq!(text.matches(r"\{pw}").count(), 1);
                assert!(!text.contains("hunter2"), "{before} {pieces}");
            }
        }
    }

    #[test]
    fn ends_at_tls_however_it_arrives_and_only_there() {
        let start = "S: 220 ready\nC: STARTTLS\nS: 220 go ahead\n";
        let hello = b"\x16\x03\x01\x02\x0a\x01\x00\x01\n";
        let record = |turn: &[u8], cut: usize, is_ended_at_tls: bool| {
            let mut recorder = Recorder::default();
            if is_ended_at_tls {
                recorder.end_at_tls();
            }
            let (first, second) = turn.split_at(cut);
            [
                recorder.say(Side::Server, b"220 ready\n"),
                recorder.say(Side::Client, b"STARTTLS\n"),
                recorder.say(Side::Server, b"220 go ahead\n"),
                recorder.say(Side::Client, first),
                recorder.say(Side::Client, second),
                recorder.say(Side::Server, b"\x16\x03\x03\n"),
                recorder.end(Side::Client),
            ]
            .concat()
        };
        for cut in 0..hello.len() {
            assert_eq!(record(hello, cut, true), format!("{start}{TLS_COMMENT}"), "{cut}");
            assert!(record(hello, cut, false).ends_with("C EOF\n"));
            // Not at the start of a turn.
            assert!(record(&[b"x\n", &hello[..]].concat(), cut, true).contains("C: x\nC\\ \\x16"), "{cut}");
        }
        for cut in 0..6 {
            // Too little.
            let expected = record(&hello[..5], 5, false);
            assert_eq!(record(&hello[..5], cut.min(5), true), expected, "{cut}");
        }
        let mut recorder = Recorder::default();
        recorder.end_at_tls();
        assert_eq!(recorder.say(Side::Client, hello), TLS_COMMENT);
        let mut recorder = Recorder::default();
        recorder.end_at_tls();
        assert_eq!(recorder.say(Side::Client, b"\x16") + &recorder.reset(), "C\\ \\x16\\\nS RST\n");
    }

    #[test]
    fn knows_a_reset() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.say(Side::Client, b"x\n") + &recorder.reset(), "C: x\nS RST\n");
        assert_eq!(Recorder::default().reset(), "S RST\n");
    }
}
