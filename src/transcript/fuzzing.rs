//! What holds for every transcript, as checks of generated input.

use std::path::Path;
use std::time::Duration;

use super::format::{Item, LineEnding};
use super::testing::{Delivery, ModelServer, Playing, converse};
use super::update::{Rewriting, rewrite};
pub(crate) use super::writer::duration;
use super::writer::{line_of, literals};
use super::{Diff, Follow, Learn, Playable, Secrets, Side, Transcript, Variables, read};
use crate::text::is_plain;

/// A time below this may pass while bytes are on their way.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);
const LEAST_GAP: Duration = Duration::from_millis(100);

/// Whatever is read is the same once it is written and read again, and so are any bytes that a side says.
pub(crate) fn reader(data: &[u8]) {
    // The notation of a pattern is only for people if it has characters that are not safe to print.
    let is_exact = |item: &Item| match item {
        Item::Pattern(_, pattern) | Item::Skip(_, Some(pattern)) => pattern.source().chars().all(is_plain),
        _ => true,
    };
    let transcript = parse(data);
    if let Some(transcript) = transcript.filter(|read| read.entries.iter().all(|entry| is_exact(&entry.item)))
    {
        let again = parse(text_of(&transcript).as_bytes()).expect("what was written can be read");
        let items = |transcript: &Transcript| -> Vec<_> {
            transcript.entries.iter().map(|entry| (entry.connection, entry.item.clone())).collect()
        };
        assert_eq!(items(&again), items(&transcript));
    }
    for eol in [LineEnding::Lf, LineEnding::Crlf] {
        let lines = literals(Side::Server, data, eol);
        let is_safe =
            |line: &String| !line.ends_with(char::is_whitespace) && !line.contains(char::is_control);
        assert!(lines.iter().all(is_safe), "{lines:?}");
        let text = format!("%eol {}\n{}\n", name_of(eol), lines.join("\n"));
        let transcript = parse(text.as_bytes()).expect("what was written can be read");
        let said = transcript.entries.iter().map(|entry| match &entry.item {
            Item::Literal(Side::Server, bytes) => &bytes[..],
            item => panic!("{item:?}"),
        });
        assert_eq!(said.collect::<Vec<_>>().concat(), data);
    }
}

/// A check and a mock come to an end, the same one however the bytes are cut and delayed. If they have the same
/// transcript, both follow it.
pub(crate) fn player(data: &[u8]) {
    let Some((checked, played, seed)) = conversation(data) else { return };
    if checked.connections().len() > 1 {
        return several_connections(&checked, &played, seed);
    }
    let (Some(client), Some(server)) = (playable(&checked, Side::Client), playable(&played, Side::Server))
    else {
        return;
    };
    let outcomes = deliveries(seed).map(|delivery| {
        let mut check = Playing::new(Follow::new(client.clone()));
        let mut mock = Playing::new(Follow::new(server.clone()));
        converse(&mut check, &mut mock, delivery);
        (check.result(), mock.result())
    });
    if is_timed(&checked) || is_timed(&played) {
        return;
    }
    for outcome in &outcomes[1..] {
        assert_eq!(outcomes[0], *outcome);
    }
    let (check, _) = &outcomes[0];
    if checked.source == played.source && !has(&checked, |item| matches!(item, Item::Template(..))) {
        assert_eq!(outcomes[0], (Ok(()), Ok(())));
    } else if let Err(divergence) = check {
        Diff::new(&client, divergence, "server");
    }
}

/// A check on several connections comes to an end, the same one however the bytes are cut and delayed. It passes if
/// the server has the same transcript.
fn several_connections(checked: &Transcript, played: &Transcript, seed: u64) {
    let is_vague = |item: &Item| matches!(item, Item::Template(..) | Item::Pattern(..) | Item::Skip(..));
    let Some(client) = playable(checked, Side::Client).filter(|_| !has(played, is_vague)) else { return };
    let outcomes = deliveries(seed).map(|delivery| {
        let mut check = Playing::new(Follow::new(client.clone()));
        converse(&mut check, &mut ModelServer::new(&played.entries), delivery);
        check.result()
    });
    if is_timed(checked) || is_timed(played) {
        return;
    }
    if checked.source == played.source {
        assert_eq!(outcomes, [Ok(()), Ok(()), Ok(())]);
    }
    // Otherwise the time decides whether something that nobody awaits arrives before the end.
    let is_end = |item: &Item| matches!(item, Item::End(Side::Server) | Item::Reset);
    let ends = checked.entries.iter().filter(|entry| is_end(&entry.item)).count();
    if ends == checked.connections().len() {
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    }
    if let Err(divergence) = &outcomes[0] {
        Diff::new(&client, divergence, "server");
    }
}

/// An update keeps every line that is not the server's, and what it writes is read back, and passes.
pub(crate) fn update(data: &[u8]) {
    let Some((old, played, seed)) = conversation(data) else { return };
    let client = Playable::to_update(old.clone(), Variables::default());
    let (Ok(client), Some(server)) = (client, playable(&played, Side::Server)) else { return };
    let mock = || Playing::new(Follow::new(server.clone()));
    for delivery in deliveries(seed) {
        let mut learning = Playing::new(Learn::new(client.clone()));
        converse(&mut learning, &mut mock(), delivery);
        let Ok(turns) = learning.result() else { continue };
        let Ok(Some(Rewriting { text, .. })) = rewrite(&old, &turns) else { continue };
        let new = parse(text.as_bytes()).expect("what was written can be read");
        assert_eq!(kept(&new), kept(&old));
        // Whether a server waits, or which lines an `S ...` took, is not known.
        if is_timed(&old) || is_timed(&played) || has(&old, |item| matches!(item, Item::Skip(..))) {
            continue;
        }
        let mut check = Playing::new(Follow::new(playable(&new, Side::Client).expect("it still plays")));
        converse(&mut check, &mut mock(), delivery);
        assert_eq!(check.result(), Ok(()), "{text}");
    }
}

fn parse(text: &[u8]) -> Option<Transcript> {
    read(Path::new("t.chat"), text).ok()
}

fn playable(transcript: &Transcript, own: Side) -> Option<Playable> {
    Playable::new(transcript.clone(), own, Variables::default()).ok()
}

/// The client's transcript, the server's, and a seed, with NULs between them. Without the second, both are the first.
fn conversation(data: &[u8]) -> Option<(Transcript, Transcript, u64)> {
    let mut parts = data.splitn(3, |&byte| byte == 0);
    let checked = parts.next().unwrap_or_default();
    let played = parts.next().filter(|text| !text.is_empty()).unwrap_or(checked);
    let seed = parts.next().unwrap_or_default();
    let seed = seed.iter().fold(1, |seed: u64, &byte| seed.wrapping_mul(257) + u64::from(byte));
    Some((parse(checked)?, parse(played)?, seed))
}

fn deliveries(seed: u64) -> [Delivery; 3] {
    [Delivery::Prompt, Delivery::Bytes(seed), Delivery::Pieces(seed)]
}

fn has(transcript: &Transcript, is_it: impl Fn(&Item) -> bool) -> bool {
    transcript.entries.iter().any(|entry| is_it(&entry.item))
}

/// Whether the result may depend on the time.
fn is_timed(transcript: &Transcript) -> bool {
    let is_time = |item: &Item| matches!(item, Item::Wait(..) | Item::Quiet(_));
    transcript.timeout < LEAST_TIMEOUT || transcript.gap < LEAST_GAP || has(transcript, is_time)
}

/// The lines that an update does not touch.
fn kept(transcript: &Transcript) -> Vec<&str> {
    let is_touched = |number: usize| {
        let entry = transcript.entries.iter().find(|entry| entry.line == number);
        entry.is_some_and(|entry| match entry.item {
            Item::Literal(side, _) | Item::End(side) => side == Side::Server,
            Item::Placeholder | Item::Reset => true,
            Item::Template(..)
            | Item::Pattern(..)
            | Item::Skip(..)
            | Item::Connect(_)
            | Item::Wait(..)
            | Item::Quiet(_) => false,
        })
    };
    let lines = transcript.source.iter().enumerate();
    lines.filter(|(index, _)| !is_touched(index + 1)).map(|(_, line)| line.as_str()).collect()
}

fn text_of(transcript: &Transcript) -> String {
    let items =
        transcript.entries.iter().map(|entry| line_of(entry, transcript.eol, &Secrets::default()) + "\n");
    format!("%eol {}\n{}", name_of(transcript.eol), items.collect::<String>())
}

fn name_of(eol: LineEnding) -> &'static str {
    match eol {
        LineEnding::Lf => "lf",
        LineEnding::Crlf => "crlf",
    }
}
