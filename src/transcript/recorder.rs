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
mod tests;
