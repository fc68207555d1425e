//! The results as a picture: a bar for each ratio to the first subject of a table, if more is better.

use std::fmt::Write;

use crate::results::{Row, Table};

/// Where the bars start, to the right of their labels, and the length of the longest.
const START: f64 = 190.0;
const LENGTH: f64 = 520.0;
const BAR: usize = 10;
const WIDTH: usize = 760;

/// Distinct colors for the subjects in order. The first has no bars.
const COLORS: [&str; 10] = [
    "#ffffff", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#777777", "#000000",
    "#8c510a",
];

/// A chart of each table, one below the other.
pub(crate) fn svg(tables: &[Table]) -> String {
    let mut body = String::new();
    let mut y = 10;
    for table in tables {
        chart(table, &mut body, &mut y);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n\
         {body}</svg>\n"
    )
}

fn chart(table: &Table, body: &mut String, y: &mut usize) {
    let rows: Vec<&Row> = table.rows.iter().filter(|row| row.unit.more_is_better()).collect();
    let (Some(reference), false) = (table.subjects.first(), rows.is_empty()) else { return };
    *y += 16;
    let title = format!("{}: speed as a ratio to {reference} (the line is 1)", table.title);
    let _ = writeln!(body, "<text x=\"10\" y=\"{y}\" font-size=\"13\" font-weight=\"bold\">{title}</text>");
    *y += 8;
    legend(table, body, y);
    let top = *y;
    let ratios =
        rows.iter().flat_map(|row| (1..table.subjects.len()).filter_map(|subject| row.ratio(subject)));
    let longest = ratios.map(|ratio| ratio.maximum).fold(1.0, f64::max);
    let at = |ratio: f64| START + ratio / longest * LENGTH;
    for row in rows {
        let label = *y + 9;
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{label}\" text-anchor=\"end\">{}</text>",
            START - 8.0,
            row.name
        );
        for subject in 1..table.subjects.len() {
            bar(row, subject, &at, body, y);
        }
        *y += 8;
    }
    let one = at(1.0);
    let _ = writeln!(body, "<path d=\"M{one:.1} {top}V{y}\" stroke=\"#000\" stroke-dasharray=\"3 2\"/>");
    *y += 14;
}

fn legend(table: &Table, body: &mut String, y: &mut usize) {
    let mut x = 10;
    for (index, subject) in table.subjects.iter().enumerate().skip(1) {
        let (color, text) = (color(index), x + 14);
        let _ = writeln!(body, "<rect x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\" fill=\"{color}\"/>");
        let _ = writeln!(body, "<text x=\"{text}\" y=\"{}\">{subject}</text>", *y + 9);
        x = text + 7 * subject.len() + 14;
    }
    *y += 22;
}

fn bar(row: &Row, subject: usize, at: &impl Fn(f64) -> f64, body: &mut String, y: &mut usize) {
    let Some(ratio) = row.ratio(subject) else { return };
    let (start, end, color) = (at(0.0), at(ratio.median), color(subject));
    let (middle, text) = (*y + BAR / 2, *y + BAR - 1);
    let (low, high) = (at(ratio.minimum), at(ratio.maximum));
    let _ = writeln!(
        body,
        "<rect x=\"{start:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\" fill=\"{color}\"/>",
        end - start,
        BAR - 1
    );
    let _ =
        writeln!(body, "<path d=\"M{low:.1} {middle}H{high:.1}\" stroke=\"#000\" stroke-opacity=\".5\"/>");
    let _ = writeln!(
        body,
        "<text x=\"{:.1}\" y=\"{text}\" font-size=\"9\">{:.2}</text>",
        high.max(end) + 4.0,
        ratio.median
    );
    *y += BAR;
}

fn color(subject: usize) -> &'static str {
    COLORS[subject % COLORS.len()]
}
