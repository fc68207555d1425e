//! Properties of secrets: no value is shown, however the bytes were cut, and nothing else changes.

use proptest::prelude::*;

use super::*;
use crate::transcript::template::Segment;
use crate::transcript::testing;

/// Values that are no part of the program's own words, and overlap.
fn any_secrets() -> impl Strategy<Value = Secrets> {
    let value = prop_oneof![
        3 => "[QZ]{4,6}".prop_map(String::into_bytes),
        1 => prop::collection::vec(prop::sample::select(b"QZ\\{} \t\0\xc3\xa9".to_vec()), 4..7),
    ];
    let names = ["pw", "user", "_3"];
    prop::collection::vec(value, 1..4).prop_map(move |values| {
        let all = names.iter().zip(values);
        all.map(|(name, value)| Secret::new(name, &value).unwrap()).collect()
    })
}

/// What is done to an item with an index.
#[derive(Clone, Debug)]
enum Injection {
    /// The start of the secret with this index, most often all of it, is said at a place.
    Say { secret: usize, length: usize, place: usize },
    /// It is said in two pieces, between which the other side may say something.
    Cut { place: usize, between: Option<Vec<u8>> },
    /// All of it is a variable.
    Bind,
}

fn any_injection() -> impl Strategy<Value = (usize, Injection)> {
    let length = prop_oneof![3 => Just(10), 1 => 1..6usize];
    let say = (0..3usize, length, 0..8usize).prop_map(|(secret, length, place)| Injection::Say {
        secret,
        length,
        place,
    });
    let between = prop::option::of("[QZ]{0,4}\n?".prop_map(String::into_bytes));
    let cut = (0..8usize, between).prop_map(|(place, between)| Injection::Cut { place, between });
    (0..12usize, prop_oneof![4 => say, 2 => cut, 1 => Just(Injection::Bind)])
}

fn inject(items: &mut Vec<Item>, secrets: &Secrets, injections: &[(usize, Injection)]) {
    let secrets: Vec<&Secret> = secrets.iter().collect();
    for (index, injection) in injections {
        if items.is_empty() {
            return;
        }
        let index = index % items.len();
        let Item::Literal(side, bytes) = &mut items[index] else { continue };
        match injection {
            Injection::Say { secret, length, place } => {
                let value = secrets[secret % secrets.len()].value();
                let place = place % (bytes.len() + 1);
                bytes.splice(place..place, value.iter().copied().take(*length));
            }
            Injection::Cut { place, between } => {
                let (side, rest) = (*side, bytes.split_off(place % (bytes.len() + 1)));
                let between = between.iter().map(|between| Item::Literal(side.other(), between.clone()));
                let after = between.chain([Item::Literal(side, rest)]);
                let later = items.split_off(index + 1);
                items.extend(after.chain(later));
            }
            Injection::Bind if *side == Side::Server && bytes.ends_with(b"\n") => {
                items[index] = Item::Pattern(Side::Server, Pattern::new("(?s)(?<v>.+)").unwrap());
            }
            Injection::Bind => {}
        }
    }
}

/// A conversation in which secrets are said: what is expected, and what the server does.
fn any_session() -> impl Strategy<Value = (Secrets, Case, Case)> {
    let injections = prop::collection::vec(any_injection(), 1..6);
    (any_secrets(), any_conversation(), injections).prop_map(|(secrets, (checked, played), injections)| {
        let with = |case: Case, binds: bool| {
            let mut items = case.items;
            let is_used =
                |(_, injection): &&(usize, Injection)| binds || !matches!(injection, Injection::Bind);
            let injections: Vec<_> = injections.iter().filter(is_used).cloned().collect();
            inject(&mut items, &secrets, &injections);
            Case::new(case.eol, items, &[])
        };
        (secrets.clone(), with(checked, true), with(played, false))
    })
}

/// All that is shown of a conversation, and the recording.
struct Shown {
    text: String,
    recording: String,
    /// The same without secrets.
    plain: String,
    passed: bool,
}

fn playable(transcript: &Transcript, own: Side, secrets: &Secrets) -> Playable {
    Playable::new(transcript.clone(), own, Variables::with_secrets(secrets)).unwrap()
}

fn record(mut recorder: Recorder, events: &[(Side, Event)], flushes: bool) -> String {
    let mut text = String::new();
    let mut last = None;
    for (side, event) in events {
        if flushes && last.is_some_and(|last| last != *side) {
            text += &recorder.flush();
        }
        last = Some(*side);
        text += &match event {
            Event::Open(_) => String::new(),
            Event::Bytes(bytes) => recorder.say(*side, bytes),
            Event::End(End::Eof) => recorder.end(*side),
            Event::End(End::Reset) => recorder.reset(),
        };
    }
    text + &recorder.finish()
}

fn show(secrets: &Secrets, checked: &Transcript, played: &Transcript, delivery: Delivery) -> Shown {
    let (checks, plays) = (playable(checked, Side::Client, secrets), playable(played, Side::Server, secrets));
    let mut check = Playing::new(Follow::new(checks.clone()));
    let mut mock = Playing::new(Follow::new(plays.clone()));
    let events = testing::converse(&mut check, &mut mock, delivery).events;
    let events: Vec<_> = events.into_iter().map(|(_, side, event)| (side, event)).collect();
    let recording = record(Recorder::default().masking(secrets.clone()), &events, false);
    let mut text = record(Recorder::with_eol(checked.eol).masking(secrets.clone()), &events, true);
    text += &recording;
    let results = [(&checks, check.result()), (&plays, mock.result())];
    for (playable, result) in &results {
        if let Err(divergence) = result {
            let diff = Diff::new(playable, divergence, "peer");
            text += &diff.headline;
            text.extend(diff.lines.iter().map(|line| format!("{line}\n")));
            text += &serde_json::to_string(&diff).unwrap();
        }
    }
    let mut learning = Playing::new(Learn::new(checks.clone()));
    let mut mock = Playing::new(Follow::new(plays.clone()));
    testing::converse(&mut learning, &mut mock, delivery);
    match learning.result().map(|turns| rewrite(checked, &turns)) {
        Ok(Ok(Some(new))) => {
            let is_new = |line: &&str| !checked.source.iter().any(|old| old == line);
            text.extend(new.text.lines().filter(is_new).map(|line| format!("{line}\n")));
            text.extend(new.diff(&checks, "peer").iter().map(|line| format!("{line}\n")));
        }
        Ok(Err(conflict)) => {
            let diff = conflict.diff(&checks, "peer");
            text += &diff.headline;
            text.extend(diff.lines.iter().map(|line| format!("{line}\n")));
        }
        Ok(Ok(None)) | Err(_) => {}
    }
    let passed = results.iter().all(|(_, result)| result.is_ok());
    Shown { text, recording, plain: record(Recorder::default(), &events, false), passed }
}

/// What a side said in a recording, with the values of holes; and what is shown of it between two holes.
fn stream(side: Side, items: &[Item], secrets: &Secrets) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut said, mut shown) = (Vec::new(), vec![Vec::new()]);
    for item in items.iter().filter(|item| item.side() == side) {
        let segments = match item {
            Item::Literal(_, bytes) => vec![Segment::Text(bytes.clone())],
            Item::Template(_, template) => template.segments().to_vec(),
            _ => Vec::new(),
        };
        for segment in segments {
            match segment {
                Segment::Text(text) => {
                    said.extend_from_slice(&text);
                    shown.last_mut().unwrap().extend(text);
                }
                Segment::Hole(hole) => {
                    let secret = secrets.iter().find(|secret| Some(secret.name()) == hole.name.as_deref());
                    said.extend_from_slice(secret.unwrap().value());
                    shown.push(Vec::new());
                }
            }
        }
    }
    (said, shown)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn no_secret_is_shown((secrets, checked, played) in any_session(), delivery in any_delivery()) {
        let Shown { text, recording, plain, .. } =
            show(&secrets, &checked.transcript(), &played.transcript(), delivery);
        for secret in secrets.iter().filter(|secret| secret.value().is_ascii()) {
            let value = std::str::from_utf8(secret.value()).unwrap();
            // Other values may occur in escaped text.
            if value.bytes().all(|byte| byte.is_ascii_alphabetic()) {
                prop_assert!(!text.contains(value), "{}\n{}\n{}", value, played.text, text);
            }
        }
        let (recorded, plain) = (items_of(&parse(&recording)), items_of(&parse(&plain)));
        for side in [Side::Client, Side::Server] {
            let (said, shown) = stream(side, &recorded, &secrets);
            prop_assert_eq!(said, said_by(side, &plain), "{}", recording);
            for text in shown {
                prop_assert!(!secrets.are_in(&text), "{:?}\n{}", text, recording);
            }
        }
    }

    #[test]
    fn a_recording_with_secrets_checks_and_plays(
        secrets in any_secrets(),
        case in any_case(),
        injections in prop::collection::vec(any_injection(), 1..6),
        delivery in any_delivery(),
    ) {
        // A secret that is cut by the other side's words is recorded where it ends.
        let is_whole = |(_, injection): &(usize, Injection)| match injection {
            Injection::Say { length, .. } => *length == 10,
            Injection::Cut { .. } | Injection::Bind => false,
        };
        let injections: Vec<_> = injections.into_iter().filter(is_whole).collect();
        let mut items = case.items;
        inject(&mut items, &secrets, &injections);
        let transcript = parse(&text_of(&items, case.eol, &[]));
        let first = show(&secrets, &transcript, &transcript, delivery);
        prop_assert!(first.passed, "{}", first.text);
        let recorded = parse(&first.recording);
        let fits = |items: &[Item]| {
            let pairs = items.windows(2).filter(|pair| pair[0].side() != pair[1].side());
            pairs.into_iter().all(|pair| match &pair[0] {
                Item::Literal(_, bytes) => secrets.certain(bytes) == bytes.len(),
                _ => true,
            })
        };
        if fits(&normal_form(&items)) {
            let again = show(&secrets, &recorded, &recorded, delivery);
            prop_assert!(again.passed, "{}\n{}", first.recording, again.text);
            prop_assert_eq!(again.recording, first.recording);
        }
    }
}
