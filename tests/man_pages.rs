//! The man pages look right to a reader. mandoc(1) and its linter accept what this test does not: a heading that starts
//! with the name of a macro, quotes inside quotes, a section without text, a macro that has become text.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use capchat::status::Status;

/// The page as man(1) shows it; `None` if mandoc is not installed.
fn render(page: &str) -> Option<Vec<String>> {
    let mut mandoc = Command::new("mandoc");
    let child = mandoc.args(["-T", "utf8"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.ok()?;
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let output = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    // Bold and underlined characters are typed over another one.
    let mut text = String::new();
    for character in output.chars() {
        if character == '\u{8}' {
            text.pop();
        } else {
            text.push(character);
        }
    }
    Some(text.lines().map(str::to_owned).collect())
}

/// Level 1 or 2 if the line is a heading.
fn heading_level(line: &str) -> Option<u8> {
    match line.len() - line.trim_start().len() {
        _ if line.is_empty() => None,
        0 => Some(1),
        3 => Some(2),
        _ => None,
    }
}

/// What is wrong with a rendered page.
fn faults(page: &str, rendered: &[String]) -> Vec<String> {
    let [_header, body @ .., _footer] = rendered else { return vec!["nothing is shown".to_owned()] };
    let paragraphs: Vec<String> = body.split(String::is_empty).map(|lines| lines.join("\n")).collect();
    let mut faults: Vec<String> = headings(page, body).into_iter().collect();
    faults.extend(empty_sections(body));
    faults.extend(
        paragraphs.iter().filter(|text| has_broken_quotes(text)).map(|text| format!("quotes:\n{text}")),
    );
    faults
        .extend(paragraphs.iter().filter(|text| has_leftovers(text)).map(|text| format!("markup:\n{text}")));
    faults
}

/// Headings that are not shown as they are written.
fn headings(page: &str, body: &[String]) -> Option<String> {
    let heading = |line: &str| line.strip_prefix(".Sh ").or(line.strip_prefix(".Ss ")).map(str::to_owned);
    let written: Vec<_> = page.lines().filter_map(heading).collect();
    let shown: Vec<_> =
        body.iter().filter(|line| heading_level(line).is_some()).map(|line| line.trim()).collect();
    (written != shown).then(|| format!("headings: {written:?} are shown as {shown:?}"))
}

/// Headings without text below.
fn empty_sections(body: &[String]) -> Vec<String> {
    let lines: Vec<_> = body.iter().filter(|line| !line.is_empty()).collect();
    let has_text = |index: usize, level: u8| match lines.get(index + 1) {
        Some(next) => heading_level(next).is_none_or(|next| next > level),
        None => false,
    };
    let empty = lines
        .iter()
        .enumerate()
        .filter(|(index, line)| heading_level(line).is_some_and(|level| !has_text(*index, level)));
    empty.map(|(_, line)| format!("empty section: {line}")).collect()
}

/// Whether quotes are not closed, or one is opened inside another.
fn has_broken_quotes(text: &str) -> bool {
    let mut is_open = false;
    let mut is_broken = false;
    for character in text.chars() {
        match character {
            '\u{2018}' => is_broken |= std::mem::replace(&mut is_open, true),
            '\u{2019}' => is_broken |= !std::mem::replace(&mut is_open, false),
            _ => {}
        }
    }
    is_broken || is_open
}

/// Whether a macro, an escape or a placeholder is shown as text.
fn has_leftovers(text: &str) -> bool {
    const MACROS: [&str; 14] =
        ["Ar", "Cm", "Dv", "Ev", "Fl", "Li", "Lk", "Nm", "Ns", "Pa", "Pq", "Ql", "Sx", "Xr"];
    text.split_whitespace().any(|word| MACROS.contains(&word))
        || text.contains("\\&")
        || text.contains("OPTIONS@")
}

#[test]
fn pages_look_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let mut count = 0;
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        let page = fs::read_to_string(&path).unwrap();
        let Some(rendered) = render(&page) else { return };
        assert_eq!(faults(&page, &rendered), [""; 0], "{}", path.display());
        count += 1;
    }
    assert_eq!(count, 5, "pages");
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man").join(name);
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_section_is_there() {
    for name in ["capchat.1", "capchat-serve.1", "capchat-connect.1", "capchat-check.1"] {
        for section in ["OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"] {
            assert!(page(name).contains(&format!(".Sh {section}\n")), "{section} in {name}");
        }
    }
}

#[test]
fn every_exit_status_is_documented() {
    for name in ["capchat.1", "capchat-connect.1", "capchat-check.1"] {
        for status in Status::ALL {
            assert!(page(name).contains(&format!(".It {}\n", status as u8)), "{status:?} in {name}");
        }
    }
}

#[test]
fn faults_are_found() {
    let faults = |text: &str| {
        let page = format!(".Dd November 25, 2026\n.Dt X 1\n.Os\n{text}\n");
        render(&page).map(|rendered| faults(&page, &rendered).join("\n"))
    };
    for (text, fault) in [
        (".Sh DESCRIPTION\n.Ss Pipes\ntext", ""),
        (".Sh DESCRIPTION\n.Ss In a pipe\ntext", "headings"),
        (".Sh OPTIONS\n.Sh FILES\ntext", "empty section: OPTIONS"),
        (".Sh DESCRIPTION\ntext\n.Sh OPTIONS", "empty section: OPTIONS"),
        (".Sh X\n.Pq Ql a No gives Ql b", "quotes"),
        (".Sh X\nSee Fl v .", "markup"),
        (".Sh X\n@OPTIONS@", "markup"),
    ] {
        let Some(found) = faults(text) else { return };
        assert!(if fault.is_empty() { found.is_empty() } else { found.contains(fault) }, "{text}: {found}");
    }
}
