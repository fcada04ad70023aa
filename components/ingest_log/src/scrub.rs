//! After a start, older segments are read once in the background: it finds damage before somebody
//! needs the records, and fills the indexes.

use std::rc::Rc;
use std::time::Duration;

use vivace_shards::time::sleep;

use crate::partition::Partition;
use crate::reader::Reader;

pub(crate) async fn scrub(partitions: Vec<Rc<Partition>>) {
    for partition in partitions {
        let rate = partition.config.scrub_bytes_per_second;
        if rate == 0 {
            return;
        }
        // What was recovered at the start was read then, what comes later is fresh.
        let until = partition.newest_base();
        let mut reader = Reader::new(Rc::clone(&partition), partition.start_offset());
        let mut since_pause = 0;
        while reader.next_offset() < until {
            match reader.next().await {
                Ok(Some(entry)) => since_pause += entry.position.frame_bytes,
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(partition = partition.id, %error, "ingest log: scrub stopped");
                    break;
                }
            }
            if since_pause >= PAUSE_BYTES {
                let pause = since_pause.saturating_mul(1_000_000_000) / rate;
                since_pause = 0;
                sleep(Duration::from_nanos(pause)).await;
            }
        }
    }
}

/// Read between two pauses.
const PAUSE_BYTES: u64 = 1 << 20;
