//! Having checkpoints vouched for by others: cosigned by witnesses, stamped by an authority. Tasks of `serve`, on no request's path.
//!
//! Each kind of voucher has a loop of its own, which reads what is published from disk as any reader does and writes below
//! `vouched/` through [`keep`], under its lock.

mod authority;
mod client;
mod cosign;
pub(crate) mod keep;
pub(crate) mod logs;
mod stamp;
mod submit;
mod twin;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use inferlog::Settings;
use inferlog_capture::config::{self, TwinMode};
use inferlog_capture::gateway::{VouchedSample, VouchedSamples};
use inferlog_disk::Fs;
use inferlog_log::Env;
use inferlog_merkle::Policy;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::client::Client;
use self::cosign::Cosigning;
use self::stamp::Stamping;
pub(crate) use self::stamp::Timestamping;
pub(crate) use self::twin::TwinAsked;
use crate::output::Failure;

/// How long the last round, over the checkpoint that a process ends with, may hold up its end.
const LAST_ROUND_TIME_MAX: Duration = Duration::from_secs(3);

/// Whom the configuration asks to vouch. Without any by default.
#[derive(Debug)]
pub(crate) struct Vouching {
    policy: Policy,
    clients: Vec<Client>,
    period: Duration,
    twin: TwinMode,
}

/// Reads a policy file.
pub(crate) fn read_policy(path: &Path) -> Result<Policy, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
    text.parse().map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

impl Vouching {
    /// Reads `[witnesses]` of a configuration and the policy that it names.
    pub(crate) fn read(configuration: &str) -> Result<Option<Self>, Failure> {
        let Some(config) = config::witnesses(configuration)? else { return Ok(None) };
        let policy = read_policy(&config.policy)?;
        let clients = policy.witnesses().map(Client::new).collect::<Result<Vec<_>, _>>()?;
        for witness in policy.witnesses().filter(|witness| witness.url.is_none()) {
            tracing::warn!(witness = %witness.name, "the policy says no URL for it: bring its cosignatures by `inferlog witness accept`");
        }
        Ok(Some(Self {
            clients: clients.into_iter().flatten().collect(),
            policy,
            period: config.period,
            twin: config.twin,
        }))
    }

    /// Asks them what they have seen, before the directory is opened and anything new is signed.
    pub(crate) async fn ask_twins(
        &self,
        fs: &Arc<dyn Fs>,
        settings: &Settings,
    ) -> Result<TwinAsked, Failure> {
        twin::ask(self, fs, &settings.data, settings.twins.as_deref(), &settings.new_epochs).await
    }
}

/// Those that vouch, at work for a serving process.
pub(crate) struct Voucher {
    cosigning: Option<Arc<Cosigning>>,
    stamping: Option<Arc<Stamping>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Voucher {
    /// What is to work; nothing does yet.
    pub(crate) fn new(
        vouching: Option<Vouching>,
        timestamping: Option<Timestamping>,
        env: &Env,
        data: &Path,
    ) -> Self {
        let is_alone = vouching.is_none();
        let cosigning = vouching.map(|vouching| Cosigning::new(vouching, env.fs.clone(), data.to_owned()));
        let stamping = timestamping.map(|asked| Stamping::new(asked, env.clone(), data.to_owned(), is_alone));
        Self { cosigning: cosigning.map(Arc::new), stamping: stamping.map(Arc::new), tasks: Vec::new() }
    }

    /// For the gateway's metrics; `None` if nobody vouches.
    pub(crate) fn samples(&self) -> Option<VouchedSamples> {
        let (cosigning, stamping) = (self.cosigning.clone(), self.stamping.clone());
        if cosigning.is_none() && stamping.is_none() {
            return None;
        }
        Some(VouchedSamples(Arc::new(move || VouchedSample {
            timestamps: stamping.as_ref().map(|stamping| stamping.sample()).unwrap_or_default(),
            ..cosigning.as_ref().map(|cosigning| cosigning.sample()).unwrap_or_default()
        })))
    }

    /// Begins. The directory is this process's.
    pub(crate) fn start(&mut self) {
        if let Some(cosigning) = &self.cosigning {
            self.tasks.push(tokio::spawn(cosign::run(cosigning.clone())));
        }
        if let Some(stamping) = &self.stamping {
            self.tasks.push(tokio::spawn(stamp::run(stamping.clone())));
        }
    }

    /// Ends, after a last round over what the process leaves behind. Call it when everything is published.
    pub(crate) async fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let Some(cosigning) = &self.cosigning else { return };
        if timeout(LAST_ROUND_TIME_MAX, cosigning.round()).await.is_err() {
            tracing::warn!(
                "the last checkpoint is not cosigned yet: a witness did not answer; the next start asks again"
            );
        }
    }
}
