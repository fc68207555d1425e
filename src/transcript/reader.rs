//! Reads transcripts. An error names the line, what was expected and what was found.

mod text;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use super::format::{DEFAULT_GAP, DEFAULT_TIMEOUT, Entry, Item, LineEnding, Pattern, Side, Transcript};
use crate::duration;
use crate::text::printable;

/// The longest line of a file, in bytes. Nobody types a longer one.
const LONGEST_LINE: usize = 1024 * 1024;

/// How much of a line an error shows, in characters.
const SHOWN: usize = 40;

const ANY_LINE: &str = "'C:', 'S:', 'C\\', 'S\\', 'S~', 'S ...', 'C EOF', 'S EOF', 'S RST', 'C WAIT', 'S WAIT', \
                        'S QUIET', 'C ...', '%eol', '%timeout', '%gap' or '#'";

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
    /// The lines of `C EOF`, `S EOF` and `S RST`.
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
                let item = item(line, self.eol.unwrap_or_default())?;
                self.check_order(&item)?;
                match item {
                    Item::End(Side::Client) => self.client_end = Some(number),
                    Item::End(Side::Server) => self.server_end = Some(number),
                    Item::Reset => self.reset = Some(number),
                    _ => {}
                }
                self.entries.push(Entry { line: number, item });
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

    /// Nothing may follow a side's EOF on that side, and nothing at all a reset.
    fn check_order(&self, item: &Item) -> Result<(), String> {
        let side = item.side();
        let letter = side.letter();
        let is_skip = |item: &Item| matches!(item, Item::Skip(same, _) if *same == side);
        let is_pause = |entry: &&Entry| matches!(entry.item, Item::Wait(..));
        if is_skip(item)
            && let Some(last) = self.entries.iter().rev().find(|entry| !is_pause(entry))
            && is_skip(&last.item)
        {
            let found = format!("'{letter} ...' after the one on line {}", last.line);
            return Err(format!("expected an {letter} item between two skips, found {found}"));
        }
        if let Some(line) = self.reset {
            let found = format!("{letter} item after S RST on line {line}");
            return Err(format!("expected the end of the transcript, found {found}"));
        }
        let end = match side {
            Side::Client => self.client_end,
            Side::Server => self.server_end,
        };
        end.map_or(Ok(()), |line| {
            let other = side.other().letter();
            let found = format!("{letter} item after {letter} EOF on line {line}");
            Err(format!("expected {other} items or the end of the transcript, found {found}"))
        })
    }
}

fn item(line: &str, eol: LineEnding) -> Result<Item, String> {
    let mut characters = line.chars();
    let side = match characters.next() {
        Some('C') => Side::Client,
        Some('S') => Side::Server,
        _ => return Err(not_an_item(line)),
    };
    let letter = side.letter();
    let rest = characters.as_str();
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
        '0'..='9' => Err(format!(
            "expected '{letter}:', found {} (numbers are reserved for several connections)",
            quote(line)
        )),
        ' ' if side == Side::Server && rest.starts_with(" ... ") && !rest[5..].trim().is_empty() => {
            skip(&rest[5..])
                .map_err(|error| format!("expected a regular expression, found {} ({error})", quote(line)))
        }
        _ => keyword(side, rest.trim_end()).unwrap_or_else(|| Err(not_an_item(line))),
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

fn keyword(side: Side, rest: &str) -> Option<Result<Item, String>> {
    let (word, value) = match rest.strip_prefix(' ')?.split_once(' ') {
        Some((word, value)) => (word, Some(value.trim_start())),
        None => (&rest[1..], None),
    };
    let with_duration = |item: fn(Side, std::time::Duration) -> Item| {
        let letter = side.letter();
        duration::parse(value.unwrap_or_default()).map(|time| item(side, time)).map_err(|_| {
            let found = quote(&format!("{letter}{rest}"));
            format!("expected a duration such as '{letter} {word} 200ms', found {found}")
        })
    };
    match (side, word, value) {
        (_, "EOF", None) => Some(Ok(Item::End(side))),
        (_, "...", None) => Some(Ok(Item::Skip(side, None))),
        (Side::Server, "RST", None) => Some(Ok(Item::Reset)),
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
