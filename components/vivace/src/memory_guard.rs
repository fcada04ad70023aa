//! Keeps resident memory under `memory.limit`, whatever the budgets have not counted.
//!
//! Budgets count what can grow. What they don't see (garbage that the allocator keeps, fragments, small things) is measured: resident
//! memory less what is charged. Where that is more than was set aside for it, the budgets shrink by the difference, and the allocator is
//! asked to give pages back.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vivace_shards::memory;
use vivace_shards::time::sleep;

/// How often resident memory is looked at: between two looks, a process can touch some tens of MiB.
const PERIOD: Duration = Duration::from_millis(20);

/// This part of the limit is kept free.
const FREE_PART: u64 = 12;

/// The allocator is asked to give pages back while more than this percentage of the limit is resident, and more is resident than
/// charged by the part of the limit below.
const COLLECT_PERCENT: u64 = 60;
const COLLECT_SPARE_PART: u64 = 10;

/// Without a configured limit: the same while more than this is resident and not charged, but not as often, since memory that
/// comes back is touched for the first time again.
const SPARE_WITHOUT_LIMIT: u64 = 64 << 20;
const LOOKS_WITHOUT_LIMIT: u32 = 25;

/// Counts requests to the allocator; each shard follows for its own heap.
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);

/// What the process may take.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub bytes: u64,
    /// What of it the budgets have not got.
    pub set_aside: u64,
    /// It comes from `memory.limit`, not from what the machine has.
    pub is_configured: bool,
}

/// Watches for the whole process. `reserved` tells how many bytes are charged, but not taken yet.
pub async fn watch(limit: Limit, reserved: impl Fn() -> u64) {
    let Ok(file) = File::open("/proc/self/statm") else {
        tracing::warn!(
            msg = "resident memory cannot be read: memory that no budget counts stays unnoticed"
        );
        return;
    };
    let mut looks = 0;
    loop {
        sleep(PERIOD).await;
        let Some(resident) = resident(&file) else {
            continue;
        };
        let spare = resident.saturating_sub(memory::process_used());
        // Part of what was set aside stays free for what comes until the next look.
        let free = (limit.bytes / FREE_PART).min(limit.set_aside);
        memory::set_uncounted(spare.saturating_sub(limit.set_aside - free));
        looks = (looks + 1) % LOOKS_WITHOUT_LIMIT;
        let garbage = resident.saturating_sub(memory::process_used().saturating_sub(reserved()));
        let is_short = resident > limit.bytes / 100 * COLLECT_PERCENT
            && garbage > limit.bytes / COLLECT_SPARE_PART;
        let is_untidy = !limit.is_configured && looks == 0 && garbage > SPARE_WITHOUT_LIMIT;
        if is_short || is_untidy {
            COLLECTIONS.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Gives back the pages that this shard's heap has to spare, whenever `watch` wants that.
pub async fn give_back() {
    let mut seen = 0;
    loop {
        sleep(PERIOD).await;
        let wanted = COLLECTIONS.load(Ordering::Relaxed);
        if wanted != seen {
            seen = wanted;
            collect();
        }
    }
}

#[allow(unsafe_code, reason = "the allocator has no safe interface for this")]
fn collect() {
    // SAFETY: mi_collect takes no pointers, may be called from any thread at any time, and only frees memory that nobody holds.
    unsafe { libmimalloc_sys::mi_collect(true) }
}

/// Resident bytes of this process. On a shard: procfs is memory, opening and reading it never wait.
fn resident(file: &File) -> Option<u64> {
    let mut text = [0; 128];
    let length = file.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(text.get(..length)?).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read() {
        let file = File::open("/proc/self/statm").unwrap();
        let before = resident(&file).unwrap();
        let touched = vec![1_u8; 64 << 20];
        let after = resident(&file).unwrap();
        assert!(
            after > before + (32 << 20),
            "{before} {after} {}",
            touched.len()
        );
    }
}
