//! Writes a conversation down while it goes on, as text to be appended to a file.

use super::format::{Item, LineEnding, Side};
use super::writer::{LONGEST_PIECE, literals, notation};

/// Records one conversation. What each call gives is the text that is certain by then.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    /// Follows the first complete line; until then, items are held back.
    eol: Option<LineEnding>,
    held: Vec<Item>,
    has_begun: bool,
    /// The beginning of a line.
    partial: Option<(Side, Vec<u8>)>,
    has_client_ended: bool,
    is_over: bool,
}

impl Recorder {
    /// Takes what a side says: the client's when it is handed to the socket, the server's when it is read.
    #[must_use]
    pub(crate) fn say(&mut self, side: Side, bytes: &[u8]) -> String {
        if bytes.is_empty() || self.is_over || (side == Side::Client && self.has_client_ended) {
            return String::new();
        }
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
        let whole = memchr::memrchr(b'\n', &said).map_or(0, |line_feed| line_feed + 1);
        let whole = whole + (said.len() - whole) / LONGEST_PIECE * LONGEST_PIECE;
        let partial = said.split_off(whole);
        if !said.is_empty() {
            self.learn_eol(&said);
            text += &self.write(Item::Literal(side, said));
        }
        if !partial.is_empty() {
            self.partial = Some((side, partial));
        }
        text
    }

    /// Takes the end of a side.
    #[must_use]
    pub(crate) fn end(&mut self, side: Side) -> String {
        if self.is_over || (side == Side::Client && self.has_client_ended) {
            return String::new();
        }
        match side {
            Side::Client => self.has_client_ended = true,
            Side::Server => self.is_over = true,
        }
        self.flush() + &self.write(Item::End(side)) + &self.finish_if_over()
    }

    /// Takes a reset of the connection by the server.
    #[must_use]
    pub(crate) fn reset(&mut self) -> String {
        if std::mem::replace(&mut self.is_over, true) {
            return String::new();
        }
        self.flush() + &self.write(Item::Reset) + &self.finish_if_over()
    }

    /// What is left, where nothing more is told.
    #[must_use]
    pub(crate) fn finish(&mut self) -> String {
        self.is_over = true;
        self.flush() + &self.finish_if_over()
    }

    fn finish_if_over(&mut self) -> String {
        if !self.is_over || self.eol.is_some() {
            return String::new();
        }
        self.eol = Some(LineEnding::Lf);
        self.write_held()
    }

    fn flush(&mut self) -> String {
        self.partial
            .take()
            .map_or_else(String::new, |(side, partial)| self.write(Item::Literal(side, partial)))
    }

    fn learn_eol(&mut self, said: &[u8]) {
        if self.eol.is_none() {
            let line = said.split_inclusive(|&byte| byte == b'\n').next().unwrap_or_default();
            self.eol = Some(if line.ends_with(b"\r\n") { LineEnding::Crlf } else { LineEnding::Lf });
        }
    }

    fn write(&mut self, item: Item) -> String {
        self.held.push(item);
        if self.eol.is_some() { self.write_held() } else { String::new() }
    }

    fn write_held(&mut self) -> String {
        let eol = self.eol.unwrap_or_default();
        let mut text = String::new();
        // Nothing is held back from the moment when the end of line is known: so this is the beginning.
        if !self.has_begun {
            self.has_begun = true;
            if eol == LineEnding::Crlf {
                text.push_str("%eol crlf\n");
            }
        }
        for item in std::mem::take(&mut self.held) {
            let lines = match &item {
                Item::Literal(side, bytes) => literals(*side, bytes, eol),
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn keeps_what_was_said_before_an_interruption() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.say(Side::Client, b"half"), "");
        assert_eq!(recorder.finish(), "C\\ half\\\n");
    }

    #[test]
    fn knows_a_reset() {
        let mut recorder = Recorder::default();
        assert_eq!(recorder.say(Side::Client, b"x\n") + &recorder.reset(), "C: x\nS RST\n");
        assert_eq!(Recorder::default().reset(), "S RST\n");
    }
}
