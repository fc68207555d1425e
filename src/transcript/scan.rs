//! Compares an item with holes with input that arrives in pieces, in linear time.
//!
//! A hole is the shortest run that lets the rest match. No search has to be taken back for that. A text without CR
//! and LF is matched where it first occurs: from there, a later hole can reach as far as from any later place. One
//! with CR or LF can only be in one place, because the hole before it has neither: where the first of them is that
//! of the input.

use std::ops::Range;

use memchr::{memchr2, memmem};

use super::template::{Hole, Segment, Template};
use super::variables::Variables;

/// The longest line that a pattern waits for, and the most that is kept for later items, in bytes.
pub(super) const LONGEST_LINE: usize = 16 * 1024 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    /// The item matches this many bytes.
    Yes(usize),
    /// More input may make it match.
    Open,
    No,
}

/// How far an item has been compared with the input at its place.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// The item, once it has been looked at: the values of bound names are text.
    parts: Option<Parts>,
    /// The end of what has matched: where the first of `parts.holes` that has no end yet starts.
    at: usize,
    /// Whether the text before the first hole has matched.
    has_lead: bool,
    /// No text that ends the open hole starts before this.
    searched: usize,
    /// No CR or LF is between `at` and here, unless it is here.
    unbroken: usize,
    /// The holes that have ended.
    ended: Vec<Range<usize>>,
    /// What the item has bound, once it matches, by the place in the input.
    bound: Vec<(String, Range<usize>)>,
}

/// A template whose bound names are text.
#[derive(Debug, Default)]
struct Parts {
    lead: Vec<u8>,
    holes: Vec<OpenHole>,
}

/// A hole and the text after it.
#[derive(Debug)]
struct OpenHole {
    name: Option<String>,
    text: Vec<u8>,
    /// The first CR or LF of the text.
    line_break: Option<usize>,
}

impl Parts {
    fn new(template: &Template, variables: &Variables) -> Self {
        let mut parts = Self::default();
        for segment in template.segments() {
            let text = match segment {
                Segment::Text(text) => Ok(&text[..]),
                Segment::Hole(Hole { name, .. }) => {
                    name.as_ref().and_then(|name| variables.get(name)).ok_or(name)
                }
            };
            match text {
                Ok(text) => {
                    parts
                        .holes
                        .last_mut()
                        .map_or(&mut parts.lead, |hole| &mut hole.text)
                        .extend_from_slice(text);
                }
                Err(name) => {
                    parts.holes.push(OpenHole { name: name.clone(), text: Vec::new(), line_break: None });
                }
            }
        }
        for hole in &mut parts.holes {
            hole.line_break = memchr2(b'\r', b'\n', &hole.text);
        }
        parts
    }
}

/// Where the text after a hole is.
enum Position {
    At(usize),
    Open,
    None,
}

impl Scan {
    /// Starts again with the same item, at another place in the input.
    pub(super) fn restart(&mut self) {
        *self = Self { parts: self.parts.take(), ..Self::default() };
    }

    /// Binds what the item that has just matched the start of `bytes` binds.
    pub(super) fn bind(&self, bytes: &[u8], variables: &mut Variables) {
        for (name, range) in &self.bound {
            variables.bind(name, &bytes[range.clone()]);
        }
    }

    /// How many of the first bytes are known to be those of the item.
    pub(super) fn same(&self, bytes: &[u8]) -> usize {
        match &self.parts {
            Some(parts) if !self.has_lead => parts.lead.iter().zip(bytes).take_while(|(a, b)| a == b).count(),
            _ => self.at,
        }
    }

    /// Notes what the item binds.
    pub(super) fn set_bound<'n>(&mut self, bound: impl IntoIterator<Item = (&'n str, Range<usize>)>) {
        self.bound = bound.into_iter().map(|(name, range)| (name.to_owned(), range)).collect();
    }

    /// Compares a template with input that starts with what it was compared with before.
    pub(super) fn compare(&mut self, template: &Template, bytes: &[u8], variables: &Variables) -> Match {
        let parts = self.parts.take().unwrap_or_else(|| Parts::new(template, variables));
        let result = self.advance(&parts, bytes);
        if let Match::Yes(_) = result {
            let holes = parts.holes.iter().zip(&self.ended);
            let bound = holes.filter_map(|(hole, range)| Some((hole.name.clone()?, range.clone())));
            self.bound = bound.collect();
        }
        self.parts = Some(parts);
        result
    }

    fn advance(&mut self, parts: &Parts, bytes: &[u8]) -> Match {
        if !self.has_lead {
            if !bytes.starts_with(&parts.lead) {
                return if parts.lead.starts_with(bytes) { Match::Open } else { Match::No };
            }
            self.has_lead = true;
            self.pass(parts.lead.len());
        }
        while let Some(hole) = parts.holes.get(self.ended.len()) {
            match self.find(hole, bytes) {
                Position::At(place) => {
                    self.ended.push(self.at..place);
                    self.pass(place + hole.text.len());
                }
                Position::Open if bytes.len() >= LONGEST_LINE => return Match::No,
                Position::Open => return Match::Open,
                Position::None => return Match::No,
            }
        }
        Match::Yes(self.at)
    }

    fn pass(&mut self, at: usize) {
        self.at = at;
        self.searched = at + 1;
        self.unbroken = self.unbroken.max(at);
    }

    /// Finds the text after the hole that starts at `at`.
    fn find(&mut self, hole: &OpenHole, bytes: &[u8]) -> Position {
        let line_break = memchr2(b'\r', b'\n', &bytes[self.unbroken..]).map(|at| self.unbroken + at);
        self.unbroken = line_break.unwrap_or(bytes.len());
        match (hole.line_break, line_break) {
            (Some(_), None) => Position::Open,
            (Some(own), Some(line_break)) => {
                let Some(place) = line_break.checked_sub(own).filter(|&place| place > self.at) else {
                    return Position::None;
                };
                let rest = &bytes[place..];
                if rest.starts_with(&hole.text) {
                    Position::At(place)
                } else if hole.text.starts_with(rest) {
                    Position::Open
                } else {
                    Position::None
                }
            }
            (None, _) => {
                let line = &bytes[..self.unbroken];
                let from = self.searched.min(line.len());
                if let Some(place) = memmem::find(&line[from..], &hole.text) {
                    return Position::At(from + place);
                }
                self.searched = self.searched.max((line.len() + 1).saturating_sub(hole.text.len()));
                if line_break.is_some() { Position::None } else { Position::Open }
            }
        }
    }
}
