//! Keeps resident memory under `memory.limit`, whatever the budgets have not counted.
//!
//! Budgets count what can grow. What they don't see (garbage that the allocator keeps, fragments, small things) is measured: resident
//! memory less what is charged. Where that is more than was set aside for it, the budgets shrink by the difference, and the allocator is
//! asked to give pages back.

// Of procfs only, which is memory: nothing waits for a disk.
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use vivace_shards::time::sleep;
use vivace_shards::{Class, Task, memory, side, spawn};

/// How often resident memory is looked at: between two looks, a process can touch some tens of MiB.
const PERIOD: Duration = Duration::from_millis(20);

/// This part of the limit is kept free.
const FREE_PART: u64 = 12;

/// The allocator is asked to give pages back while more than this percentage of the limit is resident, and more is resident than
/// charged by the part of the limit below.
const COLLECT_PERCENT: u64 = 60;
const COLLECT_SPARE_PART: u64 = 10;

/// Without a configured limit: while more than this is resident and not charged, pages are given back beside the shards, but not as
/// often, since memory that comes back is touched for the first time again.
const SPARE_WITHOUT_LIMIT: u64 = 64 << 20;
const LOOKS_WITHOUT_LIMIT: u32 = 12;
/// And of less than that, now and then: a process with nothing to do should not keep it.
const SPARE_AT_LAST: u64 = 16 << 20;
const LOOKS_AT_LAST: u32 = 20 * LOOKS_WITHOUT_LIMIT;

/// Milliseconds for which the allocator may keep a page that nobody uses, unless it is told to give it back. Without a configured
/// limit nobody waits for memory, so no shard has to: giving back what a query had takes up to 0.15 s. What an operator has set stays.
const KEPT_WITHOUT_LIMIT: std::ffi::c_long = 3_600_000;
/// Number of `mi_option_purge_delay`, which the bindings leave out.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
const PURGE_DELAY_VARIABLE: &str = "MIMALLOC_PURGE_DELAY";

/// Counts requests to the allocator, for each shard's own heap: to give pages back, and to find the ones nobody uses.
static COLLECTIONS: AtomicU64 = AtomicU64::new(0);
static TIDYINGS: AtomicU64 = AtomicU64::new(0);

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
    if !limit.is_configured && std::env::var_os(PURGE_DELAY_VARIABLE).is_none() {
        keep_pages();
    }
    let mut looks = 0;
    // One at a time, beside the looks: it may wait for a CPU.
    let mut tidying = None;
    loop {
        sleep(PERIOD).await;
        let Some(resident) = resident(&file) else {
            continue;
        };
        let spare = resident.saturating_sub(memory::process_used());
        // Part of what was set aside stays free for what comes until the next look.
        let free = (limit.bytes / FREE_PART).min(limit.set_aside);
        memory::set_uncounted(spare.saturating_sub(limit.set_aside - free));
        looks = (looks + 1) % LOOKS_AT_LAST;
        let garbage = resident.saturating_sub(memory::process_used().saturating_sub(reserved()));
        let is_short = resident > limit.bytes / 100 * COLLECT_PERCENT
            && garbage > limit.bytes / COLLECT_SPARE_PART;
        let spare_most = if looks == 0 {
            SPARE_AT_LAST
        } else {
            SPARE_WITHOUT_LIMIT
        };
        let is_time = looks % LOOKS_WITHOUT_LIMIT == 0;
        let is_idle = tidying.as_ref().is_none_or(Task::is_finished);
        let is_untidy = !limit.is_configured && is_time && garbage > spare_most && is_idle;
        if is_short {
            COLLECTIONS.fetch_add(1, Ordering::Relaxed);
        } else if is_untidy {
            tidying = Some(spawn(Class::Ingest, tidy()));
        }
    }
}

/// Shards find their unused pages, and a side thread gives them back.
async fn tidy() {
    TIDYINGS.fetch_add(1, Ordering::Relaxed);
    // Twice what a shard waits between two looks for work.
    sleep(2 * PERIOD).await;
    if let Err(error) = side::blocking(|| collect(true)).await {
        tracing::debug!(msg = "unused memory was not given back", %error);
    }
}

/// Finds, or gives back, the pages that this shard's heap has to spare, whenever `watch` wants that.
pub async fn give_back() {
    let (mut collected, mut tidied) = (0, 0);
    loop {
        sleep(PERIOD).await;
        let wanted = COLLECTIONS.load(Ordering::Relaxed);
        if wanted != collected {
            collected = wanted;
            collect(true);
        }
        let wanted = TIDYINGS.load(Ordering::Relaxed);
        if wanted != tidied {
            tidied = wanted;
            collect(false);
        }
    }
}

/// Lets the allocator have the unused pages of this thread; with `give_back` the system gets those of all threads.
#[allow(unsafe_code, reason = "the allocator has no safe interface for this")]
fn collect(give_back: bool) {
    // SAFETY: mi_collect takes no pointers, may be called from any thread at any time, and only frees memory that nobody holds.
    unsafe { libmimalloc_sys::mi_collect(give_back) }
}

/// From now on pages go back to the system only when `collect` asks for it.
#[allow(unsafe_code, reason = "the allocator has no safe interface for this")]
fn keep_pages() {
    // SAFETY: sets a number in the allocator's table of options, whose bounds it checks; it is read whenever it is needed.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, KEPT_WITHOUT_LIMIT) }
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
    #[allow(unsafe_code, reason = "the allocator has no safe interface for this")]
    fn the_option_is_the_one_of_the_purge_delay() {
        // SAFETY: reads a number of the allocator's table of options.
        let default = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        // No other option begins with 1,000: after an upgrade that moves options this fails.
        assert_eq!(default, 1000);
    }

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
