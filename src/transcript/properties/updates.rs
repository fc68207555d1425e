//! Updates: what they write passes a check.

use super::*;

/// A transcript that is out of date, and that of the server.
fn any_old_transcript() -> impl Strategy<Value = (Case, Case)> {
    let changes = prop::collection::vec((0..12usize, 0..6u8), 0..4);
    let vague = prop::collection::vec(0..8u8, 0..12);
    let placeholders = prop::collection::vec(prop::bool::weighted(0.2), 0..12);
    let pause = (0..12usize, prop_oneof![Just(Side::Client), Just(Side::Server)], 0..60u64);
    let pauses = prop::collection::vec(pause, 0..3);
    (any_case(), changes, vague, placeholders, pauses).prop_map(
        |(case, changes, vague, placeholders, pauses)| {
            let now: Vec<Item> = case
                .items
                .iter()
                .filter(|item| !matches!(item, Item::Quiet(_) | Item::Wait(..)))
                .cloned()
                .collect();
            let mut old = now.clone();
            for (at, how) in changes {
                let places: Vec<usize> =
                    (0..old.len()).filter(|&index| old[index].side() == Side::Server).collect();
                if let Some(&place) = places.get(at % places.len().max(1)) {
                    // Not truncated and not reset: the client says the same as before.
                    change(&mut old, place, if matches!(how, 3 | 5) { 0 } else { how });
                }
            }
            let mut old = with_placeholders(&blur(&old, &vague), &placeholders);
            for (at, side, time) in pauses {
                old.insert(at.min(old.len()), Item::Wait(side, ms(time)));
            }
            (Case::new(case.eol, old, &[3, 2, 1, 0, 1]), Case::new(case.eol, now, &[]))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn a_check_of_what_was_updated_passes((old, now) in any_old_transcript(), delivery in any_delivery()) {
        is_updated(&old, &now, delivery)?;
    }

    #[test]
    fn a_script_of_client_lines_is_filled_in(case in any_case(), all: bool, which in any_placeholders(), delivery in any_delivery()) {
        let is_kept = |item: &&Item| !matches!(item, Item::Quiet(_) | Item::Wait(..));
        let items: Vec<Item> = case.items.iter().filter(is_kept).cloned().collect();
        let which = if all { vec![true; 12] } else { which };
        let script = Case::new(case.eol, with_placeholders(&items, &which), &[3, 2, 1, 0]);
        is_updated(&script, &Case::new(case.eol, items, &[]), delivery)?;
    }
}

fn any_placeholders() -> impl Strategy<Value = Vec<bool>> {
    prop::collection::vec(any::<bool>(), 12)
}

/// Puts an `S ?` in place of what the server says in some turns.
fn with_placeholders(items: &[Item], which: &[bool]) -> Vec<Item> {
    let mut replaced: Vec<Item> = Vec::new();
    let mut turn = 0;
    for item in items {
        let is_filled = which.get(turn).is_some_and(|&is_filled| is_filled);
        match item {
            Item::Wait(..) => replaced.push(item.clone()),
            _ if item.side() == Side::Client => {
                turn += 1;
                replaced.push(item.clone());
            }
            _ if !is_filled => replaced.push(item.clone()),
            _ => {
                let last = replaced.iter().rfind(|item| !matches!(item, Item::Wait(..)));
                if last != Some(&Item::Placeholder) {
                    replaced.push(Item::Placeholder);
                }
            }
        }
    }
    replaced
}

/// An update that succeeds writes a file whose check passes. One that fails keeps what it can.
fn is_updated(old: &Case, now: &Case, delivery: Delivery) -> Result<(), TestCaseError> {
    let (transcript, played) = (old.transcript(), now.transcript());
    let client = Playable::to_update(transcript.clone(), Variables::default()).unwrap();
    let (outcome, turns) = learn_turns(client.clone(), &played, delivery);
    if outcome.check.is_err() {
        return is_filled_in(&client, &turns);
    }
    let new = match rewrite(&transcript, &turns) {
        Ok(new) => new,
        Err(conflict) => {
            prop_assert!(conflict.to_string().contains("no longer matches"), "{conflict}\n{}", old.text);
            let diff = conflict.diff(&client, "server");
            prop_assert!(diff.lines.iter().any(|line| matches!(line, DiffLine::Expected(_))), "{diff:?}");
            return is_filled_in(&client, &turns);
        }
    };
    let text = new.as_ref().map_or(&old.text, |new| &new.text);
    let outcome = converse(&parse(text), &played, delivery);
    prop_assert_eq!(outcome.check, Ok(()), "old:\n{}\nnow:\n{}\nnew:\n{}", old.text, now.text, text);
    // A second update changes nothing.
    let again = parse(text);
    let outcome = learn(&again, &played, delivery);
    prop_assert!(outcome.check.is_ok(), "{:?}\n{}", outcome.check, text);
    prop_assert_eq!(rewrite(&again, &outcome.check.unwrap()), Ok(None), "{}", text);
    if let Some(new) = new {
        has_diff(&new, &client)?;
    }
    Ok(())
}

/// Only placeholders were replaced.
fn is_filled_in(old: &Playable, turns: &[Turn]) -> Result<(), TestCaseError> {
    let transcript = old.transcript();
    let Some(new) = fill_in(transcript, turns) else { return Ok(()) };
    let items = items_of(&parse(&new.text));
    let mut new_items = items.iter();
    for item in items_of(transcript) {
        if item != Item::Placeholder {
            prop_assert!(new_items.any(|new| *new == item), "{}", new.text);
        }
    }
    let left = |items: &[Item]| items.iter().filter(|item| **item == Item::Placeholder).count();
    prop_assert!(left(&items) < left(&items_of(transcript)), "{}", new.text);
    has_diff(&new, old)
}

/// The diff has the lines that are new, and those that are gone.
fn has_diff(new: &Rewriting, old: &Playable) -> Result<(), TestCaseError> {
    let lines_of = |transcript: &Transcript| -> Vec<String> {
        items_of(transcript).iter().map(|item| notation(item, transcript.eol)).collect()
    };
    let (mut old_lines, mut new_lines) = (lines_of(old.transcript()), lines_of(&parse(&new.text)));
    let diff = new.diff(old, "server");
    // What stays is the same in both.
    for line in &diff {
        let (lines, text) = match line {
            DiffLine::Expected(text) => (&mut old_lines, text),
            DiffLine::Received(text) => (&mut new_lines, text),
            DiffLine::Label(_) | DiffLine::Context(_) | DiffLine::Note(_) => continue,
        };
        let place = lines.iter().position(|line| line == text);
        prop_assert!(place.is_some(), "{text}\n{:?}", diff);
        lines.remove(place.unwrap());
    }
    old_lines.sort();
    new_lines.sort();
    prop_assert_eq!(old_lines, new_lines, "{:?}", diff);
    Ok(())
}

/// The outcome of an update, and the turns that it learned even if it failed.
fn learn_turns(client: Playable, played: &Transcript, delivery: Delivery) -> (Outcome<Vec<Turn>>, Vec<Turn>) {
    let mut learning = Playing::new(Learn::new(client));
    let outcome = converse_with(&mut learning, played, delivery);
    let turns = outcome.check.clone().unwrap_or_else(|_| learning.into_player().into_turns());
    (outcome, turns)
}
