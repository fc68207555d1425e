//! What a transcript consists of.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use regex::bytes::Regex;

use super::template::Template;
use super::variables::is_name;

/// How long an awaited item may take without `%timeout`.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much silence ends a server turn without `%gap`.
pub(super) const DEFAULT_GAP: Duration = Duration::from_millis(100);

/// Who says something: the one that connected, or the one it connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// The letter that its lines start with.
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

/// One of the connections of a transcript, by its number: 1 to 9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Connection(u8);

impl Connection {
    /// The one whose items have a bare letter.
    pub(crate) const FIRST: Self = Self(1);

    /// That of the items with this digit after their letter, from 2 on.
    pub(super) fn from_digit(digit: char) -> Option<Self> {
        digit.to_digit(10).and_then(|number| u8::try_from(number).ok()).filter(|number| *number > 1).map(Self)
    }

    /// What the lines of its items start with.
    pub(crate) fn letter(self, side: Side) -> String {
        self.number(side.letter().to_string())
    }

    /// Puts the number after the letter at the start of an item's line. The first connection has none.
    pub(crate) fn number(self, mut line: String) -> String {
        if self != Self::FIRST {
            line.insert_str(1, &self.0.to_string());
        }
        line
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.0)
    }
}

/// How the literal lines of a transcript end: `%eol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LineEnding {
    #[default]
    Lf,
    Crlf,
}

impl LineEnding {
    pub(crate) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
        }
    }
}

/// A regular expression that must match a line in full. It works on bytes: a dot is any byte but a line feed.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    anchored: Regex,
    /// Its named groups bind variables.
    names: Vec<String>,
}

impl Pattern {
    /// Returns an error, in one line, if `source` is not a regular expression.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        // Compile it alone first: inside `\A(?:...)\z`, the invalid `a)(b` would become valid.
        compile(source)?;
        let anchored = compile(&format!(r"\A(?:{source})\z"))?;
        let names: Vec<String> = anchored.capture_names().flatten().map(str::to_owned).collect();
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(format!("the group '{name}' cannot be the name of a variable"));
        }
        Ok(Self { source: source.to_owned(), anchored, names })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What the named groups match; `None` if the line or one of them does not match.
    pub(super) fn groups(&self, line: &[u8]) -> Option<Vec<(&str, Range<usize>)>> {
        if self.names.is_empty() {
            return self.matches(line).then(Vec::new);
        }
        let captures = self.anchored.captures(line)?;
        self.names().map(|name| Some((name, captures.name(name)?.range()))).collect()
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn matches(&self, line: &[u8]) -> bool {
        self.anchored.is_match(line)
    }
}

fn compile(source: &str) -> Result<Regex, String> {
    regex::bytes::RegexBuilder::new(source).unicode(false).build().map_err(|error| {
        let text = error.to_string();
        // Its last line says what is wrong; the ones before show where.
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
    /// Exactly these bytes, including the line ending: `P: text` and `P\ text`.
    Literal(Side, Vec<u8>),
    /// Text with holes: `P\ text` with `\{name}` in it.
    Template(Side, Template),
    /// One line that matches: `S~ regex`.
    Pattern(Side, Pattern),
    /// Any number of lines, possibly none, until the side's next item matches: `S ...`, `C ...`. If there is a pattern,
    /// it matches each of them: `S ... regex`.
    Skip(Side, Option<Pattern>),
    /// The client opens the connection, to another address if there is one: `C2 CONNECT 127.0.0.1:\{port}`.
    Connect(Option<Template>),
    /// Whatever the server says, until an update replaces it: `S ?`.
    Placeholder,
    /// A side shuts down its sending side: `C EOF`, `S EOF`.
    End(Side),
    /// The server resets the connection: `S RST`.
    Reset,
    /// A side pauses: `C WAIT 200ms`, `S WAIT 1s`.
    Wait(Side, Duration),
    /// Nothing arrives from the server for this long: `S QUIET 100ms`.
    Quiet(Duration),
}

impl Item {
    pub(crate) fn side(&self) -> Side {
        match self {
            Self::Literal(side, _)
            | Self::Template(side, _)
            | Self::Pattern(side, _)
            | Self::Skip(side, _)
            | Self::End(side)
            | Self::Wait(side, _) => *side,
            Self::Connect(_) => Side::Client,
            Self::Placeholder | Self::Reset | Self::Quiet(_) => Side::Server,
        }
    }

    /// The names of its holes or groups.
    pub(super) fn names(&self) -> Vec<&str> {
        match self {
            Self::Template(_, template) | Self::Connect(Some(template)) => template.names().collect(),
            Self::Pattern(_, pattern) => pattern.names().collect(),
            Self::Literal(..)
            | Self::Skip(..)
            | Self::Connect(None)
            | Self::Placeholder
            | Self::End(_)
            | Self::Reset
            | Self::Wait(..)
            | Self::Quiet(_) => Vec::new(),
        }
    }
}

/// An item, its line and its connection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) connection: Connection,
    pub(crate) item: Item,
}

#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    pub(crate) path: PathBuf,
    pub(crate) eol: LineEnding,
    /// How long an awaited server item may take.
    pub(crate) timeout: Duration,
    /// How much silence ends a server turn in an update.
    pub(super) gap: Duration,
    pub(crate) entries: Vec<Entry>,
    /// The lines of the file, without line feeds.
    pub(crate) source: Vec<String>,
}

impl Transcript {
    /// The connections that have items, in the order in which they are opened. A transcript without items has the
    /// first.
    pub(super) fn connections(&self) -> Vec<Connection> {
        let mut connections = Vec::new();
        for entry in &self.entries {
            if !connections.contains(&entry.connection) {
                connections.push(entry.connection);
            }
        }
        if connections.is_empty() {
            connections.push(Connection::FIRST);
        }
        connections
    }

    /// The line after the last one that is not empty.
    pub(crate) fn end_line(&self) -> usize {
        self.source.iter().rposition(|line| !line.trim().is_empty()).map_or(1, |last| last + 2)
    }
}
