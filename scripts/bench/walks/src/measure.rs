//! What a process has taken so far: CPU time and memory, as the kernel has counted them.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// CPU time of this process so far.
#[must_use]
pub fn cpu() -> Duration {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return Duration::ZERO;
    };
    let time = |it: TimeVal| {
        Duration::from_micros(u64::try_from(it.tv_sec() * 1_000_000 + it.tv_usec()).unwrap_or(0))
    };
    time(usage.user_time()) + time(usage.system_time())
}

/// The line of what the kernel says of this process's peak memory.
///
/// # Errors
///
/// `/proc` cannot be read.
pub fn peak() -> std::io::Result<String> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|it| it.starts_with("VmHWM"));
    Ok(line.unwrap_or_default().to_owned())
}
