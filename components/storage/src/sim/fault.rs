//! Faults that a test asks the simulated store for.

use std::time::Duration;

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Writing an object, or finishing its upload.
    Put,
    /// Uploading a piece.
    Write,
    /// Reading an object or a range of it.
    Get,
    /// Asking for size and time.
    Head,
    Delete,
    Copy,
    List,
}

impl Operation {
    pub(super) fn verb(self) -> &'static str {
        match self {
            Self::Put | Self::Write => "write",
            Self::Get => "read",
            Self::Head => "look at",
            Self::Delete => "delete",
            Self::Copy => "copy",
            Self::List => "list",
        }
    }
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It takes this much longer.
    Late(Duration),
    /// It is not done, and the caller hears so.
    Refused,
    /// It is done, and the caller hears that it is not.
    LostAnswer,
    /// It is done twice.
    Repeated,
}

/// A fault to happen.
#[derive(Clone, Debug)]
pub struct Fault {
    /// To which operation.
    pub operation: Operation,
    /// On which objects: those whose key contains this.
    pub key: String,
    /// What happens.
    pub effect: Effect,
    /// How often.
    pub times: u64,
}

/// The effect of the first fault that applies, which happens once less.
pub(super) fn strike(faults: &mut Vec<Fault>, operation: Operation, key: &str) -> Option<Effect> {
    let applies = |fault: &&mut Fault| {
        fault.operation == operation && fault.times > 0 && key.contains(&fault.key)
    };
    let struck = faults.iter_mut().find(applies)?;
    struck.times -= 1;
    let effect = struck.effect;
    faults.retain(|fault| fault.times > 0);
    Some(effect)
}

/// How often faults happen by chance, of a million operations each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub late: u32,
    /// Late by up to this.
    pub latest: Duration,
    pub refused: u32,
    pub lost_answer: u32,
    pub repeated: u32,
}

impl Faults {
    /// A store that nobody would want: a fifth of all operations goes wrong.
    pub fn often() -> Self {
        Self {
            late: 50_000,
            latest: Duration::from_millis(300),
            refused: 60_000,
            lost_answer: 60_000,
            repeated: 30_000,
        }
    }

    pub(super) fn strike(&self, below: impl Fn(u64) -> u64) -> Option<Effect> {
        if *self == Self::default() {
            return None;
        }
        let mut at = below(1_000_000);
        let mut within = |width: u32| {
            let hit = at < u64::from(width);
            at = at.saturating_sub(u64::from(width));
            hit
        };
        if within(self.late) {
            let most = u64::try_from(self.latest.as_micros()).unwrap_or(u64::MAX);
            return Some(Effect::Late(Duration::from_micros(below(most))));
        }
        if within(self.refused) {
            return Some(Effect::Refused);
        }
        if within(self.lost_answer) {
            return Some(Effect::LostAnswer);
        }
        within(self.repeated).then_some(Effect::Repeated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fault_has_its_share() {
        let faults = Faults {
            late: 2,
            latest: Duration::from_micros(7),
            refused: 3,
            lost_answer: 1,
            repeated: 2,
        };
        let effects: Vec<Option<Effect>> = (0..9)
            .map(|at| faults.strike(|n| if n == 1_000_000 { at } else { n }))
            .collect();
        let late = Some(Effect::Late(Duration::from_micros(7)));
        let refused = Some(Effect::Refused);
        let lost = Some(Effect::LostAnswer);
        let repeated = Some(Effect::Repeated);
        assert_eq!(
            effects,
            [
                late, late, refused, refused, refused, lost, repeated, repeated, None
            ]
        );
        assert_eq!(Faults::default().strike(|_| 0), None);
    }

    #[test]
    fn an_injected_fault_happens_as_often_as_asked() {
        let mut faults = vec![Fault {
            operation: Operation::Get,
            key: "meta".into(),
            effect: Effect::Refused,
            times: 2,
        }];
        assert_eq!(strike(&mut faults, Operation::Put, "a/meta.json"), None);
        assert_eq!(strike(&mut faults, Operation::Get, "a/index"), None);
        for _ in 0..2 {
            let effect = strike(&mut faults, Operation::Get, "a/meta.json");
            assert_eq!(effect, Some(Effect::Refused));
        }
        assert_eq!(strike(&mut faults, Operation::Get, "a/meta.json"), None);
        assert!(faults.is_empty());
    }
}
