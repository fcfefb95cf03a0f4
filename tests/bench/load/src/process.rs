//! What /proc says of a process.

use std::fs;
use std::time::Duration;

#[derive(Clone, Copy, Default)]
pub struct Process {
    /// User and system time of all its threads, also those that ended.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub rss: u64,
    /// The most that it ever was.
    pub peak_rss: u64,
    pub threads: u64,
}

impl Process {
    /// Zeros where there is no such process (any more).
    pub fn read(pid: &str) -> Process {
        let read = |file| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (stat, status) = (read("stat"), read("status"));
        // proc_pid_stat(5): after the name in parentheses, which may hold spaces, utime and stime are fields 12 and 13,
        // in ticks of 10 ms.
        let ticks: u64 = stat
            .rsplit(") ")
            .next()
            .into_iter()
            .flat_map(|fields| fields.split(' ').skip(11).take(2))
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum();
        let field = |key| -> Option<u64> {
            let value = status.lines().find_map(|line| line.strip_prefix(key))?;
            value.split_whitespace().next()?.parse().ok()
        };
        Process {
            cpu: Duration::from_millis(10 * ticks),
            rss: field("VmRSS:").unwrap_or(0) << 10,
            peak_rss: field("VmHWM:").unwrap_or(0) << 10,
            threads: field("Threads:").unwrap_or(0),
        }
    }
}
