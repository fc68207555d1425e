//! Items with holes: text with gaps, `INSERTED \{id=9}`.

use super::variables::Variables;

/// Text and holes, with the line ending as text. Holes may be next to each other; texts are not, and are not empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    segments: Vec<Segment>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Text(Vec<u8>),
    Hole(Hole),
}

/// A gap in the text: `\{name=sample}`, without a name, a sample, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) name: Option<String>,
    pub(super) sample: Option<Vec<u8>>,
}

/// Why a template cannot be received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ambiguity {
    /// Nothing says where the first of two holes ends.
    Adjacent,
    /// Nothing says where the last hole ends.
    AtEnd,
    /// A name occurs twice.
    Twice(String),
}

impl Template {
    /// Joins adjacent texts, and drops empty ones.
    pub(super) fn new(segments: impl IntoIterator<Item = Segment>) -> Self {
        let mut joined: Vec<Segment> = Vec::new();
        for segment in segments {
            match (joined.last_mut(), segment) {
                (_, Segment::Text(text)) if text.is_empty() => {}
                (Some(Segment::Text(before)), Segment::Text(text)) => before.extend(text),
                (_, segment) => joined.push(segment),
            }
        }
        Self { segments: joined }
    }

    pub(super) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// All of it, if it has no holes.
    pub(crate) fn constant(&self) -> Option<&[u8]> {
        match &self.segments[..] {
            [] => Some(&[]),
            [Segment::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first hole.
    pub(crate) fn start(&self) -> &[u8] {
        match self.segments.first() {
            Some(Segment::Text(text)) => text,
            Some(Segment::Hole(_)) | None => &[],
        }
    }

    pub(super) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Hole(hole) => Some(hole),
            Segment::Text(_) => None,
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.holes().filter_map(|hole| hole.name.as_deref())
    }

    /// Returns an error if it is not known where each hole ends. A name that is given from the start is text.
    pub(super) fn check_received(&self, is_given: impl Fn(&str) -> bool) -> Result<(), Ambiguity> {
        let mut names: Vec<&str> = Vec::new();
        let mut is_after_hole = false;
        for segment in &self.segments {
            match segment {
                Segment::Hole(Hole { name: Some(name), .. }) if is_given(name) => is_after_hole = false,
                Segment::Hole(_) if is_after_hole => return Err(Ambiguity::Adjacent),
                Segment::Hole(hole) => {
                    is_after_hole = true;
                    let Some(name) = hole.name.as_deref() else { continue };
                    if names.contains(&name) {
                        return Err(Ambiguity::Twice(name.to_owned()));
                    }
                    names.push(name);
                }
                Segment::Text(_) => is_after_hole = false,
            }
        }
        if is_after_hole { Err(Ambiguity::AtEnd) } else { Ok(()) }
    }

    /// Whether each hole has a value.
    pub(super) fn has_values(&self, variables: &Variables) -> bool {
        self.unset(|name| variables.get(name).is_some()).is_none()
    }

    /// The first hole that has no value when it is sent.
    pub(super) fn unset(&self, is_bound: impl Fn(&str) -> bool) -> Option<&Hole> {
        let mut sampled = Vec::new();
        self.holes().find(|hole| {
            let name = hole.name.as_deref();
            sampled.extend(name.filter(|_| hole.sample.is_some()));
            hole.sample.is_none() && !name.is_some_and(|name| is_bound(name) || sampled.contains(&name))
        })
    }

    /// The bytes to send; binds the names whose samples are sent. `None` if a hole has no value.
    pub(super) fn fill(&self, variables: &mut Variables) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for segment in &self.segments {
            match segment {
                Segment::Text(text) => bytes.extend_from_slice(text),
                Segment::Hole(Hole { name, sample }) => {
                    if let (Some(name), Some(sample)) = (name, sample) {
                        variables.bind(name, sample);
                    }
                    let bound = name.as_ref().and_then(|name| variables.get(name));
                    bytes.extend_from_slice(bound.or(sample.as_deref())?);
                }
            }
        }
        Some(bytes)
    }
}
