//! Reads the text of `P\` items: escapes and holes.

use super::quote;
use crate::text::is_plain;
use crate::transcript::format::{Item, LineEnding, Side};
use crate::transcript::template::{Hole, Segment, Template};
use crate::transcript::variables::{check_value, is_name};

const ESCAPES: &str = r"'\\', '\r', '\n', '\t', '\xHH' or '\{name}'";
const SAMPLE_ESCAPES: &str = r"'\\', '\}', '\r', '\n', '\t' or '\xHH'";

/// The item with this text: a template if it has holes.
pub(super) fn item(side: Side, text: &str, eol: LineEnding) -> Result<Item, String> {
    let mut bytes = Vec::with_capacity(text.len() + 2);
    let mut segments = Vec::new();
    let mut rest = text;
    let ending = loop {
        let Some(at) = rest.find('\\') else { break eol.bytes() };
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        match rest.as_bytes() {
            // A trailing backslash suppresses the line ending.
            [_] => {
                rest = "";
                break &[];
            }
            [_, b'{', ..] => {
                let (hole, length) = hole(rest)?;
                segments.extend([Segment::Text(std::mem::take(&mut bytes)), Segment::Hole(hole)]);
                rest = &rest[length..];
            }
            _ => {
                let (byte, length) = escape(rest).ok_or_else(|| not_an_escape(rest, ESCAPES))?;
                bytes.push(byte);
                rest = &rest[length..];
            }
        }
    };
    bytes.extend_from_slice(rest.as_bytes());
    bytes.extend_from_slice(ending);
    if segments.is_empty() {
        return Ok(Item::Literal(side, bytes));
    }
    segments.push(Segment::Text(bytes));
    Ok(Item::Template(side, Template::new(segments)))
}

/// The text of an address. It has holes, but no escapes.
pub(super) fn address(text: &str) -> Result<Template, String> {
    let mut segments = Vec::new();
    let mut rest = text;
    loop {
        let (plain, after) = rest.split_at(rest.find('\\').unwrap_or(rest.len()));
        if !plain.chars().all(is_plain) {
            return Err(format!("expected an address of printable characters, found {}", quote(text)));
        }
        segments.push(Segment::Text(plain.as_bytes().to_vec()));
        match after.as_bytes() {
            [] => return Ok(Template::new(segments)),
            [_, b'{', ..] => {
                let (hole, length) = hole(after)?;
                segments.push(Segment::Hole(hole));
                rest = &after[length..];
            }
            _ => return Err(not_an_escape(after, r"'\{name}' in an address")),
        }
    }
}

/// The byte that the escape at the start of `text` stands for, and the escape's length.
fn escape(text: &str) -> Option<(u8, usize)> {
    match text.as_bytes() {
        [_, b'\\', ..] => Some((b'\\', 2)),
        [_, b'r', ..] => Some((b'\r', 2)),
        [_, b'n', ..] => Some((b'\n', 2)),
        [_, b't', ..] => Some((b'\t', 2)),
        [_, b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            Some((u8::from_str_radix(&text[2..4], 16).unwrap_or_default(), 4))
        }
        _ => None,
    }
}

fn not_an_escape(text: &str, expected: &str) -> String {
    let length = if text[1..].starts_with('x') { 4 } else { 2 };
    let escape: String = text.chars().take(length).collect();
    format!("expected {expected}, found {}", quote(&escape))
}

fn not_ended(hole: &str) -> String {
    format!("expected '}}' at the end of a hole, found {}", quote(hole))
}

/// The hole at the start of `text`, and its length.
fn hole(text: &str) -> Result<(Hole, usize), String> {
    let inside = &text[2..];
    let is_end = |character| matches!(character, '=' | '}');
    let Some(end) = inside.find(is_end) else {
        return Err(not_ended(text));
    };
    let name = &inside[..end];
    if !name.is_empty() && !is_name(name) {
        return Err(format!("expected a name of letters, digits and '_' in a hole, found {}", quote(name)));
    }
    let name = (!name.is_empty()).then(|| name.to_owned());
    let mut rest = &inside[end + 1..];
    if inside.as_bytes()[end] == b'}' {
        return Ok((Hole { name, sample: None }, text.len() - rest.len()));
    }
    let mut sample = Vec::new();
    loop {
        let Some(at) = rest.find(['\\', '}']) else {
            return Err(not_ended(text));
        };
        sample.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let (byte, length) = match rest.as_bytes() {
            [b'}', ..] => break,
            [_] => return Err(not_ended(text)),
            [_, b'}', ..] => (b'}', 2),
            _ => escape(rest).ok_or_else(|| not_an_escape(rest, SAMPLE_ESCAPES))?,
        };
        sample.push(byte);
        rest = &rest[length..];
    }
    let length = text.len() - rest.len() + 1;
    check_value(&sample).map_err(|what| {
        format!("expected a sample of at least one byte without CR and LF, found one that {what}")
    })?;
    Ok((Hole { name, sample: Some(sample) }, length))
}
