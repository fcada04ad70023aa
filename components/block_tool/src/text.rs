//! Numbers and tables for people.

use std::io::{self, Write};

/// Bytes with three digits and a unit.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1023.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let name = UNITS[unit];
    match value {
        _ if unit == 0 => format!("{count} {name}"),
        value if value < 9.995 => format!("{value:.2} {name}"),
        value if value < 99.95 => format!("{value:.1} {name}"),
        value => format!("{value:.0} {name}"),
    }
}

/// A share of a whole.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        whole => format!("{:.1} %", part as f64 * 100.0 / whole as f64),
    }
}

/// At most `most` characters on one line.
pub(crate) fn short(text: &str, most: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { '.' } else { c });
    let mut out: String = clean.clone().take(most).collect();
    if clean.count() > most {
        out.pop();
        out.push('…');
    }
    out
}

/// Which side of a column its texts stand at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Columns as wide as their widest text.
pub(crate) struct Table {
    sides: Vec<Side>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(columns: &[(&str, Side)]) -> Self {
        Self {
            sides: columns.iter().map(|(_, side)| *side).collect(),
            rows: vec![columns.iter().map(|(name, _)| (*name).to_owned()).collect()],
        }
    }

    pub fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let width = |column: usize| {
            let texts = self.rows.iter().filter_map(|row| row.get(column));
            texts.map(|text| text.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.sides.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((text, width), side) in row.iter().zip(&widths).zip(&self.sides) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                line.push_str(&match side {
                    Side::Left => format!("{text:<width$}"),
                    Side::Right => format!("{text:>width$}"),
                });
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1_394_413, "1.33 MiB"),
            (104_857_600, "100 MiB"),
            (1_073_741_823, "1.00 GiB"),
        ];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected);
        }
        assert!(bytes(u64::MAX).ends_with(" TiB"));
        assert_eq!(
            (percent(1, 3), percent(1, 0)),
            ("33.3 %".into(), "-".into())
        );
        assert_eq!(
            (short("abc\n", 4), short("äöüß", 3)),
            ("abc.".into(), "äö…".into())
        );
    }

    #[test]
    fn tables() {
        let mut table = Table::new(&[("name", Side::Left), ("size", Side::Right)]);
        table.row(vec!["a".into(), "1".into()]);
        table.row(vec!["longer".into(), "12345".into()]);
        let mut out = Vec::new();
        table.print(&mut out).unwrap();
        let expected = "name     size\na           1\nlonger  12345\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
