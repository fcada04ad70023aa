//! Medians and spread.

use serde::Serialize;

use super::options::Scenario;

/// What a figure has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub enum Target {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Target {
    /// Whether this value reaches it.
    pub fn is_reached(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }
}

/// One figure of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    name: String,
    unit: &'static str,
    value: f64,
    target: Option<Target>,
}

impl Measured {
    /// Without a target.
    pub fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self {
            name: name.into(),
            unit,
            value,
            target: None,
        }
    }

    /// With this target.
    pub fn target(self, target: Option<Target>) -> Self {
        Self { target, ..self }
    }
}

/// One figure of all runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// What it is.
    pub name: String,
    /// Its unit; empty for counts.
    pub unit: &'static str,
    /// The middle run.
    pub median: f64,
    /// The lowest run.
    pub low: f64,
    /// The highest run.
    pub high: f64,
    /// What it has to be.
    pub target: Option<Target>,
}

impl Row {
    /// Whether the median reaches the target; `None` without one.
    pub fn reached(&self) -> Option<bool> {
        self.target.map(|target| target.is_reached(self.median))
    }
}

/// Figures that have several columns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// The name's column, those of the values, that of the note.
    pub columns: Vec<&'static str>,
    /// One for each thing that was measured.
    pub rows: Vec<TableRow>,
}

/// One line of a table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableRow {
    /// What was measured.
    pub name: String,
    /// Its figures; `None` where there is none.
    pub values: Vec<Option<f64>>,
    /// Code or a remark.
    pub note: String,
}

/// One scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Its name.
    pub scenario: String,
    /// How often it ran.
    pub runs: usize,
    /// Its figures.
    pub rows: Vec<Row>,
    /// More of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table: Option<Table>,
}

impl Summary {
    /// From its runs. Figures are those of the first run; one that a run lacks is left out of that run.
    pub fn new(scenario: Scenario, runs: &[Vec<Measured>]) -> Self {
        let names = runs.first().map_or(&[][..], Vec::as_slice);
        let rows = names.iter().map(|first| {
            let values = runs.iter().filter_map(|run| {
                run.iter()
                    .find(|measured| measured.name == first.name)
                    .map(|measured| measured.value)
            });
            let mut values: Vec<f64> = values.collect();
            values.sort_by(f64::total_cmp);
            Row {
                name: first.name.clone(),
                unit: first.unit,
                median: median(&values),
                low: values.first().copied().unwrap_or(f64::NAN),
                high: values.last().copied().unwrap_or(f64::NAN),
                target: first.target,
            }
        });
        Self {
            scenario: scenario.name(),
            runs: runs.len(),
            rows: rows.collect(),
            table: None,
        }
    }

    /// Under another name: one scenario over different data.
    pub fn named(self, name: &str) -> Self {
        Self {
            scenario: name.to_owned(),
            ..self
        }
    }

    /// With a table.
    pub fn with_table(self, table: Table) -> Self {
        Self {
            table: Some(table),
            ..self
        }
    }

    /// For the screen.
    pub fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| {
            let mark = match row.reached() {
                None => "",
                Some(true) => "  reached",
                Some(false) => "  MISSED",
            };
            format!(
                "  {:36} {:>10} {:8} ({} to {}){mark}\n",
                row.name,
                number(row.median),
                row.unit,
                number(row.low),
                number(row.high)
            )
        });
        let mut text: String = rows.collect();
        for row in self.table.iter().flat_map(|table| &table.rows) {
            let values = row.values.iter().map(|value| cell(*value));
            let values: String = values.map(|value| format!("{value:>10}")).collect();
            text.push_str(&format!("  {:36}{values}\n", row.name));
        }
        text
    }
}

/// A value of a table.
pub fn cell(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

/// The middle one of sorted values, or the mean of the two in the middle.
pub fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
    }
}

/// Of sorted values: the smallest that at least this share does not exceed.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = (share * sorted.len() as f64).ceil() as usize;
    let value = sorted.get(at.saturating_sub(1));
    value.copied().unwrap_or(f64::NAN)
}

/// Three or so digits that say something.
pub fn number(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_spread() {
        let run = |a: f64, b: f64| {
            vec![
                Measured::new("a", "ms", a).target(Some(Target::AtMost(3.0))),
                Measured::new("b", "", b),
            ]
        };
        let summary = Summary::new(
            Scenario::Start,
            &[run(9.0, 1.0), run(1.0, 2.0), run(3.0, 5.0), vec![]],
        );
        assert_eq!((summary.scenario.as_str(), summary.runs), ("start", 4));
        let a = &summary.rows[0];
        assert_eq!(
            (a.median, a.low, a.high, a.reached()),
            (3.0, 1.0, 9.0, Some(true))
        );
        assert_eq!(summary.rows[1].reached(), None);
        let even = Summary::new(Scenario::Start, &[run(4.0, 1.0), run(3.0, 2.0)]);
        assert_eq!(
            (even.rows[0].median, even.rows[0].reached()),
            (3.5, Some(false))
        );
        assert!(even.text().contains("MISSED"));
        assert!(Summary::new(Scenario::Start, &[]).rows.is_empty());
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (1.234, "1.23"),
            (45.67, "45.7"),
            (324_182.4, "324182"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
