use super::*;
use crate::transcript::Side;
use crate::transcript::format::{LineEnding, Pattern};
use crate::transcript::writer::{escaped, masked, masked_literals};

fn secrets(all: &[(&str, &str)]) -> Secrets {
    all.iter().map(|(name, value)| Secret::new(name, value.as_bytes()).unwrap()).collect()
}

fn found(secrets: &Secrets, text: &str) -> Vec<(usize, usize, String)> {
    let found = secrets.find(text.as_bytes());
    found.into_iter().map(|found| (found.range.start, found.range.end, found.name.to_owned())).collect()
}

#[test]
fn some_values_cannot_be_secrets() {
    for (value, what) in
        [("", "is shorter than 4 bytes"), ("abc", "is shorter than 4 bytes"), ("ab\rc", "has a CR or LF")]
    {
        assert_eq!(Secret::new("s", value.as_bytes()).unwrap_err(), what);
    }
    assert!(Secret::new("s", b"abcd").is_ok());
}

#[test]
fn debugging_output_has_no_values() {
    assert_eq!(format!("{:?}", secrets(&[("s", "hunter2")])), "Secrets { all: [\"s\"] }");
}

#[test]
fn the_first_and_longest_is_found() {
    let all = secrets(&[("a", "abcd"), ("b", "abcdef"), ("c", "cdefgh")]);
    let of = |start, end, name: &str| (start, end, name.to_owned());
    assert_eq!(found(&all, "abcdabcdefgh"), [of(0, 4, "a"), of(4, 10, "b")]);
    assert_eq!(found(&all, "xcdefghabc"), [of(1, 7, "c")]);
    assert_eq!(found(&all, "abcde"), [of(0, 4, "a")]);
    assert_eq!(found(&secrets(&[("s", "aaaa")]), "aaaaaaaaa"), [of(0, 4, "s"), of(4, 8, "s")]);
    assert_eq!(found(&Secrets::default(), "abcd"), []);
}

#[test]
fn what_may_go_on_is_not_certain() {
    let all = secrets(&[("a", "abcd"), ("b", "abcdef"), ("c", "cdXX")]);
    for (text, certain) in [
        ("", 0),
        ("xyz", 3),
        ("xab", 1),
        ("abcd", 0),
        ("abcde", 0),
        ("abcdef", 6),
        // The end of a secret that was found starts no other one.
        ("xbcd", 2),
        ("abcdefcd", 6),
        ("xcdXX", 5),
        ("ab\n", 3),
        ("abcd\nabc", 5),
    ] {
        assert_eq!(all.certain(text.as_bytes()), certain, "{text}");
    }
}

/// Slow reference implementation.
fn find_slowly<'s>(all: &'s Secrets, bytes: &[u8]) -> Vec<Found<'s>> {
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        match all.iter().find(|secret| bytes[at..].starts_with(&secret.value)) {
            Some(secret) => {
                found.push(Found { range: at..at + secret.value.len(), name: &secret.name });
                at += secret.value.len();
            }
            None => at += 1,
        }
    }
    found
}

proptest::proptest! {
    #[test]
    fn secrets_are_found_whatever_follows(
        values in proptest::collection::vec("[ab]{4,7}", 1..4), text in "[abc]{0,30}", cut in 0..30usize,
    ) {
        let names: Vec<String> = (0..values.len()).map(|index| format!("s{index}")).collect();
        let all: Vec<_> = names.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
        let all = secrets(&all);
        let found = all.find(text.as_bytes());
        proptest::prop_assert_eq!(&found, &find_slowly(&all, text.as_bytes()));
        // The certain part of a start has the same ones.
        let start = &text.as_bytes()[..cut.min(text.len())];
        let certain = all.certain(start);
        let in_it = all.find(&start[..certain]);
        let expected: Vec<_> = found.into_iter().filter(|found| found.range.start < certain).collect();
        proptest::prop_assert_eq!(in_it, expected);
        // And no less than it could be.
        let rest = &start[certain..];
        let is_start = all.iter().any(|secret| secret.value.starts_with(rest) && secret.value.len() > rest.len());
        proptest::prop_assert!(rest.is_empty() || is_start);
    }
}

#[test]
fn items_are_shown_with_holes() {
    let all = secrets(&[("pw", "hunter2"), ("odd", "a\\{}\x01")]);
    let side = Side::Client;
    let show = |item: &Item| masked(item, LineEnding::Crlf, &all);
    let literal = |text: &str| Item::Literal(side, text.as_bytes().to_vec());
    for (text, expected) in [
        ("PASS hunter2\r\n", r"C\ PASS \{pw}"),
        ("hunter2", r"C\ \{pw}\"),
        ("hunter2hunter2 \r\n", r"C\ \{pw}\{pw}\x20"),
        ("\\a\\{}\x01\r\n", r"C\ \\\{odd}"),
        ("PASS hunter3\r\n", "C: PASS hunter3"),
    ] {
        assert_eq!(show(&literal(text)), expected);
    }
    let hole = |name: &str, sample: &str| {
        Segment::Hole(Hole { name: Some(name.to_owned()), sample: Some(sample.into()) })
    };
    let template = [Segment::Text(b"hunter2 ".to_vec()), hole("a", "my hunter2"), hole("b", "c")];
    assert_eq!(show(&Item::Template(side, Template::new(template))), r"C\ \{pw} \{a}\{b=c}\");
    let pattern = Item::Pattern(Side::Server, Pattern::new("(hunter2)+").unwrap());
    assert_eq!(show(&pattern), r"S~ (\{pw})+");
    assert_eq!(escaped(b"\thunter2", &all), r"\t\{pw}");
    assert_eq!(all.mask_text("a hunter2 b"), r"a \{pw} b");
    assert_eq!(secrets(&[]).mask_text("a hunter2 b"), "a hunter2 b");
    let bytes = Secret::new("half", b"\xa9\xc3\xa9\xc3").unwrap();
    assert_eq!(Secrets::from_iter([bytes]).mask_text("éééx"), "\u{fffd}\\{half}\u{fffd}x");
}

#[test]
fn long_lines_are_not_cut_in_a_secret() {
    let all = secrets(&[("pw", "hunter2")]);
    let text = ["x".repeat(64 * 1024 - 3), "hunter2 and ".to_owned(), "y".repeat(64 * 1024), "\n".to_owned()]
        .concat();
    let lines = masked_literals(Side::Client, text.as_bytes(), LineEnding::Lf, &all);
    assert!(lines[0].ends_with(r"xxx\{pw}\"), "{}", &lines[0][64 * 1024 - 20..]);
    assert!(lines[1].starts_with(r"C\  and yyy"), "{}", &lines[1][..20]);
    assert_eq!(lines.len(), 3);
}
