//! Writes items as lines: lossless, safe to print on a terminal, and without trailing spaces that an editor might
//! strip.

use std::fmt::Write;
use std::time::Duration;

use super::format::{Entry, Item, LineEnding, Pattern, Side};
use super::secrets::Secrets;
use super::template::{Hole, Segment, Template};
use crate::text::is_plain;

/// The longest piece of a line that is written as one item, in bytes. Escaped, it is still short enough for the
/// reader.
pub(super) const LONGEST_PIECE: usize = 64 * 1024;

/// The line of an item of the first connection.
pub(super) fn notation(item: &Item, eol: LineEnding) -> String {
    match item {
        Item::Literal(side, bytes) => literal(*side, bytes, eol),
        Item::Template(side, template) => format!("{}\\ {}", side.letter(), template_text(template, eol)),
        Item::Pattern(side, pattern) => format!("{}~ {}", side.letter(), expression(pattern)),
        Item::Skip(side, None) => format!("{} ...", side.letter()),
        Item::Skip(side, Some(pattern)) => format!("{} ... {}", side.letter(), expression(pattern)),
        Item::Connect(None) => "C CONNECT".to_owned(),
        Item::Connect(Some(address)) => format!("C CONNECT {}", address_text(address)),
        Item::Placeholder => "S ?".to_owned(),
        Item::End(side) => format!("{} EOF", side.letter()),
        Item::Reset => "S RST".to_owned(),
        Item::Wait(side, time) => format!("{} WAIT {}", side.letter(), duration(*time)),
        Item::Quiet(time) => format!("S QUIET {}", duration(*time)),
    }
}

/// An expression as it was written, except for what a terminal would act on.
fn expression(pattern: &Pattern) -> String {
    let mut text = String::new();
    for character in pattern.source().chars() {
        if is_plain(character) {
            text.push(character);
        } else {
            text.extend(character.escape_default());
        }
    }
    text
}

/// The lines of literal items for the bytes that one side said.
pub(super) fn literals(side: Side, bytes: &[u8], eol: LineEnding) -> Vec<String> {
    pieces(bytes).map(|piece| literal(side, piece, eol)).collect()
}

/// The line of an item as it is shown, with holes in place of secrets.
pub(super) fn masked(item: &Item, eol: LineEnding, secrets: &Secrets) -> String {
    let line = notation(&secrets.mask(item), eol);
    match item {
        Item::Pattern(..) | Item::Skip(_, Some(_)) => secrets.mask_text(&line),
        Item::Literal(..)
        | Item::Template(..)
        | Item::Skip(_, None)
        | Item::Placeholder
        | Item::Connect(_)
        | Item::End(_)
        | Item::Reset
        | Item::Wait(..)
        | Item::Quiet(_) => line,
    }
}

/// The same with its connection.
pub(super) fn line_of(entry: &Entry, eol: LineEnding, secrets: &Secrets) -> String {
    entry.connection.number(masked(&entry.item, eol, secrets))
}

/// The lines of items for the bytes that one side said, with holes in place of secrets.
pub(super) fn masked_literals(side: Side, bytes: &[u8], eol: LineEnding, secrets: &Secrets) -> Vec<String> {
    if !secrets.are_in(bytes) {
        return literals(side, bytes, eol);
    }
    let mut lines = Vec::new();
    for mut line in bytes.split_inclusive(|&byte| byte == b'\n') {
        while !line.is_empty() {
            let (piece, rest) = line.split_at(secrets.cut(line, LONGEST_PIECE));
            lines.push(masked(&Item::Literal(side, piece.to_vec()), eol, secrets));
            line = rest;
        }
    }
    lines
}

/// Splits bytes after each line feed, and lines that are too long for one item.
pub(super) fn pieces(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').flat_map(|line| line.chunks(LONGEST_PIECE))
}

fn literal(side: Side, bytes: &[u8], eol: LineEnding) -> String {
    let (text, is_terminated) = match bytes.strip_suffix(eol.bytes()) {
        Some(text) => (text, true),
        None => (bytes, false),
    };
    let letter = side.letter();
    match std::str::from_utf8(text) {
        Ok("") if is_terminated => format!("{letter}:"),
        Ok(text) if is_terminated && text.chars().all(is_plain) && !text.ends_with(char::is_whitespace) => {
            format!("{letter}: {text}")
        }
        _ => format!("{letter}\\ {}", escape(text, is_terminated)),
    }
}

fn template_text(template: &Template, eol: LineEnding) -> String {
    let mut out = String::new();
    let (last, segments) = match template.segments() {
        [segments @ .., Segment::Text(last)] => (last.strip_suffix(eol.bytes()).ok_or(&last[..]), segments),
        segments => (Err(&[][..]), segments),
    };
    for segment in segments {
        escape_segment(segment, &mut out);
    }
    out + &last.map_or_else(|text| escape(text, false), |text| escape(text, true))
}

fn address_text(address: &Template) -> String {
    let mut out = String::new();
    for segment in address.segments() {
        match segment {
            // The reader takes nothing here that would need an escape.
            Segment::Text(text) => out.push_str(&String::from_utf8_lossy(text)),
            Segment::Hole(hole) => escape_hole(hole, &mut out),
        }
    }
    out
}

fn escape_hole(Hole { name, sample }: &Hole, out: &mut String) {
    out.push_str(r"\{");
    out.push_str(name.as_deref().unwrap_or_default());
    if let Some(sample) = sample {
        out.push('=');
        let mut text = String::new();
        escape_text(sample, &mut text);
        out.push_str(&text.replace('}', r"\}"));
    }
    out.push('}');
}

fn escape(text: &[u8], is_terminated: bool) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    escape_text(text, &mut out);
    if !is_terminated {
        out.push('\\');
    } else if let Some(last) = out.chars().next_back().filter(|last| last.is_whitespace()) {
        out.truncate(out.len() - last.len_utf8());
        escape_bytes(last.encode_utf8(&mut [0; 4]).as_bytes(), &mut out);
    }
    out
}

/// Bytes as they are written in `P\` items, with holes in place of secrets.
pub(super) fn escaped(bytes: &[u8], secrets: &Secrets) -> String {
    let mut text = String::new();
    for segment in secrets.segments(bytes) {
        escape_segment(&segment, &mut text);
    }
    text
}

fn escape_segment(segment: &Segment, out: &mut String) {
    match segment {
        Segment::Text(text) => escape_text(text, out),
        Segment::Hole(hole) => escape_hole(hole, out),
    }
}

fn escape_text(text: &[u8], out: &mut String) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str(r"\\"),
                '\r' => out.push_str(r"\r"),
                '\n' => out.push_str(r"\n"),
                '\t' => out.push_str(r"\t"),
                _ if is_plain(character) => out.push(character),
                _ => escape_bytes(character.encode_utf8(&mut [0; 4]).as_bytes(), out),
            }
        }
        escape_bytes(chunk.invalid(), out);
    }
}

fn escape_bytes(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, r"\x{byte:02x}");
    }
}

/// A duration as the reader takes it.
pub(crate) fn duration(time: Duration) -> String {
    if time.subsec_nanos() == 0 {
        format!("{}s", time.as_secs())
    } else {
        format!("{}ms", time.as_secs_f64() * 1e3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_plain_text_plainly_and_all_else_escaped() {
        for (bytes, eol, expected) in [
            (&b"hello\n"[..], LineEnding::Lf, "S: hello"),
            (b"\n", LineEnding::Lf, "S:"),
            (b"  two blanks first\n", LineEnding::Lf, "S:   two blanks first"),
            (br"C:\dir is plain", LineEnding::Lf, r"S\ C:\\dir is plain\"),
            (b"C:\\dir\n", LineEnding::Lf, r"S: C:\dir"),
            (b"x\r\n", LineEnding::Lf, r"S\ x\r"),
            (b"x\r\n", LineEnding::Crlf, "S: x"),
            (b"250 OK\n", LineEnding::Crlf, r"S\ 250 OK\n\"),
            (b"blank \n", LineEnding::Lf, r"S\ blank\x20"),
            ("ideographic\u{3000}\n".as_bytes(), LineEnding::Lf, r"S\ ideographic\xe3\x80\x80"),
            (b"login: ", LineEnding::Lf, r"S\ login: \"),
            (b"\x1b[2J\xff\t\0\n", LineEnding::Lf, r"S\ \x1b[2J\xff\t\x00"),
            ("a\u{202e}b\n".as_bytes(), LineEnding::Lf, r"S\ a\xe2\x80\xaeb"),
        ] {
            assert_eq!(literals(Side::Server, bytes, eol), [expected]);
        }
        assert_eq!(literals(Side::Client, b"a\nb", LineEnding::Lf), ["C: a", r"C\ b\"]);
    }

    #[test]
    fn writes_durations_that_can_be_read() {
        for (text, milliseconds) in [("1s", 1000), ("200ms", 200), ("1500ms", 1500), ("0s", 0)] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
