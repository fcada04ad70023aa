//! Which slots of a leaf belong to which owner.

/// Levels of a leaf that hangs below its owner, repetition levels as `RepLevels::Repeats` leaves them.
pub(super) struct Levels<'a> {
    pub rep: &'a [u8],
    pub def: &'a [u8],
    /// The highest of the leaf, or of the group whose elements are counted.
    pub max_rep: u8,
    pub max_def: u8,
    /// A slot with a lower definition level belongs to no owner.
    pub owner_def: u8,
}

impl Levels<'_> {
    /// The first element of each owner, and the number of all; None when there are not as many owners.
    pub fn starts(&self, owners: usize) -> Option<Vec<u32>> {
        let mut starts = vec![0_u32; owners + 1];
        let (mut owner, mut count) = (0_usize, 0_u32);
        let mut step = |is_new: bool, is_element: bool| -> Option<()> {
            if is_new {
                *starts.get_mut(owner)? = count;
                owner += 1;
            }
            count += u32::from(is_element);
            Some(())
        };
        if self.rep.is_empty() {
            for &def in self.def {
                step(def >= self.owner_def, def == self.max_def)?;
            }
        } else {
            for (&rep, &def) in self.rep.iter().zip(self.def) {
                let is_new = rep < self.max_rep && def >= self.owner_def;
                step(is_new, def == self.max_def)?;
            }
        }
        if owner != owners {
            return None;
        }
        *starts.last_mut()? = count;
        Some(starts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owners_with_and_without_elements() {
        // No owner; one with two elements; one without; one with one.
        let levels = Levels {
            rep: &[0, 0, 4, 3, 3],
            def: &[2, 4, 4, 3, 4],
            max_rep: 4,
            max_def: 4,
            owner_def: 3,
        };
        assert_eq!(levels.starts(3), Some(vec![0, 2, 2, 3]));
        assert_eq!(levels.starts(2), None);
        assert_eq!(levels.starts(4), None);
        let levels = Levels {
            rep: &[],
            def: &[4, 3, 2, 4],
            ..levels
        };
        assert_eq!(levels.starts(3), Some(vec![0, 1, 1, 2]));
    }
}
