//! The results as pictures: a bar for each ratio to the first subject of a table, if more is better.

use std::fmt::Write;

use crate::report::number;
use crate::results::{Row, Table};

/// Where the bars start, to the right of their labels, and the length of the longest.
const START: f64 = 210.0;
const LENGTH: f64 = 490.0;
const BAR: usize = 10;
const WIDTH: usize = 760;

/// How many subjects have a color. The first has no bars.
const COLORS: usize = 10;

/// The colors, which also suit a dark page.
const STYLE: &str = "\
<style>
svg { --page: #fff; --ink: #1f2328; --dim: #656d76; --s7: #777; --s8: #000; color-scheme: light dark }
@media (prefers-color-scheme: dark) {
svg { --page: #0d1117; --ink: #e6edf3; --dim: #9198a1; --s7: #888; --s8: #fff }
}
text { fill: var(--ink) } .dim { fill: var(--dim) } .page { fill: var(--page) }
.line { stroke: var(--ink); stroke-dasharray: 3 2 } .range { stroke: var(--ink); stroke-opacity: .5 }
.s1 { fill: #d55e00 } .s2 { fill: #0072b2 } .s3 { fill: #009e73 } .s4 { fill: #cc79a7 } .s5 { fill: #e69f00 }
.s6 { fill: #56b4e9 } .s7 { fill: var(--s7) } .s8 { fill: var(--s8) } .s9 { fill: #8c510a }
</style>
";

/// What a small chart shows of the first table.
const SMALL_ROWS: [&str; 3] = ["request and reply, 50 clients", "bulk, ascii", "churn"];
const SMALL_SUBJECTS: [&str; 5] = ["capchat", "ncat", "socat", "asyncio", "go"];

/// A chart of each table, one below the other.
pub(crate) fn svg(tables: &[Table]) -> String {
    let mut chart = Chart::default();
    for table in tables {
        let rows: Vec<&Row> = table.rows.iter().filter(|row| row.unit.more_is_better()).collect();
        let subjects: Vec<usize> = (1..table.subjects.len()).collect();
        chart.add(table, &rows, &subjects);
    }
    chart.svg()
}

/// A chart of a few rows and subjects of the first table.
pub(crate) fn small_svg(tables: &[Table]) -> String {
    let mut chart = Chart::default();
    if let Some(table) = tables.first() {
        let rows: Vec<&Row> =
            table.rows.iter().filter(|row| SMALL_ROWS.contains(&row.name.as_str())).collect();
        let is_shown = |index: &usize| SMALL_SUBJECTS.contains(&table.subjects[*index]);
        let subjects: Vec<usize> = (1..table.subjects.len()).filter(is_shown).collect();
        chart.add(table, &rows, &subjects);
    }
    chart.svg()
}

#[derive(Default)]
struct Chart {
    body: String,
    /// The height so far.
    y: usize,
}

impl Chart {
    fn svg(&self) -> String {
        let height = self.y + 10;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"11\">\n\
             {STYLE}<rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{}</svg>\n",
            self.body
        )
    }

    fn add(&mut self, table: &Table, rows: &[&Row], subjects: &[usize]) {
        let (Some(reference), false) = (table.subjects.first(), rows.is_empty()) else { return };
        self.y += 26;
        let title = format!("{}: speed, {reference} = 1 (more is better)", table.title);
        let y = self.y;
        let _ = writeln!(
            self.body,
            "<text x=\"10\" y=\"{y}\" font-size=\"13\" font-weight=\"bold\">{title}</text>"
        );
        self.y += 8;
        self.legend(table, subjects);
        let top = self.y;
        let ratios = rows.iter().flat_map(|row| subjects.iter().filter_map(|&subject| row.ratio(subject)));
        let longest = ratios.map(|ratio| ratio.maximum).fold(1.0, f64::max);
        let at = |ratio: f64| START + ratio / longest * LENGTH;
        for row in rows {
            self.label(row, reference);
            let start = self.y;
            for &subject in subjects {
                self.bar(row, subject, &at);
            }
            // A label has two lines.
            self.y = self.y.max(start + 2 * BAR) + 8;
        }
        let (one, y) = (at(1.0), self.y);
        let _ = writeln!(self.body, "<path class=\"line\" d=\"M{one:.1} {top}V{y}\"/>");
        self.y += 4;
    }

    fn legend(&mut self, table: &Table, subjects: &[usize]) {
        let (mut x, y) = (10, self.y);
        for &index in subjects {
            let (subject, color, text) = (table.subjects[index], index % COLORS, x + 14);
            let _ = writeln!(
                self.body,
                "<rect class=\"s{color}\" x=\"{x}\" y=\"{y}\" width=\"10\" height=\"10\"/>\
                 <text x=\"{text}\" y=\"{}\">{subject}</text>",
                y + 9
            );
            x = text + 7 * subject.len() + 14;
        }
        self.y += 22;
    }

    /// The name of a row, and how much its 1 is.
    fn label(&mut self, row: &Row, reference: &str) {
        let (x, y) = (START - 8.0, self.y + 9);
        let _ = writeln!(self.body, "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{}</text>", row.name);
        if let Some(value) = row.spread(0) {
            // 1/s is read as "per second".
            let value = format!("{} {}", number(value.median), row.unit.symbol()).replace(" 1/", "/");
            let _ = writeln!(
                self.body,
                "<text class=\"dim\" x=\"{x}\" y=\"{}\" text-anchor=\"end\" font-size=\"9\">{reference}: {value}</text>",
                y + BAR
            );
        }
    }

    fn bar(&mut self, row: &Row, subject: usize, at: &impl Fn(f64) -> f64) {
        let Some(ratio) = row.ratio(subject) else { return };
        let (start, end, color, y) = (at(0.0), at(ratio.median), subject % COLORS, self.y);
        let (low, high) = (at(ratio.minimum), at(ratio.maximum));
        let _ = writeln!(
            self.body,
            "<rect class=\"s{color}\" x=\"{start:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"{}\"/>\
             <path class=\"range\" d=\"M{low:.1} {}H{high:.1}\"/>\
             <text x=\"{:.1}\" y=\"{}\" font-size=\"9\">{:.2}</text>",
            end - start,
            BAR - 1,
            y + BAR / 2,
            high.max(end) + 4.0,
            y + BAR - 1,
            ratio.median
        );
        self.y += BAR;
    }
}
