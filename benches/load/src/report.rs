//! The results as text, and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::results::{Row, Spread, Table};

/// The subject whose ratios are shown with their extremes.
const IN_DETAIL: &str = "capchat";

/// Tables for people: medians, and in parentheses ratios to the first column.
pub(crate) fn text(tables: &[Table]) -> String {
    let mut text = String::new();
    for table in tables.iter().filter(|table| !table.rows.is_empty() || !table.notes.is_empty()) {
        let lines: Vec<Vec<String>> =
            std::iter::once(heading(table)).chain(table.rows.iter().map(|row| line(table, row))).collect();
        let widths: Vec<usize> = (0..lines[0].len())
            .map(|column| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default())
            .collect();
        for line in &lines {
            let mut joined = format!("{:<width$}", line[0], width = widths[0]);
            for (cell, &width) in line.iter().zip(&widths).skip(1) {
                let _ = write!(joined, "  {cell:>width$}");
            }
            text += joined.trim_end();
            text += "\n";
        }
        for note in &table.notes {
            let _ = writeln!(text, "  {}: {} ({})", note.subject, note.why, note.what.join("; "));
        }
        text += "\n";
    }
    text
}

fn heading(table: &Table) -> Vec<String> {
    let subjects = table.subjects.iter().map(|&subject| subject.to_owned());
    [table.title.to_owned(), String::new()].into_iter().chain(subjects).collect()
}

fn line(table: &Table, row: &Row) -> Vec<String> {
    let mut line = vec![row.name.clone(), row.unit.symbol().to_owned()];
    for (index, &subject) in table.subjects.iter().enumerate() {
        let Some(value) = row.spread(index) else {
            line.push("-".into());
            continue;
        };
        let mut cell = number(value.median);
        match row.ratio(index) {
            Some(Spread { median, minimum, maximum }) if subject == IN_DETAIL => {
                let _ = write!(cell, " ({median:.2}, {minimum:.2} to {maximum:.2})");
            }
            Some(ratio) if index > 0 => {
                let _ = write!(cell, " ({:.2})", ratio.median);
            }
            _ => {}
        }
        line.push(cell);
    }
    line
}

/// At least three digits.
pub(crate) fn number(value: f64) -> String {
    match value {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Everything for programs: medians, ratios, and the value of each round.
pub(crate) fn json(tables: &[Table]) -> Value {
    tables.iter().map(table_json).collect()
}

fn table_json(table: &Table) -> Value {
    let rows: Vec<Value> = table.rows.iter().map(|row| row_json(table, row)).collect();
    let notes: Vec<Value> = table
        .notes
        .iter()
        .map(|note| json!({ "subject": note.subject, "what": note.what, "why": note.why }))
        .collect();
    json!({
        "title": table.title,
        "reference": table.subjects.first(),
        "rows": rows,
        "notes": notes,
    })
}

fn row_json(table: &Table, row: &Row) -> Value {
    let spread = |spread: Spread| {
        let Spread { median, minimum, maximum } = spread;
        json!({ "median": median, "minimum": minimum, "maximum": maximum })
    };
    let subjects: Value = (0..table.subjects.len())
        .filter_map(|index| {
            let cell = json!({
                "value": spread(row.spread(index)?),
                "ratio": row.ratio(index).map(spread),
                "rounds": row.values[index].values().collect::<Vec<_>>(),
            });
            Some((table.subjects[index].to_owned(), cell))
        })
        .collect();
    json!({
        "name": row.name,
        "unit": row.unit.symbol(),
        "better": if row.unit.more_is_better() { "more" } else { "less" },
        "subjects": subjects,
    })
}
