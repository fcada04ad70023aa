//! Reading but a part of the spans, and spans that stand for others (traceql.md §7.11).

use vivace_columns::{Bitmap, Shape};
use vivace_traceql::{Hints, Sample};

use crate::limits::{ADAPTIVE_MAX_EVERY, ADAPTIVE_WARM_UP, MAX_TRACE_STATE_BYTES};

/// Which spans a job reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// All of them.
    None,
    /// The first of each so many spans; at least 2.
    EverySpan(u64),
    /// The first of each so many traces; at least 2.
    EveryTrace(u64),
    /// All as long as few match, at last one of ten.
    Adaptive { by_trace: bool },
}

impl Sampling {
    /// What hints ask for; `by_trace`: a query that looks at whole traces. Values that make no sense are ignored.
    pub(crate) fn of_hints(hints: &Hints<'_>, by_trace: bool) -> Self {
        if let Some(every) = hints.span_sample().and_then(every) {
            return Self::EverySpan(every);
        }
        if let Some(every) = hints.trace_sample().and_then(every) {
            return Self::EveryTrace(every);
        }
        match hints.sample() {
            Some(Sample::Adaptive) => Self::Adaptive { by_trace },
            Some(Sample::Ratio(share)) => match every(share) {
                Some(every) if by_trace => Self::EveryTrace(every),
                Some(every) => Self::EverySpan(every),
                None => Self::None,
            },
            None => Self::None,
        }
    }
}

/// One of how many a share between 0 and 1 is; None for all.
fn every(share: f64) -> Option<u64> {
    let every = (1.0 / share) as u64;
    (every > 1).then_some(every)
}

/// Decides for one job what to read, and by how much its results are too small then.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    /// Of entries (spans or traces) one of so many is read.
    every: u64,
    /// Entries to skip before the next one that is read.
    until_next: u64,
    sampled: u64,
    skipped: u64,
    matched: u64,
}

impl Sampler {
    pub fn new(sampling: Sampling) -> Self {
        let every = match sampling {
            Sampling::EverySpan(every) | Sampling::EveryTrace(every) => every.max(1),
            Sampling::None | Sampling::Adaptive { .. } => 1,
        };
        Self {
            sampling,
            every,
            until_next: 0,
            sampled: 0,
            skipped: 0,
            matched: 0,
        }
    }

    /// Takes out the traces of the next chunk that are not read. Does nothing if spans are sampled, or nothing is.
    pub fn keep_traces(&mut self, traces: &mut Bitmap) {
        if matches!(
            self.sampling,
            Sampling::EveryTrace(_) | Sampling::Adaptive { by_trace: true }
        ) {
            self.keep(traces);
        }
    }

    /// Takes out the spans of the next chunk that are not read. Does nothing if traces are sampled, or nothing is.
    pub fn keep_spans(&mut self, spans: &mut Bitmap) {
        if matches!(
            self.sampling,
            Sampling::EverySpan(_) | Sampling::Adaptive { by_trace: false }
        ) {
            self.keep(spans);
        }
    }

    fn keep(&mut self, entries: &mut Bitmap) {
        let numbers: Vec<u32> = match self.every {
            1 => {
                self.sampled += u64::from(entries.count());
                return;
            }
            _ => entries.iter().collect(),
        };
        for number in numbers {
            if self.until_next == 0 {
                self.until_next = self.every - 1;
                self.sampled += 1;
            } else {
                self.until_next -= 1;
                self.skipped += 1;
                entries.remove(number);
            }
        }
    }

    /// Tells how many of the entries that were kept of the last chunk matched: traces with a selected span, or selected spans.
    pub fn matched(&mut self, entries: u64) {
        self.matched += entries;
        if !matches!(self.sampling, Sampling::Adaptive { .. }) || self.sampled < ADAPTIVE_WARM_UP {
            return;
        }
        let matched = self.matched.min(self.sampled);
        let wanted = matched.saturating_mul(ADAPTIVE_MAX_EVERY);
        self.every = wanted.div_ceil(self.sampled).clamp(1, ADAPTIVE_MAX_EVERY);
        self.until_next = self.until_next.min(self.every - 1);
    }

    /// The same from a selection.
    pub fn matched_spans(&mut self, selected: &Bitmap, shape: &Shape) {
        let by_trace = matches!(
            self.sampling,
            Sampling::EveryTrace(_) | Sampling::Adaptive { by_trace: true }
        );
        let entries = if by_trace {
            let hit = |&trace: &u32| selected.any_of(shape.spans_of(trace));
            (0..shape.traces()).filter(hit).count() as u64
        } else {
            u64::from(selected.count())
        };
        self.matched(entries);
    }

    /// What the job's results must be multiplied by (`Partials::multiply`) when it has read its last chunk; at least 1.
    pub fn factor(&self) -> f64 {
        match self.sampled {
            0 => 1.0,
            sampled => (sampled + self.skipped) as f64 / sampled as f64,
        }
    }
}

/// Bits of thresholds and random values of OpenTelemetry's trace state.
const THRESHOLD_BITS: u32 = 56;
const THRESHOLD_DIGITS: usize = 14;

/// How many spans one stands for, by its W3C trace state: 1 without a threshold that can be read. With a random value it is a whole
/// number, whose mean over all random values is the exact one.
pub(crate) fn spans_for(trace_state: &[u8]) -> f64 {
    let text = trace_state.get(..MAX_TRACE_STATE_BYTES);
    let text = std::str::from_utf8(text.unwrap_or(trace_state)).unwrap_or("");
    let member = |member: &str| Some(member.trim().strip_prefix("ot=")?.to_owned());
    let Some(value) = text.split(',').find_map(member) else {
        return 1.0;
    };
    let field = |name: &str| {
        let mut fields = value.split(';');
        fields.find_map(|field| field.strip_prefix(name)?.strip_prefix(':'))
    };
    let Some(threshold) = field("th").and_then(hex) else {
        return 1.0;
    };
    let whole = 1u64 << THRESHOLD_BITS;
    let above = whole - threshold;
    let exact = whole as f64 / above as f64;
    let random = field("rv").filter(|digits| digits.len() == THRESHOLD_DIGITS);
    match random
        .and_then(hex)
        .and_then(|rv| rv.checked_sub(threshold))
    {
        // Spans that were kept have random values from the threshold on, all equally likely.
        Some(rest) => exact.floor() + f64::from((rest as f64 / above as f64) < exact.fract()),
        None => exact,
    }
}

/// Up to 14 hex digits, padded with zeros on the right.
fn hex(digits: &str) -> Option<u64> {
    let fits = (1..=THRESHOLD_DIGITS).contains(&digits.len());
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !fits || !is_hex {
        return None;
    }
    let number = u64::from_str_radix(digits, 16).ok()?;
    Some(number << (4 * (THRESHOLD_DIGITS - digits.len())))
}

#[cfg(test)]
mod tests {
    use vivace_traceql::{Body, Hint, Pipeline, Query, Static};

    use super::*;

    fn of_hints(pairs: &[(&str, Static)], by_trace: bool) -> Sampling {
        let hint = |(name, value): &(&str, Static)| Hint {
            name: (*name).into(),
            value: value.clone(),
        };
        let query = Query {
            body: Body::Spans(Pipeline {
                elements: Vec::new(),
            }),
            hints: pairs.iter().map(hint).collect(),
        };
        Sampling::of_hints(&query.typed_hints(false), by_trace)
    }

    #[test]
    fn hints_that_make_sense() {
        let cases = [
            (vec![], Sampling::None),
            (
                vec![("sample", Static::Bool(true))],
                Sampling::Adaptive { by_trace: false },
            ),
            (vec![("sample", Static::Bool(false))], Sampling::None),
            (vec![("sample", Static::Float(0.3))], Sampling::EverySpan(3)),
            (vec![("sample", Static::Float(0.6))], Sampling::None),
            (vec![("sample", Static::Float(0.0))], Sampling::None),
            (vec![("sample", Static::Float(f64::NAN))], Sampling::None),
            (vec![("sample", Static::Int(2))], Sampling::None),
            (vec![("span_sample", Static::Int(2))], Sampling::None),
            (vec![("span_sample", Static::Bool(true))], Sampling::None),
            (vec![("span_sample", Static::Float(-0.1))], Sampling::None),
            (
                vec![
                    ("trace_sample", Static::String("0.5".into())),
                    ("trace_sample", Static::Float(0.1)),
                    ("trace_sample", Static::Float(0.5)),
                ],
                Sampling::EveryTrace(10),
            ),
            (
                vec![
                    ("sample", Static::String("x".into())),
                    ("sample", Static::Float(0.5)),
                ],
                Sampling::EverySpan(2),
            ),
        ];
        for (pairs, want) in cases {
            assert_eq!(of_hints(&pairs, false), want, "{pairs:?}");
        }
        let half = [("sample", Static::Float(0.5))];
        assert_eq!(of_hints(&half, true), Sampling::EveryTrace(2));
    }

    #[test]
    fn every_third_over_chunks() {
        let mut sampler = Sampler::new(Sampling::EverySpan(3));
        let mut kept = Vec::new();
        for chunk in 0..4 {
            let mut spans = Bitmap::full(5);
            let mut traces = Bitmap::full(5);
            sampler.keep_traces(&mut traces);
            assert_eq!(traces.count(), 5);
            sampler.keep_spans(&mut spans);
            kept.extend(spans.iter().map(|span| chunk * 5 + span));
        }
        assert_eq!(kept, [0, 3, 6, 9, 12, 15, 18]);
        assert_eq!(sampler.factor(), 20.0 / 7.0);
    }

    #[test]
    fn adaptive_reads_rare_spans_whole_and_common_ones_in_part() {
        let run = |matching: u64| {
            let mut sampler = Sampler::new(Sampling::Adaptive { by_trace: false });
            let mut last = 0;
            for _ in 0..20 {
                let mut spans = Bitmap::full(1000);
                sampler.keep_spans(&mut spans);
                last = spans.count();
                sampler.matched(u64::from(last) * matching / 100);
            }
            (last, sampler.factor())
        };
        assert_eq!(run(0), (1000, 1.0));
        assert_eq!(run(5), (1000, 1.0));
        assert_eq!(run(15).0, 500);
        let (last, factor) = run(100);
        assert_eq!(last, 100);
        assert!((factor - 20_000.0 / 2900.0).abs() < 1e-9);
    }

    #[test]
    fn weights_of_trace_states() {
        let cases: [(&str, f64); 13] = [
            ("", 1.0),
            ("ot=th:8", 2.0),
            ("ot=th:0", 1.0),
            ("ot=th:c", 4.0),
            ("vendor=x, ot=p:1;th:c;x:y", 4.0),
            ("not=th:8", 1.0),
            ("ot=th:", 1.0),
            ("ot=th:g", 1.0),
            ("ot=th:800000000000000", 1.0),
            ("ot=th:ffffffffffffff", (1u64 << 56) as f64),
            // 1.5 spans: those with the lower half of the random values count as 2.
            ("ot=th:55555555555555;rv:60000000000000", 2.0),
            ("ot=th:55555555555555;rv:f0000000000000", 1.0),
            ("ot=th:8;rv:80000000000000", 2.0),
        ];
        for (state, want) in cases {
            assert_eq!(spans_for(state.as_bytes()), want, "of {state}");
        }
        let third = spans_for(b"ot=th:55555555555555;rv:6");
        assert!((third - 1.5).abs() < 1e-9);
        assert_eq!(spans_for(&[0xff, b'o']), 1.0);
    }

    #[test]
    fn random_values_round_without_bias() {
        let threshold = 0x0055_5555_5555_5555_u64;
        let (mut sum, steps) = (0.0, 1000u64);
        for step in 0..steps {
            let random = threshold + ((1 << 56) - threshold) / steps * step;
            sum += spans_for(format!("ot=th:55555555555555;rv:{random:014x}").as_bytes());
        }
        assert!((sum / steps as f64 - 1.5).abs() < 0.01);
    }
}
