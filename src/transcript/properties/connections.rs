//! The same properties, of transcripts with several connections, and a server that is no player.

use super::holes::{Cut, any_cuts, cut_all};
use super::*;
use crate::transcript::format::Entry;
use crate::transcript::secrets::Secrets;
use crate::transcript::template::{Hole, Segment, Template};
use crate::transcript::testing::ModelServer;
use crate::transcript::writer::line_of;

/// Connections 1, 2 and 9.
const NUMBERS: [Option<char>; 3] = [None, Some('2'), Some('9')];

fn connection(index: usize) -> Connection {
    NUMBERS[index].and_then(Connection::from_digit).unwrap_or(Connection::FIRST)
}

fn entry(connection: Connection, item: Item) -> Entry {
    Entry { line: 0, connection, item }
}

/// Drops items that may not follow an earlier one of their connection.
fn in_order(entries: Vec<Entry>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::new();
    for entry in entries {
        let own = kept.iter().filter(|other| other.connection == entry.connection);
        let mut items: Vec<Item> = own.map(|entry| entry.item.clone()).collect();
        let is_late = matches!(entry.item, Item::Connect(_)) && !items.is_empty();
        let count = items.len();
        items.push(entry.item.clone());
        if !is_late && super::in_order(items).len() > count {
            kept.push(entry);
        }
    }
    kept
}

fn parsed(entries: &[Entry], eol: LineEnding) -> Transcript {
    let lines = entries.iter().map(|entry| line_of(entry, eol, &Secrets::default()) + "\n");
    parse(&format!("%eol {}\n{}", name_of(eol), lines.collect::<String>()))
}

/// The item that opens a connection, and perhaps its address.
fn any_opening() -> impl Strategy<Value = Item> {
    let address = |segments: Vec<Segment>| Item::Connect(Some(Template::new(segments)));
    let hole = || Segment::Hole(Hole { name: None, sample: Some(b"7".to_vec()) });
    prop_oneof![
        Just(Item::Connect(None)),
        Just(address(vec![Segment::Text(b"host:7".to_vec())])),
        Just(address(vec![Segment::Text(b"host:".to_vec()), hole()])),
    ]
}

/// A transcript with several connections, without patterns.
fn any_entries(eol: LineEnding) -> impl Strategy<Value = Vec<Entry>> {
    let items = prop::collection::vec((0..3usize, any_item(eol)), 0..16);
    let openings = prop::collection::vec(prop::option::of(any_opening()), 3);
    (items, openings).prop_map(|(items, mut openings)| {
        let mut entries = Vec::new();
        for (index, item) in items {
            let opening = openings[index].take().filter(|_| index > 0);
            entries.extend(opening.into_iter().chain([item]).map(|item| entry(connection(index), item)));
        }
        in_order(entries)
    })
}

fn any_case() -> impl Strategy<Value = (LineEnding, Vec<Entry>)> {
    any_eol().prop_flat_map(|eol| any_entries(eol).prop_map(move |entries| (eol, entries)))
}

/// Each connection ends: otherwise the time decides whether something that nobody awaits comes before the end.
fn with_ends(mut entries: Vec<Entry>) -> Vec<Entry> {
    for connection in parsed(&entries, LineEnding::Lf).connections() {
        entries.push(entry(connection, Item::End(Side::Server)));
    }
    in_order(entries)
}

/// A transcript with patterns and holes, and that of a server that follows it more or less.
fn any_conversation() -> impl Strategy<Value = (Transcript, Vec<Entry>)> {
    let vague = prop::collection::vec(0..8u8, 20);
    let changes = prop::collection::vec((0..20usize, 0..6u8), 0..3);
    (any_case(), vague, any_cuts(), changes).prop_map(|((eol, entries), vague, cuts, changes)| {
        let is_timed = |entry: &Entry| matches!(entry.item, Item::Quiet(_) | Item::Wait(..));
        let mut played = with_ends(entries.into_iter().filter(|entry| !is_timed(entry)).collect());
        let checked = parsed(&blurred(&played, eol, &vague, &cuts), eol);
        for (at, how) in changes {
            change_one(&mut played, at, how);
        }
        (checked, in_order(played))
    })
}

/// Replaces items with patterns, with skips, and with others that have holes.
fn blurred(entries: &[Entry], eol: LineEnding, vague: &[u8], cuts: &[Option<Cut>]) -> Vec<Entry> {
    let items: Vec<Item> = entries.iter().map(|entry| entry.item.clone()).collect();
    let items = cut_all(&blur(&items, vague), eol, cuts);
    let mut blurred: Vec<Entry> = Vec::new();
    for (Entry { connection, .. }, item) in entries.iter().zip(items) {
        let last = blurred.iter().rfind(|entry| entry.connection == *connection).map(|entry| &entry.item);
        if !matches!((last, &item), (Some(Item::Skip(..)), Item::Skip(..))) {
            blurred.push(entry(*connection, item));
        }
    }
    blurred
}

/// Changes a server on one of its connections.
fn change_one(entries: &mut Vec<Entry>, at: usize, how: u8) {
    let Some(connection) = entries.get(at).map(|entry| entry.connection) else { return };
    let mut one = vec![entries[at].item.clone()];
    // Not what the client says.
    if one[0].side() == Side::Server {
        change(&mut one, 0, how);
    }
    entries.splice(at..=at, one.into_iter().map(|item| entry(connection, item)));
}

fn check(checked: &Transcript, played: &[Entry], delivery: Delivery) -> Result<(), Divergence> {
    let mut check = Playing::new(Follow::new(client(checked)));
    testing::converse(&mut check, &mut ModelServer::new(played), delivery);
    check.result()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_check_of_a_server_that_says_the_same_passes(
        (eol, entries) in any_case(), cuts in any_cuts(), delivery in any_delivery(),
    ) {
        let played = parsed(&entries, eol);
        let without_lines = |entries: &[Entry]| -> Vec<_> {
            entries.iter().map(|entry| (entry.connection, entry.item.clone())).collect()
        };
        prop_assert_eq!(without_lines(&played.entries), without_lines(&entries));
        prop_assert_eq!(check(&played, &entries, delivery), Ok(()), "{:?}", played.source);
        let checked = parsed(&blurred(&entries, eol, &[9; 16], &cuts), eol);
        prop_assert_eq!(check(&checked, &entries, delivery), Ok(()), "{:?}", checked.source);
    }

    #[test]
    fn a_verdict_depends_neither_on_how_bytes_are_cut_nor_on_which_connection_is_read_first(
        (checked, played) in any_conversation(), seed in any::<u64>(),
    ) {
        let outcomes = [
            Delivery::Prompt, Delivery::Bytes(seed), Delivery::Pieces(seed), Delivery::Pieces(!seed),
        ].map(|delivery| check(&checked, &played, delivery));
        let diff = |outcome: &Result<(), Divergence>| {
            let Diff { headline, lines, .. } = Diff::new(&client(&checked), outcome.as_ref().err()?, "server");
            Some((headline, lines))
        };
        for outcome in &outcomes[1..] {
            prop_assert_eq!(&outcomes[0], outcome, "{:?}\n{:?}", checked.source, played);
            prop_assert_eq!(diff(&outcomes[0]), diff(outcome));
        }
    }
}

#[test]
fn thirty_thousand_lines_by_turns_are_linear() {
    let ticks = |lines: usize| {
        // Every line of the second connection arrives long before its turn.
        let said = "C: a\nS: A\n".repeat(lines);
        let text = format!("C2: go\n{said}{}S EOF\nS2 EOF\n", "S2: B\nC2: b\n".repeat(lines));
        let checked = parse(&text);
        let early = format!("C2: go\n{}{said}S EOF\nS2 EOF\n", "S2: B\n".repeat(lines));
        let mut check = Playing::new(Follow::new(client(&checked)));
        let trace =
            testing::converse(&mut check, &mut ModelServer::new(&parse(&early).entries), Delivery::Pieces(1));
        assert_eq!(check.result(), Ok(()));
        trace.ticks
    };
    assert!(ticks(8_000) < 3 * ticks(4_000));
}
