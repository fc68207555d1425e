//! The measurements, and what is computed from them: medians, and ratios round by round.

use std::collections::BTreeMap;

/// What a figure counts.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Unit {
    PerSecond,
    MegabytesPerSecond,
    Microseconds,
    Milliseconds,
    Bytes,
}

impl Unit {
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::PerSecond => "1/s",
            Self::MegabytesPerSecond => "MB/s",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Bytes => "bytes",
        }
    }

    pub(crate) fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond | Self::MegabytesPerSecond)
    }
}

/// One value of one subject in one round.
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) value: f64,
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, unit: Unit, value: f64) -> Self {
        Self { name: name.into(), unit, value }
    }
}

/// The values of one figure: for each subject, by round.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) values: Vec<BTreeMap<usize, f64>>,
}

/// The median of some values, and their extremes.
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
}

impl Spread {
    /// `None` if there are no values.
    fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len() / 2)?;
        Some(Self { median, minimum: *values.first()?, maximum: *values.last()? })
    }
}

impl Row {
    pub(crate) fn spread(&self, subject: usize) -> Option<Spread> {
        Spread::of(self.values[subject].values().copied())
    }

    /// The ratios of a subject's values to those of the first subject in the same rounds.
    pub(crate) fn ratio(&self, subject: usize) -> Option<Spread> {
        let pairs = self.values[subject].iter();
        Spread::of(pairs.filter_map(|(round, value)| Some(value / self.values[0].get(round)?)))
    }
}

/// Why a subject has empty cells, or too few rounds.
pub(crate) struct Note {
    pub(crate) subject: &'static str,
    pub(crate) what: Vec<String>,
    pub(crate) why: String,
}

/// Rows about the same subjects. The others are compared with the first.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) subjects: Vec<&'static str>,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<Note>,
}

impl Table {
    pub(crate) fn new(title: &'static str, subjects: Vec<&'static str>) -> Self {
        Self { title, subjects, rows: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn record(&mut self, round: usize, subject: usize, figure: Figure) {
        let found = self.rows.iter().position(|row| row.name == figure.name && row.unit == figure.unit);
        let index = found.unwrap_or_else(|| {
            let values = vec![BTreeMap::new(); self.subjects.len()];
            self.rows.push(Row { name: figure.name, unit: figure.unit, values });
            self.rows.len() - 1
        });
        self.rows[index].values[subject].insert(round, figure.value);
    }

    pub(crate) fn note(&mut self, subject: usize, what: &str, why: &str) {
        let subject = self.subjects[subject];
        match self.notes.iter_mut().find(|note| note.subject == subject && note.why == why) {
            Some(note) => note.what.push(what.into()),
            None => self.notes.push(Note { subject, what: vec![what.into()], why: why.into() }),
        }
    }
}
