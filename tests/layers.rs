//! The layers of `src`: imports point down in this table, and never in a circle.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// From top to bottom. The modules of a row do not import each other, except for those in the last one.
const LAYERS: [&[&str]; 10] = [
    &["main", "lib", "fuzzing"],
    &["settings", "usage"],
    &["cli"],
    &["serve", "connect", "check"],
    &["playing"],
    &["transport"],
    &["transcript"],
    &["message"],
    &["capitals"],
    &[
        "text", "blocking", "memory", "duration", "deadline", "status", "messages", "signals", "runtime",
        "usage",
    ],
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The names right after each `path` in the code.
fn names_after(code: &str, path: &str) -> Vec<String> {
    let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
    code.split(path).skip(1).map(|rest| rest.chars().take_while(is_name).collect()).collect()
}

/// Adds the imports of one module by another, from the files in a directory that is `depth` modules deep.
fn collect(directory: &Path, module: Option<&str>, depth: usize, imports: &mut BTreeSet<(String, String)>) {
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        let from = module.unwrap_or_else(|| path.file_stem().unwrap().to_str().unwrap());
        if path.is_dir() {
            collect(&path, Some(from), depth + 1, imports);
            continue;
        }
        let code = fs::read_to_string(&path).unwrap();
        let code: Vec<_> = code.lines().map(|line| line.split("//").next().unwrap()).collect();
        let code = code.join("\n");
        let root = if from == "main" { "capchat::" } else { "crate::" };
        let absolute = names_after(&code, root);
        assert!(!absolute.contains(&String::new()), "{}: write one `use` per module", path.display());
        // In a module inside the file, this may be a name of its parent.
        let relative = names_after(&code, &"super::".repeat(depth)).into_iter();
        let to = absolute.into_iter().chain(relative.filter(|name| layer(name).is_some()));
        imports.extend(to.filter(|to| to != from).map(|to| (from.to_owned(), to)));
    }
}

#[test]
fn imports_point_down() {
    let mut imports = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), None, 1, &mut imports);
    assert!(!imports.is_empty());
    let mut faults = BTreeSet::new();
    for (from, to) in &imports {
        let is_leaf = |row| row + 1 == LAYERS.len();
        match (layer(from), layer(to)) {
            (Some(above), Some(below)) if above < below || above == below && is_leaf(below) => {}
            (Some(_), Some(_)) => drop(faults.insert(format!("{from} must not import {to}"))),
            (None, _) => drop(faults.insert(format!("{from} is not in the table"))),
            (_, None) => drop(faults.insert(format!("{to}, which {from} imports, is not in the table"))),
        }
    }
    // A module that imports nothing, or that nothing imports, is in no circle. Without it, more may be like that.
    for _ in 0..imports.len() {
        let all = imports.clone();
        imports.retain(|(from, to)| all.iter().any(|it| it.0 == *to) && all.iter().any(|it| it.1 == *from));
    }
    faults.extend(imports.iter().map(|(from, to)| format!("a circle: {from} imports {to}")));
    assert!(faults.is_empty(), "{faults:#?}");
}
