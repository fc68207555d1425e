//! The same properties, of transcripts with holes.

use super::*;
use crate::transcript::compare::{Input, Match, compare};
use crate::transcript::scan::Scan;
use crate::transcript::template::{Hole, Segment, Template};

/// What may become of a literal: where its hole starts, its length, and its name.
pub(super) type Cut = (prop::sample::Index, usize, u8);

/// Cuts a hole into a literal, if the hole would match what is cut out.
fn cut(item: &Item, (at, length, name): Cut, eol: LineEnding, variables: &mut Variables) -> Option<Item> {
    let Item::Literal(side, bytes) = item else { return None };
    let start = at.index(bytes.len().max(1));
    let sample = bytes.get(start..start + length)?.to_vec();
    let names = ["a", "b", "_c9"];
    let name = names.get(usize::from(name)).map(|&name| name.to_owned());
    let hole = |name| Hole { name, sample: Some(sample.clone()) };
    let text = |bytes: &[u8]| Segment::Text(bytes.to_vec());
    let with = |name| [text(&bytes[..start]), Segment::Hole(hole(name)), text(&bytes[start + length..])];
    let item = Item::Template(*side, Template::new(with(name.clone())));
    let input = Input { bytes, line_feed: None, has_ended: false };
    let mut scan = Scan::default();
    check_value(&sample).ok()?;
    let Item::Template(_, template) = &item else { return None };
    template.check_received(|_| false).ok()?;
    if compare(&item, input, eol, variables, &mut scan) != Match::Yes(bytes.len()) {
        return None;
    }
    scan.bind(bytes, variables);
    let is_same = name.is_none_or(|name| variables.get(&name) == Some(&sample));
    is_same.then_some(item)
}

fn with_holes(case: &Case, cuts: &[Option<Cut>]) -> Case {
    Case::new(case.eol, cut_all(&case.items, case.eol, cuts), &[])
}

pub(super) fn cut_all(items: &[Item], eol: LineEnding, cuts: &[Option<Cut>]) -> Vec<Item> {
    let mut variables = Variables::default();
    let items = items.iter().enumerate().map(|(index, item)| {
        let mut tried = variables.clone();
        cuts.get(index)
            .copied()
            .flatten()
            .and_then(|how| {
                let new = cut(item, how, eol, &mut tried);
                if new.is_some() {
                    variables = tried;
                }
                new
            })
            .unwrap_or_else(|| item.clone())
    });
    items.collect()
}

pub(super) fn any_cuts() -> impl Strategy<Value = Vec<Option<Cut>>> {
    prop::collection::vec(prop::option::weighted(0.8, (any::<prop::sample::Index>(), 1..4usize, 0..5u8)), 12)
}

/// A transcript with holes, and the same without.
fn any_case_with_holes() -> impl Strategy<Value = (Case, Case)> {
    (any_case(), any_cuts()).prop_map(|(case, cuts)| (with_holes(&case, &cuts), case))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn any_template_is_read_as_it_was_written(
        segments in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..4), prop::option::of("[a-z_][a-z0-9]{0,2}"),
             prop::option::of(prop::collection::vec(
                 any::<u8>().prop_filter("a line", |byte| !b"\r\n".contains(byte)), 1..4))),
            1..4),
        tail in prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..4)],
        eol in any_eol(), is_terminated: bool,
    ) {
        let segments = segments.into_iter().flat_map(|(text, name, sample)| {
            [Segment::Text(text), Segment::Hole(Hole { name, sample })]
        });
        let ending = if is_terminated { eol.bytes().to_vec() } else { Vec::new() };
        let item = Item::Template(
            Side::Server, Template::new(segments.chain([Segment::Text(tail), Segment::Text(ending)])));
        let text = text_of(std::slice::from_ref(&item), eol, &[]);
        prop_assert!(!text.lines().any(|line| line.ends_with([' ', '\t', '\r', '\u{a0}'])), "{text:?}");
        prop_assert!(!text.chars().any(|character| character != '\n' && character.is_control()), "{text:?}");
        prop_assert_eq!(items_of(&parse(&text)), [item], "{}", text);
    }

    #[test]
    fn one_file_with_samples_checks_and_plays((case, literal) in any_case_with_holes(), delivery in any_delivery()) {
        let (transcript, literal) = (case.transcript(), literal.transcript());
        prop_assert_eq!(items_of(&transcript), &case.items[..]);
        let outcome = converse(&transcript, &transcript, delivery);
        prop_assert_eq!(&outcome.check, &Ok(()), "{}", case.text);
        prop_assert_eq!(&outcome.mock, &Ok(()), "{}", case.text);
        // It says the same as one without holes, and the recording has the samples.
        let recorded = items_of(&parse(&outcome.recording));
        prop_assert_eq!(recorded, normal_form(&items_of(&literal)), "{}\n{}", case.text, outcome.recording);
        for (checked, played) in [(&transcript, &literal), (&literal, &transcript)] {
            let outcome = converse(checked, played, delivery);
            prop_assert_eq!((outcome.check, outcome.mock), (Ok(()), Ok(())), "{}", case.text);
        }
        // An update has nothing to do where it has nothing to do without holes.
        let update = |old: &Transcript| {
            let turns = learn(old, &literal, delivery).check.ok()?;
            Some(rewrite(old, &turns))
        };
        if update(&literal) == Some(Ok(None)) {
            prop_assert_eq!(update(&transcript), Some(Ok(None)), "{}", case.text);
        }
    }

    #[test]
    fn a_verdict_with_holes_does_not_depend_on_how_bytes_are_cut(
        (checked, played) in any_conversation(), cuts in any_cuts(), seed in any::<u64>(),
    ) {
        let (checked, played) = (with_holes(&checked, &cuts).transcript(), played.transcript());
        let report = |outcome: &Outcome| {
            let divergence = outcome.check.as_ref().err()?;
            let Diff { headline, lines, .. } = Diff::new(&client(&checked), divergence, "server");
            Some((headline, lines))
        };
        let outcomes = [Delivery::Prompt, Delivery::Bytes(seed), Delivery::Pieces(seed)]
            .map(|delivery| converse(&checked, &played, delivery));
        for outcome in &outcomes {
            prop_assert_eq!(&outcomes[0].check, &outcome.check);
            prop_assert_eq!(report(&outcomes[0]), report(outcome));
            if let Err(divergence) = &outcome.check {
                for (_, value) in divergence.variables.iter() {
                    prop_assert_eq!(check_value(value), Ok(()), "{:?}", value);
                }
            }
        }
    }

    /// A hole is the shortest run that a regular expression finds.
    #[test]
    fn a_template_matches_what_a_regular_expression_does(
        texts in prop::collection::vec("[ab\r\n]{1,3}", 1..4), input in "[ab\r\n]{0,14}", seed in any::<u64>(),
    ) {
        let hole = |index: usize| Segment::Hole(Hole { name: Some(format!("h{index}")), sample: None });
        let segments = texts.iter().enumerate().flat_map(|(index, text)| [hole(index), Segment::Text(text.clone().into())]);
        let item = Item::Template(Side::Server, Template::new(segments));
        let parts = texts.iter().enumerate();
        let parts = parts.map(|(index, text)| format!(r"(?<h{index}>[^\r\n]+?){text}"));
        let source = parts.collect::<Vec<_>>().concat();
        let expected = regex::bytes::Regex::new(&format!(r"\A{source}")).unwrap().captures(input.as_bytes());
        let mut scan = Scan::default();
        let mut variables = Variables::default();
        let mut result = Match::Open;
        let mut given = 0;
        // The input arrives in pieces.
        for piece in 0.. {
            given = (given + 1 + usize::from((seed >> (piece % 60)) & 1 == 1)).min(input.len());
            let bytes = &input.as_bytes()[..given];
            let input = Input { bytes, line_feed: None, has_ended: false };
            result = compare(&item, input, LineEnding::Lf, &Variables::default(), &mut scan);
            if result != Match::Open || given == bytes.len().max(14) || piece > 20 {
                scan.bind(bytes, &mut variables);
                break;
            }
        }
        match expected {
            Some(captures) => {
                prop_assert_eq!(result, Match::Yes(captures[0].len()));
                for index in 0..texts.len() {
                    let name = format!("h{index}");
                    prop_assert_eq!(variables.get(&name), Some(&captures[&name[..]]));
                }
            }
            None => prop_assert!(!matches!(result, Match::Yes(_)), "{:?}", result),
        }
    }
}
