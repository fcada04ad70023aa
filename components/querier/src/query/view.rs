//! Where a tenant's spans are at one moment.

use std::sync::Arc;

use vivace_block::BlockMeta;
use vivace_model::SpanBatch;

use crate::limits::LIVE_UNIT_BYTES;

/// Every span of a tenant, each in one place: live batches, and blocks that hold none of them. Shared by the shards that work on it.
#[derive(Debug)]
pub struct View {
    pub tenant: Arc<str>,
    pub live: Vec<SpanBatch>,
    /// Newest first.
    pub blocks: Vec<Arc<BlockMeta>>,
}

/// What one job looks at.
#[derive(Clone, Debug)]
pub enum Unit {
    /// Some live batches.
    Live(Vec<SpanBatch>),
    /// Part number `part` of `parts` of a block's row groups.
    Block {
        meta: Arc<BlockMeta>,
        part: u32,
        parts: u32,
    },
}

/// A unit, and what is known of it beforehand.
#[derive(Clone, Debug)]
pub struct Planned {
    pub unit: Unit,
    /// About what it reads.
    pub bytes: u64,
    /// Unix nanoseconds: no span starts later; `u64::MAX` for live data.
    pub newest: u64,
}

impl View {
    /// `live` in any order; blocks are sorted, those that don't overlap the time (Unix seconds, both ends included) are left out.
    pub fn new(
        tenant: Arc<str>,
        live: Vec<SpanBatch>,
        blocks: Vec<Arc<BlockMeta>>,
        start: u64,
        end: u64,
    ) -> Self {
        let seconds = |value: i64| u64::try_from(value).unwrap_or(0);
        let mut blocks: Vec<_> = blocks
            .into_iter()
            .filter(|meta| {
                seconds(meta.start_time.timestamp()) <= end
                    && seconds(meta.end_time.timestamp()) >= start
            })
            .collect();
        blocks.sort_by_key(|meta| (std::cmp::Reverse(meta.end_time), meta.block_id));
        Self {
            tenant,
            live,
            blocks,
        }
    }

    /// Cuts it into units of about `target_bytes`, newest first.
    pub fn units(&self, target_bytes: u64) -> Vec<Planned> {
        let mut units = Vec::new();
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let mut live_unit = |batches: &mut Vec<SpanBatch>, bytes: &mut u64| {
            if !batches.is_empty() {
                units.push(Planned {
                    unit: Unit::Live(std::mem::take(batches)),
                    bytes: std::mem::take(bytes),
                    newest: u64::MAX,
                });
            }
        };
        for batch in &self.live {
            bytes += batch.as_bytes().len() as u64;
            batches.push(batch.clone());
            if bytes >= LIVE_UNIT_BYTES {
                live_unit(&mut batches, &mut bytes);
            }
        }
        live_unit(&mut batches, &mut bytes);
        for meta in &self.blocks {
            let parts = meta.size.div_ceil(target_bytes.max(1)).clamp(1, 1 << 16) as u32;
            for part in 0..parts {
                units.push(Planned {
                    unit: Unit::Block {
                        meta: Arc::clone(meta),
                        part,
                        parts,
                    },
                    bytes: meta.size / u64::from(parts),
                    newest: newest_of(meta),
                });
            }
        }
        units
    }

    pub fn block_bytes(&self) -> u64 {
        self.blocks.iter().map(|meta| meta.size).sum()
    }
}

/// The block's end as nanoseconds, rounded up to a whole second: metas may be cut to seconds.
fn newest_of(meta: &BlockMeta) -> u64 {
    let seconds = u64::try_from(meta.end_time.timestamp()).unwrap_or(0);
    (seconds + 1).saturating_mul(1_000_000_000)
}
