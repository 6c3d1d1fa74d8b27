//! Scheduling of the thread that must not be late, names of processes, and their deaths.

use std::ffi::CString;
use std::io;

/// Real-time round robin at `priority` (1..99) for the calling thread. Children do not inherit it.
///
/// # Errors
/// `PermissionDenied` without CAP_SYS_NICE and a resource limit that allows it.
pub fn set_realtime(priority: i32) -> io::Result<()> {
    // SAFETY: all-zero is a valid `sched_param`.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    param.sched_priority = priority;
    // SAFETY: `param` lives for the length of the call; pid 0 is the calling thread.
    let result =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const param) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps the memory of this process from being swapped out: what is in use now, and what will be once it is.
///
/// # Errors
/// `PermissionDenied` without CAP_IPC_LOCK and with a limit: memory that is needed later would be refused.
pub fn lock_memory() -> io::Result<()> {
    const CAP_IPC_LOCK: u32 = 14;
    let (limit, _) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_MEMLOCK)?;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let rights = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let rights = rights.and_then(|rights| u64::from_str_radix(rights.trim(), 16).ok()).unwrap_or(0);
    if limit != libc::RLIM_INFINITY && rights >> CAP_IPC_LOCK & 1 == 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "CAP_IPC_LOCK is missing"));
    }
    // SAFETY: no memory is passed; the call changes the paging of this process only.
    let result = unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Sets the name that `ps -o comm` and `killall` see; at most 15 bytes count.
///
/// # Errors
/// A name with a NUL in it.
pub fn set_name(name: &str) -> io::Result<()> {
    let name = CString::new(name).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(nix::sys::prctl::set_name(&name)?)
}

/// Has this process get `signal` when its parent dies, so that no orphan keeps an address.
///
/// # Errors
/// Whatever the kernel says.
pub fn set_death_signal(signal: nix::sys::signal::Signal) -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(signal)?)
}

/// Nice value of this process, -20 to 19.
///
/// # Errors
/// `PermissionDenied` for less than now without CAP_SYS_NICE.
pub fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: no memory is passed; 0 means this process.
    let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Keeps this thread, and those it starts, on these processors.
///
/// # Errors
/// Not one of them exists.
pub fn set_cpus<'a>(cpus: impl IntoIterator<Item = &'a u32>) -> io::Result<()> {
    let mut set = nix::sched::CpuSet::new();
    for cpu in cpus {
        set.set(*cpu as usize)?;
    }
    Ok(nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)?)
}
