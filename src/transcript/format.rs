//! What a transcript is made of.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use regex::bytes::Regex;

/// How long an awaited item may take where a transcript does not say it.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The one that connected.
    Client,
    /// The one that was connected to.
    Server,
}

impl Side {
    /// The other one.
    #[must_use]
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The letter that the side's lines begin with.
    #[must_use]
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Client => 'C',
            Self::Server => 'S',
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

/// How the literal lines of a transcript end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineEnding {
    /// With a line feed.
    #[default]
    Lf,
    /// With a carriage return and a line feed.
    Crlf,
}

impl LineEnding {
    /// The bytes at the end of a line.
    #[must_use]
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
        }
    }
}

/// A regular expression that must match a line whole. It works on bytes: a dot is any of them.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    whole: Regex,
}

impl Pattern {
    /// # Errors
    /// Where `source` is no regular expression: what the crate `regex` says of it, in one line.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        // By itself first: in between brackets, an expression with one too many would be another one.
        compile(source)?;
        Ok(Self { source: source.to_owned(), whole: compile(&format!(r"\A(?:{source})\z"))? })
    }

    /// The expression as it was written.
    #[must_use]
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Whether it matches all of `line`.
    #[must_use]
    pub(crate) fn matches(&self, line: &[u8]) -> bool {
        self.whole.is_match(line)
    }
}

fn compile(source: &str) -> Result<Regex, String> {
    regex::bytes::RegexBuilder::new(source).unicode(false).build().map_err(|error| {
        let text = error.to_string();
        // Its last line says what is wrong, those before show where.
        text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

/// One item of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    /// Exactly these bytes, the end of line included: `P: text` and `P\ text`.
    Literal(Side, Vec<u8>),
    /// One line that matches: `S~ regex`.
    Pattern(Side, Pattern),
    /// Any number of lines from the server, none included, until the next item of its matches: `S ...`.
    Any,
    /// A side ends: `C EOF`, `S EOF`.
    End(Side),
    /// The server resets the connection: `S RST`.
    Reset,
    /// A side pauses: `C WAIT 200ms`, `S WAIT 1s`.
    Wait(Side, Duration),
    /// Nothing comes from the server for so long: `S QUIET 100ms`.
    Quiet(Duration),
}

impl Item {
    /// The side that the item is about.
    #[must_use]
    pub(crate) fn side(&self) -> Side {
        match self {
            Self::Literal(side, _) | Self::Pattern(side, _) | Self::End(side) | Self::Wait(side, _) => *side,
            Self::Any | Self::Reset | Self::Quiet(_) => Side::Server,
        }
    }
}

/// An item with its place.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// The number of its line, from 1.
    pub(crate) line: usize,
    /// The item itself.
    pub(crate) item: Item,
}

/// A transcript.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    /// The file that it was read from.
    pub(crate) path: PathBuf,
    /// How its literal lines end.
    pub(crate) eol: LineEnding,
    /// How long an awaited item may take.
    pub(crate) timeout: Duration,
    /// Its items, in order.
    pub(crate) entries: Vec<Entry>,
    /// Its lines as they were read, without line feeds.
    pub(crate) source: Vec<String>,
}

impl Transcript {
    /// The number of the line behind the last one.
    #[must_use]
    pub(crate) fn end_line(&self) -> usize {
        self.source.iter().rposition(|line| !line.trim().is_empty()).map_or(1, |last| last + 2)
    }
}
