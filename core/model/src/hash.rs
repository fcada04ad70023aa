//! The sharding hashes (write-path.md §3). All are FNV-1: multiply, then xor. They are part of what other
//! processes and stored blocks rely on; a hash table in memory uses something faster.

use crate::{SpanId, TraceId};

const OFFSET_32: u32 = 0x811c_9dc5;
const PRIME_32: u32 = 0x0100_0193;
const OFFSET_64: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME_64: u64 = 0x0000_0100_0000_01b3;

/// FNV-1 of 32 bits over pieces.
#[derive(Clone, Copy, Debug)]
pub struct Fnv1_32(u32);

impl Default for Fnv1_32 {
    fn default() -> Self {
        Self(OFFSET_32)
    }
}

impl Fnv1_32 {
    #[must_use]
    #[inline]
    pub fn update(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |hash, &byte| {
            hash.wrapping_mul(PRIME_32) ^ u32::from(byte)
        }))
    }

    pub fn finish(self) -> u32 {
        self.0
    }
}

/// The key of a trace in the partition ring: over the tenant, then the trace id.
pub fn fnv1_32(tenant: &str, trace_id: TraceId) -> u32 {
    Fnv1_32::default()
        .update(tenant.as_bytes())
        .update(&trace_id.0)
        .finish()
}

/// The key of a trace in bloom filters: over the trace id only.
pub fn bloom_fnv1_32(trace_id: TraceId) -> u32 {
    Fnv1_32::default().update(&trace_id.0).finish()
}

/// FNV-1 of 64 bits over any bytes; over a trace id it is the key of traces in maps.
pub fn fnv1_64(bytes: &[u8]) -> u64 {
    continue_64(OFFSET_64, bytes)
}

/// What tells two spans of one trace apart: the span id, then the kind as four little-endian bytes.
pub fn span_fnv1_64(span_id: SpanId, kind: i32) -> u64 {
    continue_64(fnv1_64(&span_id.0), &kind.to_le_bytes())
}

fn continue_64(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| {
        hash.wrapping_mul(PRIME_64) ^ u64::from(byte)
    })
}

/// The partition of a trace when all of `partitions` are equally large. 0 partitions count as 1.
pub fn partition_of(tenant: &str, trace_id: TraceId, partitions: u32) -> u32 {
    fnv1_32(tenant, trace_id) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TraceId = TraceId([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    #[test]
    fn vectors() {
        assert_eq!(fnv1_32("single-tenant", ID), 3_022_890_346);
        assert_eq!(fnv1_32("a", ID), 935_186_590);
        assert_eq!(bloom_fnv1_32(ID), 853_668_421);
        assert_eq!(fnv1_64(&ID.0), 17_202_449_619_717_367_717);
    }

    #[test]
    fn the_kind_follows_the_span_id() {
        let together = [1, 2, 3, 4, 5, 6, 7, 8, 3, 0, 0, 0];
        assert_eq!(
            span_fnv1_64(SpanId([1, 2, 3, 4, 5, 6, 7, 8]), 3),
            fnv1_64(&together)
        );
    }

    #[test]
    fn partitions_never_divide_by_zero() {
        assert_eq!(partition_of("a", ID, 0), 0);
        assert_eq!(partition_of("a", ID, 1000), 590);
    }
}
