//! Spans and errors of each trace by service.

use vivace_block::schema::Column as Leaf;
use vivace_block_reader::{DefLevels, Part, Ranges, RepLevels, Wanted};

use super::error::LoadError;
use super::owners::Levels;
use super::source::{LeafData, Source};
use crate::chunk::ServiceStats;

/// The leaves of `ServiceStats`.
pub(super) struct Stats {
    services: LeafData,
    spans: LeafData,
    errors: LeafData,
    /// First entry of each trace, and the number of all.
    starts: Vec<u32>,
}

impl Stats {
    pub async fn load<R: Ranges, P: AsyncFn()>(
        source: &mut Source<R, P>,
    ) -> Result<Self, LoadError<R::Error>> {
        let find = |column| source.block.find(Part::Column(column));
        let leaves = (
            find(Leaf::StatsServiceName),
            find(Leaf::StatsSpanCount),
            find(Leaf::StatsErrorCount),
        );
        let (Some(service), Some(span), Some(error)) = leaves else {
            return Err(source.version3());
        };
        let rows = source.rows.clone();
        source.fetch(&[service, span, error], rows.clone()).await?;
        let wanted = Wanted {
            rep: RepLevels::Repeats,
            def: DefLevels::All,
            values: true,
        };
        let services = source.read(service, rows.clone(), wanted).await?;
        let spans = source.read(span, rows.clone(), Wanted::VALUES).await?;
        let errors = source.read(error, rows.clone(), Wanted::VALUES).await?;
        let levels = Levels {
            rep: &services.page.rep_levels,
            def: &services.page.def_levels,
            max_rep: 1,
            max_def: 1,
            owner_def: 0,
        };
        let starts = levels.starts(rows.len());
        let starts = starts.ok_or_else(|| source.corrupt(service, "slots of other rows"))?;
        let count = services.page.values.len();
        if spans.page.values.len() != count || errors.page.values.len() != count {
            return Err(source.corrupt(service, "names without numbers of spans and errors"));
        }
        let held = [&services, &spans, &errors].map(|data| data.page.values.memory_bytes());
        source.hold(service, held.iter().sum::<usize>() + starts.len() * 4)?;
        Ok(Self {
            services,
            spans,
            errors,
            starts,
        })
    }

    /// What it takes in memory.
    pub fn memory_bytes(&self) -> usize {
        let leaves = [&self.services, &self.spans, &self.errors];
        let values = leaves.map(|data| data.page.values.memory_bytes());
        values.iter().sum::<usize>() + self.starts.capacity() * 4
    }

    /// Sorted by service.
    pub fn of_trace(&self, trace: u32) -> Vec<ServiceStats> {
        let start = |trace: usize| self.starts.get(trace).copied().unwrap_or(0) as usize;
        let entries = start(trace as usize)..start(trace as usize + 1);
        // Counts were unsigned.
        let number = |data: &LeafData, index| data.page.values.int(index).unwrap_or(0) as u32;
        let mut all: Vec<ServiceStats> = entries
            .map(|index| ServiceStats {
                service: String::from_utf8_lossy(self.services.bytes(index)).into(),
                spans: number(&self.spans, index),
                errors: number(&self.errors, index),
            })
            .collect();
        all.sort_by(|a, b| a.service.cmp(&b.service));
        all
    }
}
