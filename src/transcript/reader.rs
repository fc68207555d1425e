//! Reads transcripts. An error names the line, what was expected and what was found.

mod text;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::format::{
    Connection, DEFAULT_GAP, DEFAULT_TIMEOUT, Entry, Item, LineEnding, Pattern, Side, Transcript,
};
use crate::duration;
use crate::text::printable;

/// The longest line of a file, in bytes. Nobody types a longer one.
const LONGEST_LINE: usize = 1024 * 1024;

/// How much of a line an error shows, in characters.
const SHOWN: usize = 40;

const ANY_LINE: &str = "'C:', 'S:', 'C\\', 'S\\', 'S~', 'S ...', 'S ?', 'C EOF', 'S EOF', 'S RST', 'C WAIT', \
                        'S WAIT', 'S QUIET', 'C ...', 'C2:', 'C2 CONNECT', '%eol', '%timeout', '%gap' or '#'";

/// Why a file is not a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    pub(crate) path: PathBuf,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What was expected, and what was found.
    pub(crate) message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads a transcript from the bytes of its file. Returns an error at the first line that is not part of one.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Transcript, ParseError> {
    let fail = |line, message| ParseError { path: path.to_owned(), line, message };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        let line = 1 + memchr::memchr_iter(b'\n', valid).count();
        fail(line, format!(r"expected UTF-8, found the byte 0x{0:02x} (write it as '\x{0:02x}')", rest[0]))
    })?;
    let mut reader = Reader::default();
    let source: Vec<String> = text.split_terminator('\n').map(str::to_owned).collect();
    for (index, line) in source.iter().enumerate() {
        // Some editors write a byte order mark, and a carriage return at the end of each line.
        let line = if index == 0 { line.trim_start_matches('\u{feff}') } else { line };
        let line = line.strip_suffix('\r').unwrap_or(line);
        reader.take(index + 1, line).map_err(|message| fail(index + 1, message))?;
    }
    Ok(Transcript {
        path: path.to_owned(),
        eol: reader.eol.unwrap_or_default(),
        timeout: reader.timeout.unwrap_or(DEFAULT_TIMEOUT),
        gap: reader.gap.unwrap_or(DEFAULT_GAP),
        entries: reader.entries,
        source,
    })
}

#[derive(Default)]
struct Reader {
    eol: Option<LineEnding>,
    timeout: Option<std::time::Duration>,
    gap: Option<std::time::Duration>,
    entries: Vec<Entry>,
    said: BTreeMap<Connection, Said>,
}

/// What is known about the items of a connection, each by its line.
#[derive(Default)]
struct Said {
    first: Option<usize>,
    /// The last one, if that is a skip; pauses do not count.
    skip: Option<(Side, usize)>,
    /// The last server item of this turn, and whether that is a placeholder; pauses do not count.
    turn: Option<(bool, usize)>,
    client_end: Option<usize>,
    server_end: Option<usize>,
    reset: Option<usize>,
}

impl Reader {
    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.len() > LONGEST_LINE {
            return Err(format!(
                "expected a line of at most {LONGEST_LINE} bytes, found {} bytes (a trailing '\\' continues a 'P\\' \
                 line in the next one)",
                line.len()
            ));
        }
        let line = line.trim_start_matches([' ', '\t']);
        match line.chars().next() {
            None | Some('#') => Ok(()),
            Some('%') => self.directive(line.trim_end()),
            Some(_) => {
                let (connection, item) = item(line, self.eol.unwrap_or_default())?;
                let said = self.said.entry(connection).or_default();
                said.check_order(connection, &item)?;
                said.add(number, &item);
                self.entries.push(Entry { line: number, connection, item });
                Ok(())
            }
        }
    }

    fn directive(&mut self, line: &str) -> Result<(), String> {
        let (name, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let value = value.trim();
        let is_new = match name {
            "%eol" => {
                let eol = match value {
                    "lf" => LineEnding::Lf,
                    "crlf" => LineEnding::Crlf,
                    _ => return Err(format!("expected '%eol lf' or '%eol crlf', found {}", quote(line))),
                };
                self.eol.replace(eol).is_none()
            }
            "%timeout" => {
                let timeout = duration::parse_positive(value).map_err(|_| {
                    format!("expected a positive duration such as '%timeout 5s', found {}", quote(line))
                })?;
                self.timeout.replace(timeout).is_none()
            }
            "%gap" => {
                let gap = duration::parse_positive(value).map_err(|_| {
                    format!("expected a positive duration such as '%gap 100ms', found {}", quote(line))
                })?;
                self.gap.replace(gap).is_none()
            }
            _ => return Err(format!("expected '%eol', '%timeout' or '%gap', found {}", quote(line))),
        };
        if !self.entries.is_empty() {
            return Err(format!("expected directives before the first item, found {name} after one"));
        }
        if is_new { Ok(()) } else { Err(format!("expected at most one {name}, found a second one")) }
    }
}

impl Said {
    fn add(&mut self, number: usize, item: &Item) {
        self.first.get_or_insert(number);
        match item {
            Item::Wait(..) => return,
            Item::End(Side::Client) => self.client_end = Some(number),
            Item::End(Side::Server) => self.server_end = Some(number),
            Item::Reset => self.reset = Some(number),
            Item::Literal(..)
            | Item::Template(..)
            | Item::Pattern(..)
            | Item::Skip(..)
            | Item::Placeholder
            | Item::Connect(_)
            | Item::Quiet(_) => {}
        }
        self.turn = match item.side() {
            Side::Client => None,
            Side::Server => Some((*item == Item::Placeholder, number)),
        };
        self.skip = if let Item::Skip(side, _) = item { Some((*side, number)) } else { None };
    }

    /// Nothing may come before an opening, or follow a side's EOF on that side, or follow a reset at all.
    fn check_order(&self, connection: Connection, item: &Item) -> Result<(), String> {
        let side = item.side();
        let letter = connection.letter(side);
        if let (Item::Connect(_), Some(line)) = (item, self.first) {
            let found = format!("the first one on line {line}");
            return Err(format!(
                "expected '{letter} CONNECT' before all other items of {connection}, found {found}"
            ));
        }
        if let (Item::Skip(..), Some((last, line))) = (item, self.skip)
            && last == side
        {
            let found = format!("'{letter} ...' after the one on line {line}");
            let article = if side == Side::Client { "a" } else { "an" };
            return Err(format!("expected {article} {letter} item between two skips, found {found}"));
        }
        if let Some((is_placeholder, line)) = self.turn
            && side == Side::Server
            && !matches!(item, Item::Wait(..))
            && (is_placeholder || *item == Item::Placeholder)
        {
            let found = if is_placeholder { "one after that" } else { "another one" };
            return Err(format!(
                "expected '{letter} ?' to be the only {letter} item of its turn, found {found} on line {line}"
            ));
        }
        if let Some(line) = self.reset {
            let reset = connection.letter(Side::Server);
            let found = format!("{letter} item after {reset} RST on line {line}");
            let expected = if connection == Connection::FIRST {
                "the end of the transcript".to_owned()
            } else {
                format!("no more items of {connection}")
            };
            return Err(format!("expected {expected}, found {found}"));
        }
        let end = match side {
            Side::Client => self.client_end,
            Side::Server => self.server_end,
        };
        end.map_or(Ok(()), |line| {
            let found = format!("{letter} item after {letter} EOF on line {line}");
            let expected = if connection == Connection::FIRST {
                format!("{} items or the end of the transcript", side.other().letter())
            } else {
                format!("no more {letter} items")
            };
            Err(format!("expected {expected}, found {found}"))
        })
    }
}

fn item(line: &str, eol: LineEnding) -> Result<(Connection, Item), String> {
    let mut characters = line.chars();
    let side = match characters.next() {
        Some('C') => Side::Client,
        Some('S') => Side::Server,
        _ => return Err(not_an_item(line)),
    };
    let (connection, rest) = numbered(characters.as_str()).ok_or_else(|| {
        let letter = side.letter();
        format!(
            "expected '{letter}:' for connection 1 or '{letter}2:' to '{letter}9:', found {}",
            quote(line)
        )
    })?;
    item_of(side, connection, rest, line, eol).map(|item| (connection, item))
}

/// The connection whose number is at the start of a text, and what comes after that.
fn numbered(text: &str) -> Option<(Connection, &str)> {
    let after = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    match &text[..text.len() - after.len()] {
        "" => Some((Connection::FIRST, text)),
        number => {
            let digit = number.parse().ok()?;
            Some((Connection::from_digit(digit)?, after))
        }
    }
}

/// The item with this text after its letter and number.
fn item_of(
    side: Side,
    connection: Connection,
    rest: &str,
    line: &str,
    eol: LineEnding,
) -> Result<Item, String> {
    let letter = connection.letter(side);
    let form = rest.chars().next().unwrap_or_default();
    match form {
        ':' | '\\' | '~' => {
            let rest = &rest[1..];
            let text = match rest.strip_prefix(' ') {
                Some(text) => text,
                None if rest.is_empty() => "",
                None => {
                    return Err(format!("expected a space after '{letter}{form}', found {}", quote(line)));
                }
            };
            match form {
                ':' => Ok(Item::Literal(side, [text.as_bytes(), eol.bytes()].concat())),
                '\\' => text::item(side, text, eol),
                _ if text.is_empty() => {
                    Err(format!("expected a regular expression after '{letter}~', found nothing"))
                }
                _ => Pattern::new(text).map(|pattern| Item::Pattern(side, pattern)).map_err(|error| {
                    format!("expected a regular expression, found {} ({error})", quote(line))
                }),
            }
        }
        ' ' if side == Side::Server && rest.starts_with(" ... ") && !rest[5..].trim().is_empty() => {
            skip(&rest[5..])
                .map_err(|error| format!("expected a regular expression, found {} ({error})", quote(line)))
        }
        _ => keyword(side, connection, rest.trim_end()).unwrap_or_else(|| Err(not_an_item(line))),
    }
}

/// The item `S ... regex`.
fn skip(source: &str) -> Result<Item, String> {
    let pattern = Pattern::new(source)?;
    if let Some(name) = pattern.names().next() {
        return Err(format!("the group '{name}' would match many lines"));
    }
    Ok(Item::Skip(Side::Server, Some(pattern)))
}

fn not_an_item(line: &str) -> String {
    format!("expected a line that starts with {ANY_LINE}, found {}", quote(line))
}

fn keyword(side: Side, connection: Connection, rest: &str) -> Option<Result<Item, String>> {
    let (word, value) = match rest.strip_prefix(' ')?.split_once(' ') {
        Some((word, value)) => (word, Some(value.trim_start())),
        None => (&rest[1..], None),
    };
    let with_duration = |item: fn(Side, std::time::Duration) -> Item| {
        let letter = connection.letter(side);
        duration::parse(value.unwrap_or_default()).map(|time| item(side, time)).map_err(|_| {
            let found = quote(&format!("{letter}{rest}"));
            format!("expected a duration such as '{letter} {word} 200ms', found {found}")
        })
    };
    match (side, word, value) {
        (_, "EOF", None) => Some(Ok(Item::End(side))),
        (_, "...", None) => Some(Ok(Item::Skip(side, None))),
        (Side::Server, "?", None) => Some(Ok(Item::Placeholder)),
        (Side::Server, "RST", None) => Some(Ok(Item::Reset)),
        (Side::Client, "CONNECT", _) if connection == Connection::FIRST => {
            let expected = "'C2 CONNECT' to 'C9 CONNECT'";
            let found = quote(&format!("C{rest}"));
            Some(Err(format!(
                "expected {expected} (connection 1 has the address of the server), found {found}"
            )))
        }
        (Side::Client, "CONNECT", address) => Some(address.map(text::address).transpose().map(Item::Connect)),
        (_, "WAIT", _) => Some(with_duration(Item::Wait)),
        (Side::Server, "QUIET", _) => Some(with_duration(|_, time| Item::Quiet(time))),
        _ => None,
    }
}

/// The start of what was found, in quotes and safe to print.
fn quote(text: &str) -> String {
    let mut quoted = printable(&text.chars().take(SHOWN).collect::<String>());
    if text.chars().nth(SHOWN).is_some() {
        quoted.push_str("...");
    }
    format!("'{quoted}'")
}
