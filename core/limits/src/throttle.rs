//! Log lines that outside data can trigger: so many a second, and a count of those kept back.

/// Lets `per_second` events through in each second of the caller's clock.
#[derive(Clone, Debug)]
pub struct Throttle {
    per_second: u32,
    window: u64,
    used: u32,
    suppressed: u64,
}

impl Throttle {
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            window: u64::MAX,
            used: 0,
            suppressed: 0,
        }
    }

    /// `now` in nanoseconds. `Some(n)`: write the line; `n` lines were kept back since the last one. `None`: keep quiet.
    pub fn pass(&mut self, now: u64) -> Option<u64> {
        let window = now / 1_000_000_000;
        if window != self.window {
            self.window = window;
            self.used = 0;
        }
        if self.used >= self.per_second {
            self.suppressed += 1;
            return None;
        }
        self.used += 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_a_second() {
        let mut throttle = Throttle::new(2);
        let answers: Vec<_> = [0, 1, 2, 3, 1_000_000_000, 1_000_000_001]
            .map(|now| throttle.pass(now))
            .into();
        assert_eq!(answers, [Some(0), Some(0), None, None, Some(2), Some(0)]);
    }
}
