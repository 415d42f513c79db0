//! The follower at work beside a gateway that is sent requests at a fixed rate: what each does to the other.

use std::path::Path;
use std::time::Duration;

use inferlog::{Instance, Settings, real_env};
use inferlog_vault::RootSource;

use super::report::Beside;
use super::{ROUNDS, clear, follow};
use crate::bench::gateway::{self, Ways};
use crate::bench::measure::median;
use crate::output::Failure;

/// Requests a second.
const RATE: u32 = 2_000;
/// Connections that share them.
const CONNECTIONS: u32 = 16;
/// The longest that the follower may take.
const BESIDE_MAX: Duration = Duration::from_secs(600);

/// Opens the data directory, whose generated logs are what the follower has before it, and sends requests to a gateway in front of
/// it: for `alone` without a follower, then until the follower has caught up.
pub(super) async fn run(dir: &Path, alone: Duration, tell: &impl Fn(String)) -> Result<Beside, Failure> {
    let mut settings = Settings::new(dir);
    settings.root_key = Some(RootSource::File(dir.join("root")));
    let instance = Instance::open(real_env(), &settings).await?;
    let ways = Ways::start(&instance.recorder).await?;
    let (mut quiet, mut beside, mut followed) = (Vec::new(), Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        tell(format!("round {round} of {ROUNDS}: gateway alone, gateway and follower"));
        quiet.push(gateway::run_at(ways.gateway, CONNECTIONS, RATE, alone).await?);
        let dir = dir.to_owned();
        let following = tokio::task::spawn_blocking(move || {
            let phase = follow(&dir)?;
            clear(&dir)?;
            Ok::<_, Failure>(phase)
        });
        let (end, ended) = tokio::sync::watch::channel(());
        let asking = gateway::run_until(ways.gateway, CONNECTIONS, RATE, BESIDE_MAX, ended);
        let asking = tokio::spawn(asking);
        let phase = following.await??;
        drop(end);
        followed.push(phase.events as f64 / phase.seconds);
        beside.push(asking.await??);
    }
    drop(ways);
    instance.recorder.close().await?;
    let of = |phases: &[gateway::Phase], value: fn(&gateway::Phase) -> f64| median(phases.iter().map(value));
    Ok(Beside {
        requests_per_second_asked: RATE,
        requests_per_second: of(&beside, |phase| phase.requests_per_second),
        events_per_second: median(followed),
        p50_us: of(&beside, |phase| phase.p50_us),
        p99_us: of(&beside, |phase| phase.p99_us),
        alone_p50_us: of(&quiet, |phase| phase.p50_us),
        alone_p99_us: of(&quiet, |phase| phase.p99_us),
    })
}
