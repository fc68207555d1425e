//! What is read, and what is not.

use super::*;
use crate::transcript::template::{Hole, Segment, Template};
use std::time::Duration;

fn parse(text: &str) -> Result<Transcript, String> {
    read(Path::new("t.chat"), text.as_bytes()).map_err(|error| error.to_string())
}

fn items(text: &str) -> Vec<Item> {
    parse(text).unwrap().entries.into_iter().map(|entry| entry.item).collect()
}

fn client(bytes: &[u8]) -> Item {
    Item::Literal(Side::Client, bytes.to_vec())
}

fn server(bytes: &[u8]) -> Item {
    Item::Literal(Side::Server, bytes.to_vec())
}

#[test]
fn reads_every_form() {
    let text = "\u{feff}# a comment\n%eol crlf\n%timeout 10s\n\n  C: hello \r\n\tS:  two\nC:\nS\\ a\\\\\\r\\n\\t\\x00\\xFf\n\
                C\\ half \\\nS~ 2\\d+ .*\nS ...\nC WAIT 200ms\nS WAIT 1s\nS QUIET 1.5s\nC EOF\nS EOF";
    let transcript = parse(text).unwrap();
    assert_eq!((transcript.eol, transcript.timeout), (LineEnding::Crlf, Duration::from_secs(10)));
    let lines: Vec<usize> = transcript.entries.iter().map(|entry| entry.line).collect();
    assert_eq!(lines, (5..=16).collect::<Vec<_>>());
    assert_eq!(
        items(text),
        [
            client(b"hello \r\n"),
            server(b" two\r\n"),
            client(b"\r\n"),
            server(b"a\\\r\n\t\0\xff\r\n"),
            client(b"half "),
            Item::Pattern(Side::Server, Pattern::new(r"2\d+ .*").unwrap()),
            Item::Skip(Side::Server, None),
            Item::Wait(Side::Client, Duration::from_millis(200)),
            Item::Wait(Side::Server, Duration::from_secs(1)),
            Item::Quiet(Duration::from_millis(1500)),
            Item::End(Side::Client),
            Item::End(Side::Server),
        ]
    );
    assert_eq!(items("S RST"), [Item::Reset]);
    assert_eq!(items("C ...  "), [Item::Skip(Side::Client, None)]);
    let pattern = Pattern::new(r" 250-.* ").unwrap();
    assert_eq!(items("S ...  250-.* "), [Item::Skip(Side::Server, Some(pattern))]);
    assert_eq!(parse("%gap 1s").unwrap().gap, Duration::from_secs(1));
}

#[test]
fn reads_items_of_several_connections() {
    let text = "C9 CONNECT\nC: a\nS2 ...\nC2: b\nS9\\ c\\\nS ...\nC3 CONNECT unix:/a b  \nC4 CONNECT h:\\{p=\\}}\nS2 RST\nC3 EOF\nC EOF\n";
    let transcript = parse(text).unwrap();
    let labels = transcript.entries.iter().map(|entry| entry.connection.letter(entry.item.side()));
    assert_eq!(labels.collect::<Vec<_>>().join(" "), "C9 C S2 C2 S9 S C3 C4 S2 C3 C");
    let address = |index: usize| match &transcript.entries[index].item {
        Item::Connect(address) => address.clone(),
        item => panic!("{item:?}"),
    };
    assert_eq!(address(0), None);
    assert_eq!(address(6), Some(Template::new([Segment::Text(b"unix:/a b".to_vec())])));
    assert_eq!(address(7), Some(Template::new([Segment::Text(b"h:".to_vec()), hole("p", Some(b"}"))])));
    let numbers = transcript.connections().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    assert_eq!(numbers, "connection 9, connection 1, connection 2, connection 3, connection 4");
}

#[test]
fn a_backslash_at_the_end_leaves_out_the_end_of_line_and_two_do_not() {
    assert_eq!(items("C\\ a\\"), [client(b"a")]);
    assert_eq!(items("C\\ a\\\\"), [client(b"a\\\n")]);
    assert_eq!(items("C\\ a\\\\\\"), [client(b"a\\")]);
    assert_eq!(items("C: a\\"), [client(b"a\\\n")]);
    assert_eq!(items("C\\"), [client(b"\n")]);
}

fn hole(name: &str, sample: Option<&[u8]>) -> Segment {
    let name = (!name.is_empty()).then(|| name.to_owned());
    Segment::Hole(Hole { name, sample: sample.map(<[u8]>::to_vec) })
}

#[test]
fn reads_holes_in_escaped_text_alone() {
    let text = |text: &str| Segment::Text(text.into());
    for (line, segments) in [
        (r"S\ a \{id} b", vec![text("a "), hole("id", None), text(" b\n")]),
        (r"S\ \{_x9=a\}\\\x3db=c {}\", vec![hole("_x9", Some(b"a}\\=b=c {"))]),
        (r"S\ \{}\{=x}", vec![hole("", None), hole("", Some(b"x")), text("\n")]),
    ] {
        assert_eq!(items(line), [Item::Template(Side::Server, Template::new(segments))], "{line}");
    }
    assert_eq!(items(r"S: \{id}"), [server(b"\\{id}\n")]);
    assert_eq!(items(r"S\ \\{id}"), [server(b"\\{id}\n")]);
}

#[test]
fn names_the_line_what_was_found_and_what_was_expected() {
    for (text, line, found, expected) in [
        ("C:text", 1, "'C:text'", "a space after 'C:'"),
        ("\nhello", 2, "'hello'", "'C:'"),
        ("C1: x", 1, "'C1: x'", "'C:' for connection 1"),
        ("S0 EOF", 1, "'S0 EOF'", "'S2:' to 'S9:'"),
        ("C10: x", 1, "'C10: x'", "'C2:' to 'C9:'"),
        ("C02: x", 1, "'C02: x'", "'C2:' to 'C9:'"),
        ("C2:x", 1, "'C2:x'", "a space after 'C2:'"),
        ("C 2: x", 1, "'C 2: x'", "'C2:'"),
        ("C2 WAIT", 1, "'C2 WAIT'", "'C2 WAIT 200ms'"),
        ("C2 RST", 1, "'C2 RST'", "'S RST'"),
        ("S2 CONNECT", 1, "'S2 CONNECT'", "'C2 CONNECT'"),
        ("C CONNECT h:1", 1, "'C CONNECT h:1'", "'C2 CONNECT' to 'C9 CONNECT'"),
        (
            "C2: x\nC2 CONNECT",
            2,
            "the first one on line 1",
            "'C2 CONNECT' before all other items of connection 2",
        ),
        ("C2 CONNECT\nC2 CONNECT", 2, "the first one on line 1", "'C2 CONNECT' before"),
        ("C2 CONNECT a\\tb", 1, r"'\t'", r"'\{name}' in an address"),
        ("C2 CONNECT \\{a", 1, r"'\{a'", "'}' at the end of a hole"),
        ("C2 CONNECT a\x01", 1, r"'a\u{1}'", "an address of printable characters"),
        ("S2 ...\nC: x\nS2 ...", 3, "'S2 ...' after the one on line 1", "an S2 item"),
        ("C2 EOF\nC: x\nC2: x", 3, "C2 item after C2 EOF on line 1", "no more C2 items"),
        ("S2 RST\nS: x\nC2: x", 3, "C2 item after S2 RST on line 1", "no more items of connection 2"),
        ("C RST", 1, "'C RST'", "'S RST'"),
        ("C ... x", 1, "'C ... x'", "'S ...'"),
        ("S ...\n# no item\nS WAIT 1s\nS ... a", 4, "'S ...' after the one on line 1", "an S item"),
        ("S ... (?<a>.)", 1, "(the group 'a' would match many lines)", "a regular expression"),
        ("S ... [", 1, "'S ... ['", "a regular expression"),
        ("%gap 0", 1, "'%gap 0'", "'%gap 100ms'"),
        ("S", 1, "'S'", "'C:'"),
        ("C  EOF", 1, "'C  EOF'", "'C EOF'"),
        ("%eol cr", 1, "'%eol cr'", "'%eol lf'"),
        ("%timeout 0", 1, "'%timeout 0'", "'%timeout 5s'"),
        ("%color", 1, "'%color'", "'%eol', '%timeout' or '%gap'"),
        ("C: x\n%eol lf", 2, "%eol after one", "directives before the first item"),
        ("%eol lf\n%eol lf", 2, "a second one", "at most one %eol"),
        ("C WAIT", 1, "'C WAIT'", "'C WAIT 200ms'"),
        ("S QUIET long", 1, "'S QUIET long'", "'S QUIET 200ms'"),
        ("S~", 1, "nothing", "a regular expression after 'S~'"),
        ("S~ a)(b", 1, "'S~ a)(b'", "a regular expression"),
        ("S~ [", 1, "'S~ ['", "a regular expression"),
        ("C\\ \\ud800", 1, r"'\u'", r"'\xHH'"),
        ("C\\ \\x1", 1, r"'\x1'", r"'\xHH'"),
        ("C\\ \\xé0", 1, r"'\xé0'", r"'\xHH'"),
        ("C\\ \\{name", 1, r"'\{name'", "'}' at the end of a hole"),
        ("C\\ \\{a=b\\", 1, r"'\{a=b\'", "'}' at the end of a hole"),
        ("C\\ \\{2}", 1, "'2'", "a name of letters, digits and '_'"),
        ("C\\ \\{a b}", 1, "'a b'", "a name of letters, digits and '_'"),
        ("C\\ \\{a=\\{b}}", 1, r"'\{'", r"'\}'"),
        ("C\\ \\{a=}", 1, "one that is empty", "a sample"),
        ("C\\ \\{a=\\r}", 1, "one that has a CR or LF", "a sample"),
        ("S~ (?<a.b>x)", 1, "(the group 'a.b' cannot be the name of a variable)", "a regular expression"),
        ("C EOF\nC: x", 2, "C item after C EOF on line 1", "S items or the end"),
        ("S EOF\nS: x", 2, "S item after S EOF on line 1", "C items or the end"),
        ("S RST\nS EOF", 2, "S item after S RST on line 1", "the end"),
        ("S RST\nC: x", 2, "C item after S RST on line 1", "the end"),
        ("C: \x1b[2J\nX\x1b", 2, r"'X\u{1b}'", "'C:'"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(&format!("t.chat:{line}: expected ")), "{text:?}: {error}");
        let (should, is) = error.split_once(", found ").unwrap();
        assert!(is.contains(found) && should.contains(expected), "{text:?}: {error}");
    }
}

#[test]
fn names_the_line_of_a_byte_that_is_not_utf8_and_of_one_that_is_too_long() {
    let error = read(Path::new("t.chat"), b"C: a\nC: \xed\xa0\x80\n").unwrap_err();
    assert_eq!((error.line, error.message.contains("0xed")), (2, true));
    let error = parse(&format!("\nC: {}", "x".repeat(10 << 20))).unwrap_err();
    assert!(
        error.starts_with("t.chat:2: expected a line of at most 1048576 bytes, found 10485763 bytes"),
        "{error}"
    );
}

#[test]
fn a_placeholder_is_the_only_item_of_its_turn() {
    let error = |text: &str| read(Path::new("t"), text.as_bytes()).err().map(|error| error.to_string());
    for text in
        ["S ?\n", "S ?\nC: a\nS ?\nC WAIT 1s\nC: b\nS WAIT 1s\nS ?\nC EOF\n", "S: a\nC: b\nS ?\nC: c\nS: d\n"]
    {
        assert_eq!(error(text), None);
    }
    for (text, found) in [
        (
            "S ?\nS ?\n",
            "t:2: expected 'S ?' to be the only S item of its turn, found one after that on line 1",
        ),
        (
            "S ?\nC WAIT 1s\nS EOF\n",
            "t:3: expected 'S ?' to be the only S item of its turn, found one after that on line 1",
        ),
        ("S: a\nS ?\n", "t:2: expected 'S ?' to be the only S item of its turn, found another one on line 1"),
    ] {
        assert_eq!(error(text).as_deref(), Some(found));
    }
}
