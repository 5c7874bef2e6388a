//! Medians, percentiles, and how large a bench is to be.

/// A number from the environment, or the usual one.
pub fn wanted(variable: &str, usual: u64) -> u64 {
    let text = std::env::var(variable).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The value below which this share of all values lies.
pub fn percentile(all: &[f64], share: f64) -> f64 {
    let mut all = all.to_vec();
    all.sort_by(f64::total_cmp);
    let at = (all.len() as f64 * share) as usize;
    all[at.min(all.len() - 1)]
}

pub fn median(all: &[f64]) -> f64 {
    percentile(all, 0.5)
}

/// Median and range.
pub fn told(all: &[f64]) -> String {
    let (low, high) = (percentile(all, 0.0), percentile(all, 1.0));
    format!("{:.1} ({low:.1} to {high:.1})", median(all))
}

/// What else the machine does: its load averages.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .take(3)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The milliseconds of a processor that the threads of this name had so far in a process.
pub fn busy_ms(pid: u32, thread: &str) -> f64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |folder: std::path::PathBuf| {
        let name = std::fs::read_to_string(folder.join("comm")).ok()?;
        let times = std::fs::read_to_string(folder.join("schedstat")).ok()?;
        let nanos: f64 = times.split_whitespace().next()?.parse().ok()?;
        (name.trim_end() == thread).then_some(nanos / 1e6)
    };
    threads.filter_map(|it| of(it.ok()?.path())).sum()
}

/// What of a process is in memory now, and at most so far, in MiB.
pub fn memory(pid: u32) -> (f64, f64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mib = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        let number = number.and_then(|number| number.parse::<f64>().ok());
        number.unwrap() / 1024.0
    };
    (mib("VmRSS:"), mib("VmHWM:"))
}
