//! What the server under test uses, from /proc: CPU by thread, memory. And what the kernel dropped on us.

use std::collections::BTreeMap;
use std::fs::read_to_string;

use serde_json::{json, Value};

/// Nanoseconds on CPU by thread, name first, and the coarser figures of the process.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    threads: BTreeMap<u32, (String, u64)>,
    user_ticks: u64,
    system_ticks: u64,
    pub rss: u64,
}

/// USER_HZ: the unit of /proc/PID/stat on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;
const PAGE: u64 = 4096;

fn rss(process: &str) -> u64 {
    let statm = read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
}

/// Memory of this process in bytes.
pub fn own_rss() -> u64 {
    rss("self")
}

/// Datagrams the kernel could not put into a socket's buffer in this network namespace so far.
pub fn receive_buffer_errors() -> u64 {
    let snmp = read_to_string("/proc/thread-self/net/snmp").unwrap_or_default();
    let mut lines = snmp.lines().filter(|line| line.starts_with("Udp:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let at = names.split(' ').position(|name| name == "RcvbufErrors");
    at.and_then(|at| values.split(' ').nth(at)?.parse().ok()).unwrap_or(0)
}

impl Usage {
    pub fn read(pid: u32) -> Option<Usage> {
        let stat = read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name in brackets may contain spaces; utime and stime are the 12th and 13th field after it.
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let mut usage = Usage { rss: rss(&pid.to_string()), ..Usage::default() };
        usage.user_ticks = fields.get(11)?.parse().ok()?;
        usage.system_ticks = fields.get(12)?.parse().ok()?;
        for entry in std::fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            let path = entry.path();
            let schedule = read_to_string(path.join("schedstat")).unwrap_or_default();
            let (Some(id), Some(ns)) = (entry.file_name().to_str().and_then(|t| t.parse().ok()), schedule.split(' ').next()) else {
                continue;
            };
            let name = read_to_string(path.join("comm")).unwrap_or_default().trim().to_string();
            usage.threads.insert(id, (name, ns.parse().unwrap_or(0)));
        }
        Some(usage)
    }

    /// What was used since `before`, of which `packets` were forwarded.
    pub fn since(&self, before: &Usage, pid: u32, packets: u64) -> Value {
        let mut threads: BTreeMap<&str, f64> = BTreeMap::new();
        for (id, (name, ns)) in &self.threads {
            let began = before.threads.get(id).map_or(0, |(_, ns)| *ns);
            *threads.entry(name).or_default() += ns.saturating_sub(began) as f64 / 1e9;
        }
        let cpu: f64 = threads.values().sum();
        let span = |now: u64, before: u64| now.saturating_sub(before) as f64 / TICKS_PER_SECOND;
        json!({
            "pid": pid, "cpu_seconds": cpu, "cpu_us_per_packet": cpu / packets.max(1) as f64 * 1e6,
            "user_seconds": span(self.user_ticks, before.user_ticks), "system_seconds": span(self.system_ticks, before.system_ticks),
            "rss_bytes": [before.rss, self.rss], "threads": threads,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn our_own_work_shows() {
        let pid = std::process::id();
        let before = Usage::read(pid).unwrap();
        let worker = std::thread::Builder::new().name("busy bee".into()).spawn(|| {
            let until = Instant::now() + Duration::from_millis(50);
            while Instant::now() < until {}
            Usage::read(std::process::id()).unwrap()
        });
        let after = worker.unwrap().join().unwrap();
        let report = after.since(&before, pid, 1000);
        assert!(report["threads"]["busy bee"].as_f64().unwrap() > 0.001, "{report}");
        assert!(report["cpu_us_per_packet"].as_f64().unwrap() > 1.0 && after.rss > 1 << 20);
    }

    #[test]
    fn nobody_has_no_usage() {
        assert!(Usage::read(u32::MAX).is_none());
    }
}
