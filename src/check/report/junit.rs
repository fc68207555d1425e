//! JUnit XML, as CI systems read it.

use std::fmt::Write as _;

use super::{Case, Format, Totals};

/// Nothing is written before the end: the numbers come first.
#[derive(Default)]
pub(super) struct Junit {
    cases: String,
}

impl Format for Junit {
    fn case(&mut self, case: &Case<'_>) -> String {
        let time = case.time.as_secs_f64();
        let path = escape(case.path);
        let test_case = format!("  <testcase classname=\"capchat\" name=\"{path}\" time=\"{time:.3}\"");
        let diff: String = case.outcome.diff().iter().map(|line| escape(&line.to_string()) + "\n").collect();
        let _ = if case.outcome.is_failure() {
            let headline = escape(case.headline);
            writeln!(
                self.cases,
                "{test_case}>\n    <failure message=\"{headline}\">{diff}</failure>\n  </testcase>"
            )
        } else if diff.is_empty() {
            writeln!(self.cases, "{test_case}/>")
        } else {
            writeln!(self.cases, "{test_case}>\n    <system-out>{diff}</system-out>\n  </testcase>")
        };
        String::new()
    }

    fn end(&mut self, totals: &Totals) -> String {
        let Totals { reported, failed, time, .. } = totals;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"capchat\" tests=\"{reported}\" failures=\"{failed}\" errors=\"0\" time=\"{:.3}\">\n\
             {}</testsuite>\n",
            time.as_secs_f64(),
            self.cases
        )
    }
}

/// The text is safe to print, so it has none of the characters that XML does not allow.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
