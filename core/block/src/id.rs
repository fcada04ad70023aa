//! Names of blocks that follow from what is in them (block-format.md §8).

use uuid::Uuid;

const NAMESPACE: Uuid = Uuid::from_u128(0x28840903_6eb5_4ffb_8880_93a4fa98dbcb);

/// The id of the block that holds a section of a partition of the log: building it again makes the same block again.
/// `sequence` counts from 1: the next one is tried when a block of this id has been replaced.
pub fn deterministic(tenant: &str, partition: u64, start_offset: u64, sequence: u64) -> Uuid {
    let numbers = [partition, start_offset, sequence].map(u64::to_le_bytes);
    let name = [tenant.as_bytes(), numbers.as_flattened()].concat();
    Uuid::new_v5(&NAMESPACE, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_specification() {
        let id = deterministic("tenant1", 3, 42, 1);
        assert_eq!(id.to_string(), "bea3b985-21a4-53bc-aadb-c35352daa446");
    }

    #[test]
    fn everything_counts() {
        let ids = [
            deterministic("tenant1", 3, 42, 1),
            deterministic("tenant2", 3, 42, 1),
            deterministic("tenant1", 4, 42, 1),
            deterministic("tenant1", 3, 43, 1),
            deterministic("tenant1", 3, 42, 2),
        ];
        for (i, id) in ids.iter().enumerate() {
            assert!(!ids[..i].contains(id));
        }
    }
}
