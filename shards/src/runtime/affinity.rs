//! Which CPUs this process may use, and who runs where.

use std::sync::OnceLock;

use crate::limits::SIDE_NICE;

/// CPUs of the set the process was started with, in ascending order; never empty.
pub(crate) fn allowed_cpus() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(|| {
        let read = read_affinity();
        if read.is_empty() {
            let count = std::thread::available_parallelism().map_or(1, usize::from);
            return (0..count).collect();
        }
        read
    })
}

/// CPUs that no shard is bound to, or all allowed ones where every CPU has a shard.
static FREE: OnceLock<Vec<usize>> = OnceLock::new();

/// Notes that the first `shards` allowed CPUs are taken by pinned shards.
pub(crate) fn reserve_for_shards(shards: usize) {
    let allowed = allowed_cpus();
    let free = allowed.get(shards..).unwrap_or_default();
    let free = if free.is_empty() { allowed } else { free };
    // A second run in the same process keeps the first run's choice.
    let _ = FREE.set(free.to_vec());
}

/// Moves the calling thread off the shards' CPUs, if there are others. A thread inherits the
/// binding of the one that made it, so side threads have to undo a shard's.
pub(crate) fn leave_shard_cpus() {
    bind(FREE.get().map_or(allowed_cpus(), Vec::as_slice));
}

/// What a thread of the side runtime does first: leaves the shards' CPUs, or, where there are no others, gives way to the shards.
pub(crate) fn stand_back() {
    leave_shard_cpus();
    if FREE.get().is_some_and(|free| free == allowed_cpus()) {
        give_way();
    }
}

#[allow(unsafe_code, reason = "std has no priorities of threads")]
fn give_way() {
    // SAFETY: takes numbers only; on Linux 0 is the calling thread. Everybody may lower a priority, so there is nothing to report.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, SIDE_NICE);
    }
}

/// A thread beside the shards, off their CPUs if there are others.
pub(crate) fn spawn_beside(
    name: &str,
    work: impl FnOnce() + Send + 'static,
) -> std::io::Result<()> {
    let beside = move || {
        leave_shard_cpus();
        work();
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(beside)
        .map(drop)
}

/// Binds the calling thread to these CPUs. Returns whether the system let us.
#[allow(unsafe_code, reason = "CPU sets have no safe interface in std")]
pub(crate) fn bind(cpus: &[usize]) -> bool {
    // SAFETY: cpu_set_t is a plain bit set for which all zeroes is the valid empty set; CPU_SET
    // checks its index against the set's size; sched_setaffinity reads the set for the length
    // that we give, which is its size, and pid 0 is the calling thread.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for &cpu in cpus.iter().filter(|&&cpu| cpu < libc::CPU_SETSIZE as usize) {
            libc::CPU_SET(cpu, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) == 0
    }
}

#[allow(unsafe_code, reason = "CPU sets have no safe interface in std")]
fn read_affinity() -> Vec<usize> {
    // SAFETY: as in `bind`; sched_getaffinity writes at most the length that we give.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        if libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) != 0 {
            return Vec::new();
        }
        (0..libc::CPU_SETSIZE as usize)
            .filter(|&cpu| libc::CPU_ISSET(cpu, &set))
            .collect()
    }
}
