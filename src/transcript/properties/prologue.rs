//! Any start of a transcript, as a prologue.

use super::*;
use crate::transcript::player::Handover;

/// The bytes of the server that may arrive before the client speaks again.
fn next_words(items: &[Item]) -> Vec<u8> {
    let is_clients = |item: &&Item| matches!(item, Item::Literal(Side::Client, bytes) if !bytes.is_empty());
    let turn = items.iter().take_while(|item| !is_clients(item));
    let bytes = turn.filter_map(|item| match item {
        Item::Literal(Side::Server, bytes) => Some(&bytes[..]),
        _ => None,
    });
    bytes.collect::<Vec<_>>().concat()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_start_passes_and_hands_over_what_is_beyond_it(
        case in any_case(),
        at in any::<prop::sample::Index>(),
        delivery in any_delivery(),
    ) {
        let mut items = case.items;
        items.retain(|item| !matches!(item, Item::End(_) | Item::Reset));
        let (start, rest) = items.split_at(at.index(items.len() + 1));
        let prologue = parse(&text_of(start, case.eol, &[]));
        let all = parse(&text_of(&items, case.eol, &[]));
        let outcome = converse_as(Prologue::new(client(&prologue)), &all, delivery);
        let Ok(Handover { unread, is_servers_turn }) = outcome.check else {
            panic!("{:?}\n{}", outcome.check, text_of(start, case.eol, &[]));
        };
        let beyond = next_words(rest);
        prop_assert!(beyond.starts_with(&unread), "{unread:?} of {beyond:?}");
        let last = start.iter().rfind(|item| !matches!(item, Item::Wait(..)));
        prop_assert_eq!(is_servers_turn, last.is_some_and(|last| last.side() == Side::Client));
    }
}
