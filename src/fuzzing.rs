//! The fuzz targets: each takes any bytes, and panics if something does not hold. They are compiled for the crate in
//! tests/fuzz and for the tests, which run them on the inputs that are kept there.
#![allow(clippy::missing_panics_doc, reason = "to panic is what they are for")]

use std::time::Duration;

use crate::capitals::{append_capitals, make_capitals};
use crate::duration;
use crate::message::model;
use crate::transcript::fuzzing as transcripts;
use crate::transport::{Address, Family};

/// Reads transcripts, and writes them.
pub fn reader(data: &[u8]) {
    transcripts::reader(data);
}

/// Plays a check against a mock.
pub fn player(data: &[u8]) {
    transcripts::player(data);
}

/// Updates a transcript from a mock.
pub fn update(data: &[u8]) {
    transcripts::update(data);
}

/// Makes capitals.
pub fn capitals(data: &[u8]) {
    let mut expected = Vec::new();
    for chunk in data.utf8_chunks() {
        expected.extend_from_slice(chunk.valid().to_uppercase().as_bytes());
        expected.extend_from_slice(chunk.invalid());
    }
    let mut appended = Vec::new();
    append_capitals(data, &mut appended);
    assert_eq!(appended, expected);
    let mut made = data.to_vec();
    let done = make_capitals(&mut made);
    assert_eq!((&made[..done], &made[done..]), (&expected[..done], &data[done..]));
}

/// Answers messages. The first bytes say where the others are cut, and where the client pauses.
pub fn messages(data: &[u8]) {
    let (places, stream) = data.split_at(data.len().min(8));
    let mut places: Vec<_> = places.iter().map(|&place| usize::from(place) % (stream.len() + 1)).collect();
    let gaps = places.split_off(places.len() / 2);
    assert_eq!(model::converse(stream, &places, &gaps), model::model(stream, &gaps));
}

/// Parses addresses and durations.
pub fn words(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_path = |address: &Address| address.to_string().starts_with("unix:");
    for family in [Family::Any, Family::V4, Family::V6] {
        let default = Address::built_in(family);
        if let Ok(address) = Address::from_text(text, &default, family) {
            // A host of that name looks like a path.
            if is_path(&address) && !matches!(address, Address::Unix(_)) {
                continue;
            }
            assert_eq!(Address::from_text(&address.to_string(), &default, family), Ok(address));
        }
    }
    if let Ok(time) = duration::parse(text) {
        // Floating-point numbers are not exact.
        let same = duration::parse(&transcripts::duration(time)).expect("what was written can be read");
        assert!(same.abs_diff(time) <= time / 1_000_000_000 + Duration::from_nanos(1), "{time:?}, {same:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn what_was_found_before_holds() {
        let targets = [
            ("reader", reader as fn(&[u8])),
            ("player", player),
            ("update", update),
            ("capitals", capitals),
            ("messages", messages),
            ("words", words),
        ];
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        if !corpus.exists() {
            // The published package does not have it.
            return;
        }
        for (name, target) in targets {
            let files: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().collect();
            assert!(!files.is_empty(), "{name}");
            for file in files {
                target(&fs::read(file.unwrap().path()).unwrap());
            }
        }
    }
}
