//! Reads transcripts; what is not one is an error that names the line, what is there, and what should be.

use std::fmt;
use std::path::{Path, PathBuf};

use super::format::{DEFAULT_TIMEOUT, Entry, Item, LineEnding, Pattern, Side, Transcript};
use crate::duration;
use crate::text::printable;

/// How long a line of the file may be, in bytes. Longer ones are no text that anybody typed.
const LONGEST_LINE: usize = 1024 * 1024;

/// How much of a line an error shows, in characters.
const SHOWN: usize = 40;

const ANY_LINE: &str = "a line that begins with 'C:', 'S:', 'C\\', 'S\\', 'S~', 'S ...', 'C EOF', 'S EOF', 'S RST', \
                        'C WAIT', 'S WAIT', 'S QUIET', '%eol', '%timeout' or '#'";

/// Why a file is no transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ParseError {
    /// The file.
    pub(crate) path: PathBuf,
    /// The line, from 1.
    pub(crate) line: usize,
    /// What was found, and what was expected.
    pub(crate) message: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

impl std::error::Error for ParseError {}

/// Reads a transcript from the bytes of its file.
///
/// # Errors
/// At the first line that is none of a transcript's.
pub(crate) fn read(path: &Path, bytes: &[u8]) -> Result<Transcript, ParseError> {
    let fail = |line, message| ParseError { path: path.to_owned(), line, message };
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        let line = 1 + memchr::memchr_iter(b'\n', valid).count();
        fail(line, format!("found the byte 0x{:02x}; expected UTF-8 (write other bytes as \\xHH)", rest[0]))
    })?;
    let mut reader = Reader::default();
    let mut source: Vec<String> = text.split('\n').map(str::to_owned).collect();
    // What follows the last line feed is no line.
    if source.last().is_some_and(String::is_empty) {
        source.pop();
    }
    for (index, line) in source.iter().enumerate() {
        // Editors put a byte order mark before the first line, and a carriage return at the end of each.
        let line = if index == 0 { line.trim_start_matches('\u{feff}') } else { line };
        let line = line.strip_suffix('\r').unwrap_or(line);
        reader.take(index + 1, line).map_err(|message| fail(index + 1, message))?;
    }
    Ok(Transcript {
        path: path.to_owned(),
        eol: reader.eol.unwrap_or_default(),
        timeout: reader.timeout.unwrap_or(DEFAULT_TIMEOUT),
        entries: reader.entries,
        source,
    })
}

#[derive(Default)]
struct Reader {
    eol: Option<LineEnding>,
    timeout: Option<std::time::Duration>,
    entries: Vec<Entry>,
    /// The lines on which each side ended.
    client_end: Option<usize>,
    server_end: Option<usize>,
    /// The line on which both did.
    reset: Option<usize>,
}

impl Reader {
    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        if line.len() > LONGEST_LINE {
            return Err(format!(
                "found a line of {} bytes; expected at most {LONGEST_LINE} (a '\\' at the end of a 'P\\' line \
                 lets it go on in the next)",
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
                    _ => return Err(format!("found {}; expected '%eol lf' or '%eol crlf'", quote(line))),
                };
                self.eol.replace(eol).is_none()
            }
            "%timeout" => {
                let timeout = duration::parse_positive(value).map_err(|error| {
                    format!("found {}: {error}; expected '%timeout 5s' or the like", quote(line))
                })?;
                self.timeout.replace(timeout).is_none()
            }
            _ => return Err(format!("found {}; expected '%eol' or '%timeout'", quote(line))),
        };
        if !self.entries.is_empty() {
            return Err(format!("found {name} after an item; expected directives before the first item"));
        }
        if is_new { Ok(()) } else { Err(format!("found a second {name}; expected one")) }
    }

    /// Nothing comes from a side that has ended, and from none behind a reset.
    fn check_order(&self, item: &Item) -> Result<(), String> {
        let side = item.side();
        if let Some(line) = self.reset {
            return Err(format!(
                "found more of the {side} behind the reset on line {line}; expected the end"
            ));
        }
        let end = match side {
            Side::Client => self.client_end,
            Side::Server => self.server_end,
        };
        end.map_or(Ok(()), |line| {
            let others = side.other();
            Err(format!(
                "found more of the {side}, which ended on line {line}; expected the {others} or the end"
            ))
        })
    }
}

fn item(line: &str, eol: LineEnding) -> Result<Item, String> {
    let mut characters = line.chars();
    let side = match characters.next() {
        Some('C') => Side::Client,
        Some('S') => Side::Server,
        _ => return Err(format!("found {}; expected {ANY_LINE}", quote(line))),
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
                    return Err(format!(
                        "found {}; expected a blank behind '{letter}{form}' ('{letter}{form} text')",
                        quote(line)
                    ));
                }
            };
            match form {
                ':' => Ok(Item::Literal(side, [text.as_bytes(), eol.bytes()].concat())),
                '\\' => unescape(text, eol).map(|bytes| Item::Literal(side, bytes)),
                _ if text.is_empty() => {
                    Err(format!("found '{letter}~' alone; expected a regular expression"))
                }
                _ => Pattern::new(text).map(|pattern| Item::Pattern(side, pattern)).map_err(|error| {
                    format!("found {}: {error}; expected a regular expression", quote(line))
                }),
            }
        }
        '0'..='9' => Err(format!(
            "found {}; expected '{letter}:' ('{letter}2:' and the like are reserved for several connections)",
            quote(line)
        )),
        _ => keyword(side, rest.trim_end())
            .unwrap_or_else(|| Err(format!("found {}; expected {ANY_LINE}", quote(line)))),
    }
}

fn keyword(side: Side, rest: &str) -> Option<Result<Item, String>> {
    let (word, value) = match rest.strip_prefix(' ')?.split_once(' ') {
        Some((word, value)) => (word, Some(value.trim_start())),
        None => (&rest[1..], None),
    };
    let with_duration = |item: fn(Side, std::time::Duration) -> Item| {
        let value = value.unwrap_or_default();
        let letter = side.letter();
        duration::parse(value).map(|time| item(side, time)).map_err(|error| {
            format!("found {}: {error}; expected '{letter} {word} 200ms' or the like", quote(value))
        })
    };
    match (side, word, value) {
        (_, "EOF", None) => Some(Ok(Item::End(side))),
        (Side::Server, "...", None) => Some(Ok(Item::Any)),
        (Side::Server, "RST", None) => Some(Ok(Item::Reset)),
        (_, "WAIT", _) => Some(with_duration(Item::Wait)),
        (Side::Server, "QUIET", _) => Some(with_duration(|_, time| Item::Quiet(time))),
        _ => None,
    }
}

fn unescape(text: &str, eol: LineEnding) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let (byte, length) = match rest.as_bytes() {
            // The line goes on in the next item.
            [] => return Ok(bytes),
            [b'\\', ..] => (b'\\', 1),
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (u8::from_str_radix(&rest[1..3], 16).unwrap_or_default(), 3)
            }
            [b'{', ..] => {
                return Err(
                    r"found '\{'; expected another escape ('\{name}' is reserved for captures)".to_owned()
                );
            }
            _ => {
                let escape: String = rest.chars().take(if rest.starts_with('x') { 3 } else { 1 }).collect();
                let found = quote(&format!("\\{escape}"));
                return Err(format!(r"found {found}; expected '\\', '\r', '\n', '\t' or '\xHH'"));
            }
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes.extend_from_slice(eol.bytes());
    Ok(bytes)
}

/// The beginning of what was found, safe to print.
fn quote(text: &str) -> String {
    let mut quoted = printable(&text.chars().take(SHOWN).collect::<String>());
    if text.chars().nth(SHOWN).is_some() {
        quoted.push_str("...");
    }
    format!("'{quoted}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parse(text: &str) -> Result<Transcript, String> {
        read(Path::new("t.chat"), text.as_bytes()).map_err(|error| error.to_string())
    }

    fn items(text: &str) -> Vec<Item> {
        parse(text).unwrap().entries.into_iter().map(|entry| entry.item).collect()
    }

    fn client(bytes: &[u8]) -> Item {
        Item::Literal(Side::Client, bytes.to_vec())
    }

    fn server(bytes: &[u8]) -> Item {
        Item::Literal(Side::Server, bytes.to_vec())
    }

    #[test]
    fn reads_every_form() {
        let text = "\u{feff}# a comment\n%eol crlf\n%timeout 10s\n\n  C: hello \r\n\tS:  two\nC:\nS\\ a\\\\\\r\\n\\t\\x00\\xFf\n\
                    C\\ half \\\nS~ 2\\d+ .*\nS ...\nC WAIT 200ms\nS WAIT 1s\nS QUIET 1.5s\nC EOF\nS EOF";
        let transcript = parse(text).unwrap();
        assert_eq!((transcript.eol, transcript.timeout), (LineEnding::Crlf, Duration::from_secs(10)));
        let lines: Vec<usize> = transcript.entries.iter().map(|entry| entry.line).collect();
        assert_eq!(lines, (5..=16).collect::<Vec<_>>());
        assert_eq!(
            items(text),
            [
                client(b"hello \r\n"),
                server(b" two\r\n"),
                client(b"\r\n"),
                server(b"a\\\r\n\t\0\xff\r\n"),
                client(b"half "),
                Item::Pattern(Side::Server, Pattern::new(r"2\d+ .*").unwrap()),
                Item::Any,
                Item::Wait(Side::Client, Duration::from_millis(200)),
                Item::Wait(Side::Server, Duration::from_secs(1)),
                Item::Quiet(Duration::from_millis(1500)),
                Item::End(Side::Client),
                Item::End(Side::Server),
            ]
        );
        assert_eq!(items("S RST"), [Item::Reset]);
    }

    #[test]
    fn a_backslash_at_the_end_leaves_out_the_end_of_line_and_two_do_not() {
        assert_eq!(items("C\\ a\\"), [client(b"a")]);
        assert_eq!(items("C\\ a\\\\"), [client(b"a\\\n")]);
        assert_eq!(items("C\\ a\\\\\\"), [client(b"a\\")]);
        assert_eq!(items("C: a\\"), [client(b"a\\\n")]);
        assert_eq!(items("C\\"), [client(b"\n")]);
    }

    #[test]
    fn names_the_line_what_was_found_and_what_was_expected() {
        for (text, line, found, expected) in [
            ("C:text", 1, "'C:text'", "a blank behind 'C:'"),
            ("\nhello", 2, "'hello'", "'C:'"),
            ("C2: x", 1, "'C2: x'", "several connections"),
            ("C RST", 1, "'C RST'", "'S RST'"),
            ("C ...", 1, "'C ...'", "'S ...'"),
            ("S", 1, "'S'", "'C:'"),
            ("C  EOF", 1, "'C  EOF'", "'C EOF'"),
            ("%eol cr", 1, "'%eol cr'", "'%eol lf'"),
            ("%timeout 0", 1, "'%timeout 0'", "'%timeout 5s'"),
            ("%color", 1, "'%color'", "'%eol' or '%timeout'"),
            ("C: x\n%eol lf", 2, "%eol after an item", "before the first"),
            ("%eol lf\n%eol lf", 2, "a second %eol", "one"),
            ("C WAIT", 1, "''", "'C WAIT 200ms'"),
            ("S QUIET long", 1, "'long'", "'S QUIET 200ms'"),
            ("S~", 1, "'S~' alone", "a regular expression"),
            ("S~ a)(b", 1, "'S~ a)(b'", "a regular expression"),
            ("S~ [", 1, "'S~ ['", "a regular expression"),
            ("C\\ \\ud800", 1, r"'\u'", r"'\xHH'"),
            ("C\\ \\x1", 1, r"'\x1'", r"'\xHH'"),
            ("C\\ \\xé0", 1, r"'\xé0'", r"'\xHH'"),
            ("C\\ \\{name}", 1, r"'\{'", "captures"),
            ("C EOF\nC: x", 2, "more of the client, which ended on line 1", "the server or the end"),
            ("S EOF\nS: x", 2, "more of the server, which ended on line 1", "the client or the end"),
            ("S RST\nS EOF", 2, "more of the server behind the reset on line 1", "the end"),
            ("S RST\nC: x", 2, "more of the client behind the reset on line 1", "the end"),
            ("C: \x1b[2J\nX\x1b", 2, r"'X\u{1b}'", "'C:'"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("t.chat:{line}: found ")), "{text:?}: {error}");
            let (is, should) = error.split_once("; expected ").unwrap();
            assert!(is.contains(found) && should.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn names_the_line_of_a_byte_that_is_not_utf8_and_of_one_that_is_too_long() {
        let error = read(Path::new("t.chat"), b"C: a\nC: \xed\xa0\x80\n").unwrap_err();
        assert_eq!((error.line, error.message.contains("0xed")), (2, true));
        let error = parse(&format!("\nC: {}", "x".repeat(10 << 20))).unwrap_err();
        assert!(
            error.starts_with("t.chat:2: found a line of 10485763 bytes; expected at most 1048576"),
            "{error}"
        );
    }
}
