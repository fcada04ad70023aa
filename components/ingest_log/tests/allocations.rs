//! What appending allocates on the shard: some for a record, none for what is in it.

mod common;

use common::{config, record, start};
use vivace_allocations::{Counting, allocations};
use vivace_ingest_log::{Config, Handle};
use vivace_shards::runtime;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const APPENDS: u64 = 50;
/// A record alone in its group: the reply, the group's buffers, the way to the disk and back.
const MOST: u64 = 20;

/// The fewest allocations of one append: now and then a queue or the index grows, or a segment begins.
async fn fewest(handle: &Handle, bytes: usize) -> u64 {
    let mut fewest = u64::MAX;
    for id in 0..APPENDS {
        let record = record(id, bytes);
        let before = allocations();
        handle.append(0, record).await.expect("append");
        fewest = fewest.min(allocations() - before);
    }
    fewest
}

#[test]
fn a_record_is_appended_without_a_copy() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_owned();
    let one_shard = runtime::Config {
        shards: 1,
        pin: false,
        ..runtime::Config::default()
    };
    let run = runtime::run(one_shard, move || {
        let config = Config {
            segment_bytes: 16 << 20,
            max_group_bytes: 1 << 20,
            ..config(&path)
        };
        async move {
            let handle = start(&config).await.expect("a log");
            let small = fewest(&handle, 600).await;
            let large = fewest(&handle, 60_000).await;
            assert_eq!(small, large);
            assert!(small > 0 && small < MOST, "{small}");
            Ok(())
        }
    });
    run.expect("no shard fails");
}
