//! Help for tests of what the system may refuse.

use std::io;

/// From now on io_uring is refused (EPERM) to the calling thread and to the threads it makes, as
/// container runtimes do by default. Cannot be undone, so use it in a process made for it.
///
/// # Errors
/// Where the system does not let a process filter its own system calls.
#[allow(unsafe_code, reason = "seccomp has no safe interface in std")]
pub fn refuse_io_uring() -> io::Result<()> {
    // Offset of the system call's number in seccomp_data, and what to answer.
    const NUMBER: u32 = 0;
    let refuse = libc::SECCOMP_RET_ERRNO | (libc::EPERM as u32 & libc::SECCOMP_RET_DATA);
    // `as` is exact: the BPF codes fit into 16 bits, and system call numbers are small.
    let load = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    let equal = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let answer = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        step(load, 0, 0, NUMBER),
        step(equal, 0, 1, libc::SYS_io_uring_setup as u32),
        step(answer, 0, 0, refuse),
        step(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: both calls only read their arguments; `filter` points to `program`, which lives
    // until after the call, and its length is that of `program`.
    unsafe {
        if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
