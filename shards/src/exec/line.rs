//! The tasks of one class that can run, and which of them is next.
//!
//! What an event has woken goes before what only gave way in the middle of long work: most of the former are at their last step (a
//! record is durable, an answer has come), and would otherwise wait for a turn of everything long at each of their steps. The long
//! work itself is done in the order in which it came, one after the other: taking turns would end all of it late. Neither lasts: long
//! work gets a turn after some of the others', and gives its place up after some turns.

use std::collections::VecDeque;

use super::Runnable;
use crate::limits::{TURNS_IN_A_ROW, WOKEN_IN_A_ROW};

/// Where a task that can run is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// An event has woken it, or it is new.
    Woken,
    /// It has given way to all others.
    #[default]
    Behind,
    /// It has given way in the middle of long work: it keeps its place in the order of that.
    Long,
    /// It has given way in the middle of work that others wait for: it counts as woken.
    Short,
}

#[derive(Default)]
pub(crate) struct Line {
    woken: VecDeque<Runnable>,
    long: VecDeque<Runnable>,
    /// Tasks taken from `woken` while others were in `long`.
    woken_in_a_row: usize,
    /// Whether the task that was taken last came from `long`.
    from_long: bool,
    /// How often the first of `long` has been put back there.
    turns_in_a_row: usize,
    /// Whether the first of `long` was put back there.
    goes_on: bool,
}

impl Line {
    pub(crate) fn len(&self) -> usize {
        self.woken.len() + self.long.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.woken.is_empty() && self.long.is_empty()
    }

    pub(crate) fn push(&mut self, runnable: Runnable, place: Place) {
        match place {
            Place::Woken | Place::Short => self.woken.push_back(runnable),
            Place::Long if self.from_long && self.turns_in_a_row < TURNS_IN_A_ROW => {
                self.turns_in_a_row += 1;
                self.goes_on = true;
                self.long.push_front(runnable);
            }
            Place::Long | Place::Behind => self.long.push_back(runnable),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Runnable> {
        self.from_long = self.woken.is_empty() || self.woken_in_a_row >= WOKEN_IN_A_ROW;
        self.from_long &= !self.long.is_empty();
        if !self.from_long {
            self.woken_in_a_row = match self.long.is_empty() {
                true => 0,
                false => self.woken_in_a_row + 1,
            };
            return self.woken.pop_front();
        }
        self.woken_in_a_row = 0;
        if !std::mem::take(&mut self.goes_on) {
            self.turns_in_a_row = 0;
        }
        self.long.pop_front()
    }

    /// Takes the `n`-th task out of its turn.
    pub(crate) fn take(&mut self, n: usize) -> Option<Runnable> {
        self.from_long = n >= self.woken.len();
        match n.checked_sub(self.woken.len()) {
            None => self.woken.remove(n),
            Some(n) => self.long.remove(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::runnable;
    use super::super::{Class, Runnable};
    use super::*;

    /// A task, and what it can be told by.
    fn task() -> (Runnable, std::task::Waker) {
        let runnable = runnable(Class::Ingest);
        let waker = runnable.waker();
        (runnable, waker)
    }

    fn is(runnable: &Runnable, waker: &std::task::Waker) -> bool {
        runnable.waker().will_wake(waker)
    }

    /// As many turns as one gets, after which it has to wait.
    fn has_its_turns(line: &mut Line, expected: &std::task::Waker) {
        for _ in 0..=TURNS_IN_A_ROW {
            let next = line.pop().unwrap();
            assert!(is(&next, expected));
            line.push(next, Place::Long);
        }
    }

    #[test]
    fn what_was_woken_goes_before_what_gave_way() {
        let mut line = Line::default();
        let [(long, is_long), (woken, is_woken), (short, is_short)] = [task(), task(), task()];
        line.push(long, Place::Long);
        line.push(woken, Place::Woken);
        line.push(short, Place::Short);
        assert_eq!(line.len(), 3);
        for expected in [is_woken, is_short, is_long] {
            assert!(is(&line.pop().unwrap(), &expected));
        }
        assert!(line.pop().is_none() && line.is_empty());
    }

    #[test]
    fn long_work_is_done_one_after_the_other_as_long_as_it_does_not_last() {
        let mut line = Line::default();
        let [(first, is_first), (second, is_second), (third, is_third)] = [task(), task(), task()];
        line.push(first, Place::Long);
        line.push(second, Place::Long);
        has_its_turns(&mut line, &is_first);
        // The first has had its turns and is last now; the second has all of its own.
        line.push(third, Place::Woken);
        let third = line.pop().unwrap();
        assert!(is(&third, &is_third));
        line.push(third, Place::Long);
        has_its_turns(&mut line, &is_second);
        assert!(is(&line.pop().unwrap(), &is_first));
        // Ended: the next one begins anew.
        has_its_turns(&mut line, &is_third);
        assert!(is(&line.pop().unwrap(), &is_second));
    }

    #[test]
    fn giving_way_to_all_others_gives_the_place_up() {
        let mut line = Line::default();
        let [(first, is_first), (second, is_second)] = [task(), task()];
        line.push(first, Place::Long);
        line.push(second, Place::Long);
        let first = line.pop().unwrap();
        line.push(first, Place::Behind);
        assert!(is(&line.pop().unwrap(), &is_second));
        assert!(is(&line.pop().unwrap(), &is_first));
    }

    #[test]
    fn long_work_does_not_starve() {
        let mut line = Line::default();
        let (long, is_long) = task();
        line.push(long, Place::Long);
        let mut polls = 0;
        for _ in 0..WOKEN_IN_A_ROW {
            line.push(task().0, Place::Woken);
        }
        // Woken again and again.
        while let Some(next) = line.pop() {
            if is(&next, &is_long) {
                break;
            }
            polls += 1;
            line.push(next, Place::Woken);
        }
        assert_eq!(polls, WOKEN_IN_A_ROW);
    }
}
