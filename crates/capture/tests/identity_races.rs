//! Identities that appear while those that are known are written down: whatever a crash leaves, each was new once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/recording.rs"]
mod recording;

use inferlog_capture::recorder::{NewDecision, NewEvent, Recorder, RecorderConfig, System, closed};
use inferlog_log::{NodeConfig, NodeLock, list_logs};
use inferlog_record::ClearName;
use inferlog_record::body::{
    Body, DecisionOpened, ExchangeEnd, Inference, Model, ModelIdentity, Outcome, StepOutcome, SystemChanged,
};
use inferlog_registry::{Identities, Identity};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Models that appear, one after the other in each of several tasks.
const MODELS: usize = 2_000;
const WRITERS: usize = 8;

/// A recorder that writes known identities down all the time.
async fn open(dir: &Path) -> Recorder {
    let (env, node) = (recording::env(), NodeConfig { integrate_ms: 3, ..NodeConfig::new(dir) });
    let lock = NodeLock::take(&*env.fs, dir).unwrap();
    let vault = recording::vault_on(&env, dir, &lock);
    let config = RecorderConfig { clock_period: Duration::from_millis(1), ..recording::config() };
    Recorder::open(lock, env, node, vault, config).await.unwrap()
}

async fn show(system: &System, model: usize) {
    let mut decision = system.begin(NewDecision::new(DecisionOpened::default())).await.unwrap();
    let name = ClearName::new(&format!("model-{model}")).unwrap();
    let model = Model {
        absent: None,
        deployment: None,
        digest: None,
        fingerprint: None,
        identity: ModelIdentity::Unknown,
        requested: None,
        returned: Some(name),
        version: None,
    };
    let call = NewEvent::new(Inference {
        choices: None,
        error: None,
        finish_reason: None,
        model,
        outcome: StepOutcome::Ok,
        prompts: Vec::new().into(),
        status: None,
        stream: None,
        time_to_first_byte_ns: None,
        toolsets: Vec::new().into(),
        usage: None,
        wire: None,
    });
    let end = NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete));
    decision.finish(vec![call, end]).await.unwrap();
}

async fn show_all(system: &System) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let system = system.clone();
        writers.spawn(async move {
            for model in (0..MODELS).filter(|model| model % WRITERS == writer) {
                show(&system, model).await;
            }
        });
    }
    writers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_is_new_once_whatever_is_written_down_meanwhile() {
    let dir = tempfile::tempdir().unwrap();
    let recorder = open(dir.path()).await;
    let system = recorder.system(&recording::system("s")).await.unwrap();
    let log = list_logs(&*recording::env().fs, dir.path()).unwrap().remove(0);
    let file = log.path().join("identities");
    let showing = tokio::spawn(async move { show_all(&system).await });
    // What a crash at this moment would leave.
    let mut written = BTreeSet::new();
    while !showing.is_finished() {
        written.extend(std::fs::read(&file));
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    showing.await.unwrap();
    recorder.close().await.unwrap();

    let changed: Vec<(usize, Box<SystemChanged>)> = recording::entries(dir.path(), "s")
        .into_iter()
        .enumerate()
        .flat_map(|(index, entry)| entry.events.into_iter().map(move |event| (index, event.body)))
        .filter_map(
            |(index, body)| if let Body::SystemChanged(body) = body { Some((index, body)) } else { None },
        )
        .collect();
    assert_eq!(changed.len(), MODELS, "each is new once");
    assert!(written.len() > 5, "{} of {}", written.len(), file.display());
    for bytes in written {
        let (mut known, next) = Identities::from_bytes(&bytes, u64::MAX).unwrap();
        // The next start reads the log from there on: it must know all that stands before.
        for (_, body) in changed.iter().filter(|(index, _)| (*index as u64) < next) {
            let identity = Identity::name(body.new.clone().unwrap());
            assert_eq!(known.see(body.aspect, None, &identity), None, "{:?} before {next}", body.new);
        }
    }
}
