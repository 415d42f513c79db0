//! What was measured, as JSON and as tables.

use std::io::{self, Write};

use serde::Serialize;

use super::detect::DetectResults;
use super::index::IndexResults;
use crate::output::{BOLD, DIM, styled};

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Results {
    /// Processors that this process may use.
    pub(crate) cores: usize,
    /// Name of the processor.
    pub(crate) cpu: String,
    /// Each number is the median of so many rounds.
    pub(crate) rounds: usize,
    /// One write of one decision's half and its sync on the bare disk, microseconds.
    pub(crate) sync_p50_us: Option<f64>,
    /// The bare work, on one core.
    pub(crate) work_decisions_per_second: Option<f64>,
    pub(crate) recorder: Vec<RecorderRow>,
    pub(crate) gateway: Vec<GatewayRow>,
    pub(crate) stream: Vec<StreamRow>,
    pub(crate) verification: Option<Verification>,
    pub(crate) index: Option<IndexResults>,
    pub(crate) detect: Option<DetectResults>,
}

/// A rate, and the one it is held against.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// The rate it is held against, a second.
    pub(crate) base: f64,
    /// 1 if both are the same.
    pub(crate) ratio: f64,
}

impl Comparison {
    pub(crate) fn new(rate: f64, base: f64) -> Self {
        Self { base, ratio: rate / base }
    }
}

/// The Recorder with one number of writers.
#[derive(Debug, Serialize)]
pub(crate) struct RecorderRow {
    pub(crate) writers: usize,
    /// Added to every sync, milliseconds.
    pub(crate) sync_ms_added: f64,
    pub(crate) decisions_per_second: f64,
    pub(crate) writes_per_second: f64,
    /// Of one durable write, microseconds.
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Processors in use.
    pub(crate) cores: f64,
    /// The longest wait of an acknowledged write for a checkpoint, milliseconds.
    pub(crate) lag_ms_max: f64,
    /// Against the bare disk.
    pub(crate) against_disk: Comparison,
    /// A core's rate against that of the bare work.
    pub(crate) against_work_per_core: Comparison,
}

/// The gateway with one number of connections. Client, model, and gateway or proxy, share the processors.
#[derive(Debug, Serialize)]
pub(crate) struct GatewayRow {
    pub(crate) connections: usize,
    pub(crate) requests_per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) cores: f64,
    pub(crate) proxy_p50_us: f64,
    pub(crate) proxy_cores: f64,
    /// Against the proxy that does not record.
    pub(crate) against_proxy: Comparison,
    /// A core's rate against that of the proxy: what is left where other processes take their share.
    pub(crate) against_proxy_per_core: Comparison,
}

/// The gateway with so many streams at a time. Client, model, and gateway or proxy, share the processors.
#[derive(Debug, Serialize)]
pub(crate) struct StreamRow {
    pub(crate) streams: usize,
    /// Of a model that writes as fast as it is read.
    pub(crate) events_per_second: f64,
    pub(crate) cores: f64,
    /// Against the proxy that does not record.
    pub(crate) against_proxy: Comparison,
    /// A core's rate against that of the proxy.
    pub(crate) against_proxy_per_core: Comparison,
    /// From a request to its first event, of a model that writes one every five milliseconds, microseconds.
    pub(crate) first_p50_us: f64,
    pub(crate) proxy_first_p50_us: f64,
    /// From the model to the client, every further event of it, microseconds.
    pub(crate) delay_p50_us: f64,
    pub(crate) delay_p99_us: f64,
    pub(crate) proxy_delay_p50_us: f64,
    pub(crate) proxy_delay_p99_us: f64,
}

/// Verification without keys.
#[derive(Debug, Serialize)]
pub(crate) struct Verification {
    pub(crate) entries: usize,
    /// Mean length of an entry.
    pub(crate) entry_bytes: f64,
    pub(crate) entries_per_second: f64,
    pub(crate) entries_per_second_per_core: f64,
}

impl Results {
    /// The tables.
    pub(crate) fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{} cores, {}; medians of {} rounds", self.cores, self.cpu, self.rounds)?;
        if !self.recorder.is_empty() {
            self.print_recorder(out)?;
        }
        if !self.gateway.is_empty() {
            self.print_gateway(out)?;
        }
        if !self.stream.is_empty() {
            self.print_stream(out)?;
        }
        if let Some(verification) = &self.verification {
            print_verification(out, verification)?;
        }
        if let Some(detect) = &self.detect {
            detect.print(out)?;
        }
        self.index.as_ref().map_or(Ok(()), |index| index.print(out))
    }

    fn print_recorder(&self, out: &mut impl Write) -> io::Result<()> {
        section(
            out,
            "Recorder",
            "a decision is two durable writes, with 2 KB in and 2 KB out; p50 and p99 are of a write",
        )?;
        writeln!(
            out,
            "{:>7}  {:>8}  {:>11}  {:>8}  {:>8}  {:>5}  {:>7}  {:>12}  {:>14}",
            "writers",
            "sync",
            "decisions/s",
            "p50",
            "p99",
            "cores",
            "max lag",
            "of bare disk",
            "of work a core"
        )?;
        for row in &self.recorder {
            let sync = match row.sync_ms_added {
                0.0 => "disk".to_owned(),
                added => format!("disk+{added:.0}ms"),
            };
            writeln!(
                out,
                "{:>7}  {:>8}  {:>11.0}  {:>8}  {:>8}  {:>5.2}  {:>7}  {:>12.2}  {:>14.2}",
                row.writers,
                sync,
                row.decisions_per_second,
                micros(row.p50_us),
                micros(row.p99_us),
                row.cores,
                micros(row.lag_ms_max * 1e3),
                row.against_disk.ratio,
                row.against_work_per_core.ratio,
            )?;
        }
        if let Some(sync) = self.sync_p50_us {
            writeln!(out, "bare disk: a lone write and sync takes {} (p50)", micros(sync))?;
        }
        let Some(work) = self.work_decisions_per_second else { return Ok(()) };
        writeln!(out, "bare work (serialise, compress, seal, hash) on one core: {work:.0} decisions/s")
    }

    fn print_gateway(&self, out: &mut impl Write) -> io::Result<()> {
        section(
            out,
            "Gateway",
            "against the plain proxy of the same stack; client and model share the processors",
        )?;
        writeln!(
            out,
            "{:>11}  {:>10}  {:>8}  {:>8}  {:>5}  {:>11}  {:>9}  {:>8}  {:>15}",
            "connections",
            "requests/s",
            "p50",
            "p99",
            "cores",
            "proxy req/s",
            "proxy p50",
            "of proxy",
            "of proxy a core"
        )?;
        for row in &self.gateway {
            writeln!(
                out,
                "{:>11}  {:>10.0}  {:>8}  {:>8}  {:>5.2}  {:>11.0}  {:>9}  {:>8.2}  {:>15.2}",
                row.connections,
                row.requests_per_second,
                micros(row.p50_us),
                micros(row.p99_us),
                row.cores,
                row.against_proxy.base,
                micros(row.proxy_p50_us),
                row.against_proxy.ratio,
                row.against_proxy_per_core.ratio,
            )?;
        }
        let Some(lone) = self.gateway.first() else { return Ok(()) };
        writeln!(
            out,
            "with one connection {} over the proxy (p50)",
            micros(lone.p50_us - lone.proxy_p50_us)
        )?;
        let Some(sync) = self.sync_p50_us else { return Ok(()) };
        writeln!(out, "two lone syncs of the bare disk take {} (p50)", micros(2.0 * sync))
    }
}

impl Results {
    fn print_stream(&self, out: &mut impl Write) -> io::Result<()> {
        section(
            out,
            "Streams",
            "200 events an answer; events/s as fast as they are read, first event and delay at one event in 5 ms",
        )?;
        writeln!(
            out,
            "{:>7}  {:>9}  {:>5}  {:>12}  {:>8}  {:>15}  {:>9}  {:>11}  {:>9}  {:>9}  {:>11}",
            "streams",
            "events/s",
            "cores",
            "proxy evts/s",
            "of proxy",
            "of proxy a core",
            "first p50",
            "proxy first",
            "delay p50",
            "delay p99",
            "proxy delay"
        )?;
        for row in &self.stream {
            writeln!(
                out,
                "{:>7}  {:>9.0}  {:>5.2}  {:>12.0}  {:>8.2}  {:>15.2}  {:>9}  {:>11}  {:>9}  {:>9}  {:>11}",
                row.streams,
                row.events_per_second,
                row.cores,
                row.against_proxy.base,
                row.against_proxy.ratio,
                row.against_proxy_per_core.ratio,
                micros(row.first_p50_us),
                micros(row.proxy_first_p50_us),
                micros(row.delay_p50_us),
                micros(row.delay_p99_us),
                micros(row.proxy_delay_p50_us),
            )?;
        }
        Ok(())
    }
}

fn print_verification(out: &mut impl Write, verification: &Verification) -> io::Result<()> {
    let Verification { entries, entry_bytes, entries_per_second, entries_per_second_per_core } = verification;
    section(out, "Verification", "without keys")?;
    writeln!(
        out,
        "{entries} entries of {entry_bytes:.0} bytes: {entries_per_second:.0} entries/s, \
         {entries_per_second_per_core:.0} a second a core"
    )
}

pub(super) fn section(out: &mut impl Write, title: &str, what: &str) -> io::Result<()> {
    writeln!(out, "\n{}  {}", styled(BOLD, title), styled(DIM, what))
}

pub(super) fn micros(us: f64) -> String {
    if us < 10_000.0 { format!("{us:.0} µs") } else { format!("{:.1} ms", us / 1e3) }
}
