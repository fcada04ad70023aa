//! Some of the traces that were sent, each with the same chance, and what became of their requests.

use std::collections::HashMap;

use crate::data::{Generator, Random, Request};

/// Traces of each pair that may be sampled.
const OFFERS: usize = 2;

/// What became of one of a trace's two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Not sent, under way, or failed: its spans may be stored or not.
    Open,
    /// Its spans must be stored.
    Acknowledged,
}

/// One trace.
#[derive(Debug, Clone)]
pub struct Sampled {
    offer: (u64, usize),
    /// Its id.
    pub trace_id: [u8; 16],
    halves: [(Vec<[u8; 8]>, Fate); 2],
}

impl Sampled {
    /// Span ids that an answer must have.
    pub fn required(&self) -> impl Iterator<Item = &[u8; 8]> {
        let halves = self.halves.iter();
        halves
            .filter(|(_, fate)| *fate == Fate::Acknowledged)
            .flat_map(|(ids, _)| ids)
    }

    /// Span ids that an answer may have.
    pub fn allowed(&self) -> impl Iterator<Item = &[u8; 8]> {
        self.halves.iter().flat_map(|(ids, _)| ids)
    }
}

/// A reservoir of traces.
#[derive(Debug)]
pub struct Sample {
    capacity: usize,
    seen: u64,
    random: Random,
    traces: Vec<Sampled>,
    /// Pair and number of the offer within it, to the place.
    by_offer: HashMap<(u64, usize), usize>,
}

impl Sample {
    /// Keeps up to `capacity` traces.
    pub fn new(capacity: usize, seed: u64) -> Self {
        Self {
            capacity,
            seen: 0,
            random: Random::new(seed),
            traces: Vec::new(),
            by_offer: HashMap::new(),
        }
    }

    /// Offers traces of the pair that begins with `request`, the newest of `generator`: two different ones, where it has two.
    pub fn offer(&mut self, request: &Request, generator: &Generator) {
        if self.capacity == 0 || request.half != 0 {
            return;
        }
        let count = generator.trace_ids().len();
        let first = self.random.below(count as u64) as usize;
        for nth in 0..OFFERS.min(count) {
            // Half a turn further is another one.
            let trace = (first + nth * count / OFFERS) % count;
            self.offer_trace(request.pair, nth, trace, generator);
        }
    }

    fn offer_trace(&mut self, pair: u64, nth: usize, trace: usize, generator: &Generator) {
        // Algorithm R: the n-th trace gets a place with the chance capacity / n.
        let place = self.random.below(self.seen + 1);
        self.seen += 1;
        let place = if self.traces.len() < self.capacity {
            self.traces.len()
        } else if place < self.capacity as u64 {
            place as usize
        } else {
            return;
        };
        let sampled = Sampled {
            offer: (pair, nth),
            trace_id: generator.trace_ids()[trace],
            halves: generator
                .span_ids(trace)
                .map(|ids| (ids.to_vec(), Fate::Open)),
        };
        match self.traces.get_mut(place) {
            None => self.traces.push(sampled),
            Some(old) => {
                self.by_offer.remove(&old.offer);
                *old = sampled;
            }
        }
        self.by_offer.insert((pair, nth), place);
    }

    /// One request of a pair was acknowledged.
    pub fn acknowledged(&mut self, pair: u64, half: usize) {
        for nth in 0..OFFERS {
            if let Some(place) = self.by_offer.get(&(pair, nth)) {
                self.traces[*place].halves[half].1 = Fate::Acknowledged;
            }
        }
    }

    /// Any trace of which something is acknowledged; `None` when a few tries find none.
    pub fn pick(&mut self) -> Option<Sampled> {
        for _ in 0..8 {
            if self.traces.is_empty() {
                return None;
            }
            let place = self.random.below(self.traces.len() as u64) as usize;
            if self.traces[place].required().next().is_some() {
                return Some(self.traces[place].clone());
            }
        }
        None
    }

    /// All traces of which something is acknowledged.
    pub fn into_acknowledged(self) -> impl Iterator<Item = Sampled> {
        let traces = self.traces.into_iter();
        traces.filter(|trace| trace.required().next().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Shape;

    fn shape() -> Shape {
        Shape {
            spans_per_request: 4,
            spans_per_trace: 4,
            attributes_per_span: 0,
        }
    }

    #[test]
    fn only_acknowledged_requests_bind_the_server() {
        let mut generator = Generator::new(1, shape());
        let mut sample = Sample::new(10, 1);
        for n in 0..4 {
            let request = generator.next_request(1 << 60);
            sample.offer(&request, &generator);
            if n != 1 && n != 2 {
                sample.acknowledged(request.pair, request.half);
            }
        }
        let traces: Vec<Sampled> = sample.into_acknowledged().collect();
        assert_eq!(traces.len(), 4);
        let ids: std::collections::HashSet<_> = traces.iter().map(|trace| trace.trace_id).collect();
        assert_eq!(ids.len(), 4);
        for (trace, half) in traces.iter().zip([0, 0, 1, 1]) {
            assert_eq!((trace.required().count(), trace.allowed().count()), (2, 4));
            assert_eq!(trace.required().next(), trace.halves[half].0.first());
        }
    }

    #[test]
    fn every_trace_has_the_same_chance() {
        let mut early = 0;
        for seed in 0..200 {
            let mut generator = Generator::new(seed, shape());
            let mut sample = Sample::new(5, seed);
            for _ in 0..200 {
                let request = generator.next_request(1 << 60);
                sample.offer(&request, &generator);
                sample.acknowledged(request.pair, request.half);
            }
            let traces: Vec<Sampled> = sample.into_acknowledged().collect();
            assert_eq!(traces.len(), 5);
            assert!(traces.iter().all(|trace| trace.required().count() == 4));
            early += traces.iter().filter(|trace| trace.offer.0 < 50).count();
        }
        // Half of 1000 expected, standard deviation 16.
        assert!((400..600).contains(&early), "{early}");
    }

    #[test]
    fn no_capacity_keeps_nothing() {
        let mut generator = Generator::new(1, shape());
        let mut sample = Sample::new(0, 1);
        let request = generator.next_request(1 << 60);
        sample.offer(&request, &generator);
        sample.acknowledged(0, 0);
        assert!(sample.pick().is_none());
    }
}
