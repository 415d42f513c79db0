//! Times, processor use, memory, and medians.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The middle of some numbers; of two middles the mean. Zero if there are none.
pub(crate) fn median(numbers: impl IntoIterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.into_iter().collect();
    numbers.sort_by(f64::total_cmp);
    match (numbers.len(), numbers.len() / 2) {
        (0, _) => 0.0,
        (len, middle) if len % 2 == 1 => numbers[middle],
        (_, middle) => (numbers[middle - 1] + numbers[middle]) / 2.0,
    }
}

/// The smallest number that `per_mille` of a thousand are no larger than. Sorts. Zero if there are none.
pub(crate) fn percentile(numbers: &mut [u32], per_mille: usize) -> u32 {
    numbers.sort_unstable();
    let rank = (numbers.len() * per_mille).div_ceil(1000).max(1);
    numbers.get(rank - 1).copied().unwrap_or(0)
}

/// Processor time of this process, all threads.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Measures from its start on.
pub(crate) struct Stopwatch {
    began: Instant,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), cpu: cpu_time() }
    }

    /// Seconds gone by.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Processors in use on average: 1 is one core all the time.
    pub(crate) fn cores(&self) -> f64 {
        (cpu_time() - self.cpu).as_secs_f64() / self.seconds()
    }
}

/// Name of the processor, where the system tells it.
pub(crate) fn cpu_class() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    line.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// Processors that this process may use.
pub(crate) fn core_count() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Memory in use by this process, bytes; `None` where the system does not tell.
pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok()? * 1024)
}

/// Open file descriptors; `None` where the system does not tell.
pub(crate) fn descriptor_count() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median([]), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        let mut hundred: Vec<u32> = (1..=100).rev().collect();
        assert_eq!(percentile(&mut hundred, 500), 50);
        assert_eq!(percentile(&mut hundred, 990), 99);
        assert_eq!(percentile(&mut hundred, 1000), 100);
        assert_eq!(percentile(&mut [7], 10), 7);
        assert_eq!(percentile(&mut [], 500), 0);
    }

    #[test]
    fn a_busy_thread_is_one_core() {
        let watch = Stopwatch::start();
        let mut spun = 0u64;
        while watch.seconds() < 0.1 {
            spun = std::hint::black_box(spun + 1);
        }
        // Other tests may run at the same time, and other processes.
        assert!(watch.cores() > 0.2, "{}", watch.cores());
    }
}
