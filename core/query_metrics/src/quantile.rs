//! Buckets of powers of two, and quantiles of them (traceql.md §7.5).

/// Nanoseconds of the second that bounds of durations are told in.
const NANOS: f64 = 1e9;

/// The exponent of the smallest power of two that is not below the value; None: below 2.
#[inline]
pub(crate) fn exponent(value: i64) -> Option<u8> {
    if value < 2 {
        return None;
    }
    let below = value.cast_unsigned() - 1;
    Some((u64::BITS - below.leading_zeros()) as u8)
}

/// The upper bound of a bucket, included.
pub(crate) fn bound(exponent: u8, in_seconds: bool) -> f64 {
    let power = 2f64.powi(i32::from(exponent));
    if in_seconds { power / NANOS } else { power }
}

/// The value below which a share of `p` (0 to 1) lies. Buckets are bounds with counts, ascending; empty ones have no part in it.
/// 0 if there is nothing.
pub(crate) fn quantile(p: f64, buckets: &[(f64, f64)]) -> f64 {
    let filled = || buckets.iter().copied().filter(|&(_, count)| count > 0.0);
    let all: f64 = filled().map(|(_, count)| count).sum();
    let need = (p * all).ceil().max(1.0);
    let (mut done, mut previous) = (0.0, None);
    for (bound, count) in filled() {
        if done + count > need {
            let low = previous.unwrap_or(bound / 2.0).log2();
            let share = (need - done) / count;
            return (low + share * (bound.log2() - low)).exp2();
        }
        done += count;
        previous = Some(bound);
        if done == need {
            break;
        }
    }
    // Fractions of sampled counts can leave `need` a little above what there is: that is the last bucket's bound.
    previous.unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents() {
        let cases = [
            (i64::MIN, None),
            (0, None),
            (1, None),
            (2, Some(1)),
            (3, Some(2)),
            (4, Some(2)),
            (5, Some(3)),
            (1 << 40, Some(40)),
            ((1 << 40) + 1, Some(41)),
            (i64::MAX, Some(63)),
        ];
        for (value, want) in cases {
            assert_eq!(exponent(value), want, "of {value}");
        }
        assert_eq!(bound(30, true), 1.073741824);
        assert_eq!(bound(63, false), 9_223_372_036_854_775_808.0);
    }

    /// Of a real server: counts of a histogram, and its quantiles of the same spans.
    #[test]
    fn interpolation_is_on_a_logarithmic_scale() {
        let counts = [3.0, 1.0, 4.0, 7.0, 11.0, 18.0, 16.0, 8.0, 4.0];
        let buckets: Vec<_> = (20u8..)
            .zip(counts)
            .map(|(exponent, count)| (bound(exponent, true), count))
            .collect();
        let close = |p: f64, want: f64| {
            let found = quantile(p, &buckets);
            assert!((found - want).abs() < 1e-12, "{p}: {found}, not {want}");
        };
        close(0.5, 0.024658053039558054);
        close(0.9, 0.10349601654162925);
    }

    #[test]
    fn whole_buckets_give_their_bound() {
        let buckets = [(2.0, 2.0), (4.0, 0.0), (8.0, 2.0)];
        assert_eq!(quantile(0.5, &buckets), 2.0);
        assert_eq!(quantile(1.0, &buckets), 8.0);
        // The bound of the last bucket with spans, not that of the empty one.
        assert_eq!(quantile(0.75, &buckets), 4.0);
        // At least one span: half of the first bucket, from half its bound.
        assert!((quantile(0.0, &buckets) - 2f64.sqrt()).abs() < 1e-12);
        assert_eq!(quantile(0.5, &[]), 0.0);
        assert_eq!(quantile(0.5, &[(2.0, 0.0)]), 0.0);
    }
}
