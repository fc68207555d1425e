//! Secrets: values that are not shown. Wherever one of them was said, its name is written: `\{name}`.
//!
//! Only the value as it stands is found, not another encoding of it. Occurrences do not overlap: the first one counts,
//! and of those that start at one place the longest. A secret has no CR and LF, so it is found within a line.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use memchr::memmem;

use super::format::Item;
use super::template::{Hole, Segment, Template};
use super::variables::check_value;

/// The length of the shortest secret. A shorter one would be found in almost anything.
const SHORTEST: usize = 4;

/// Named values that are not shown. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Secrets {
    /// The longest first.
    all: Arc<[Secret]>,
}

/// One of them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret {
    name: String,
    value: Vec<u8>,
}

impl Secret {
    /// Returns an error, the end of a sentence that starts with the value, if it cannot be one.
    pub(crate) fn new(name: &str, value: &[u8]) -> Result<Self, String> {
        if value.len() < SHORTEST {
            return Err(format!("is shorter than {SHORTEST} bytes"));
        }
        check_value(value)?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(f)
    }
}

/// An occurrence of a secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'s> {
    pub(super) range: Range<usize>,
    pub(super) name: &'s str,
}

impl FromIterator<Secret> for Secrets {
    fn from_iter<I: IntoIterator<Item = Secret>>(secrets: I) -> Self {
        let mut all: Vec<Secret> = secrets.into_iter().collect();
        all.sort_by_key(|secret| std::cmp::Reverse(secret.value.len()));
        Self { all: all.into() }
    }
}

impl Secrets {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.all.iter()
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        self.iter().any(|secret| secret.name == name)
    }

    /// The secrets in these bytes, in order.
    pub(super) fn find(&self, bytes: &[u8]) -> Vec<Found<'_>> {
        // Each secret and its next place.
        let mut places: Vec<_> =
            self.iter().filter_map(|secret| Some((secret, memmem::find(bytes, &secret.value)?))).collect();
        let mut found: Vec<Found<'_>> = Vec::new();
        // Of several at one place, this is the longest.
        while let Some(&(secret, start)) = places.iter().min_by_key(|(_, place)| *place) {
            let end = start + secret.value.len();
            found.push(Found { range: start..end, name: &secret.name });
            places.retain_mut(|(secret, place)| {
                if *place >= end {
                    return true;
                }
                let next = memmem::find(&bytes[end..], &secret.value);
                *place = end + next.unwrap_or_default();
                next.is_some()
            });
        }
        found
    }

    /// How many bytes at the start are certain: whatever follows all of them, the secrets in these, and where they
    /// are, stay the same. The rest may be the start of a secret, or of a longer one.
    pub(super) fn certain(&self, bytes: &[u8]) -> usize {
        let Some(longest) = self.all.first() else { return bytes.len() };
        // A secret can go on only from the last line.
        let start = memchr::memrchr(b'\n', bytes).map_or(0, |line_feed| line_feed + 1);
        let line = &bytes[start..];
        let found = self.find(line);
        let is_inside = |place: usize| {
            let mut near = found.iter().rev().take_while(|found| found.range.end > place);
            near.any(|found| found.range.start < place)
        };
        let starts_one = |rest: &[u8]| {
            self.iter().any(|secret| secret.value.len() > rest.len() && secret.value.starts_with(rest))
        };
        let mut places = line.len().saturating_sub(longest.value.len() - 1)..line.len();
        let open = places.find(|&place| starts_one(&line[place..]) && !is_inside(place));
        open.map_or(bytes.len(), |place| start + place)
    }

    /// The secret that would be cut at `place`.
    pub(super) fn around(&self, bytes: &[u8], place: usize) -> Option<Range<usize>> {
        let mut found = self.find(bytes).into_iter().map(|found| found.range);
        found.find(|range| range.start < place && place < range.end)
    }

    /// The first place from `place` on, but not after the end, at which bytes can be cut without cutting a secret.
    pub(super) fn cut(&self, bytes: &[u8], place: usize) -> usize {
        match place {
            0 => 0,
            _ if place >= bytes.len() => bytes.len(),
            _ => self.around(bytes, place).map_or(place, |range| range.end),
        }
    }

    /// The same bytes, with holes in place of secrets.
    pub(super) fn segments(&self, bytes: &[u8]) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut end = 0;
        for Found { range, name } in self.find(bytes) {
            let hole = Hole { name: Some(name.to_owned()), sample: None };
            segments.extend([Segment::Text(bytes[end..range.start].to_vec()), Segment::Hole(hole)]);
            end = range.end;
        }
        segments.push(Segment::Text(bytes[end..].to_vec()));
        segments
    }

    /// The item as it is shown: with holes in place of secrets, and without samples that contain one.
    pub(super) fn mask<'i>(&self, item: &'i Item) -> Cow<'i, Item> {
        match item {
            Item::Literal(side, bytes) if self.are_in(bytes) => {
                Cow::Owned(Item::Template(*side, Template::new(self.segments(bytes))))
            }
            Item::Template(side, template) if !self.all.is_empty() => {
                Cow::Owned(Item::Template(*side, self.mask_template(template)))
            }
            Item::Connect(Some(address)) if !self.all.is_empty() => {
                Cow::Owned(Item::Connect(Some(self.mask_template(address))))
            }
            Item::Literal(..)
            | Item::Template(..)
            | Item::Connect(_)
            | Item::Pattern(..)
            | Item::Skip(..)
            | Item::Placeholder
            | Item::End(_)
            | Item::Reset
            | Item::Wait(..)
            | Item::Quiet(_) => Cow::Borrowed(item),
        }
    }

    fn mask_template(&self, template: &Template) -> Template {
        Template::new(template.segments().iter().flat_map(|segment| match segment {
            Segment::Text(text) => self.segments(text),
            Segment::Hole(Hole { name, sample }) => {
                let sample = sample.clone().filter(|sample| !self.are_in(sample));
                vec![Segment::Hole(Hole { name: name.clone(), sample })]
            }
        }))
    }

    /// The text with names in place of secrets, for what is not an item.
    pub(crate) fn mask_text(&self, text: &str) -> String {
        let mut masked = Vec::with_capacity(text.len());
        let mut end = 0;
        for Found { range, name } in self.find(text.as_bytes()) {
            masked.extend_from_slice(&text.as_bytes()[end..range.start]);
            masked.extend([r"\{", name, "}"].concat().bytes());
            end = range.end;
        }
        masked.extend_from_slice(&text.as_bytes()[end..]);
        // A secret that is not UTF-8 may have been part of a character.
        String::from_utf8(masked)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Whether any of them is in these bytes.
    pub(super) fn are_in(&self, bytes: &[u8]) -> bool {
        self.iter().any(|secret| memmem::find(bytes, &secret.value).is_some())
    }
}
