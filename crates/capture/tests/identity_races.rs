//! Identities that appear while those that are known are written down: after a crash each was still said to be new once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/recording.rs"]
mod recording;

use inferlog_capture::recorder::{NewDecision, NewEvent, Recorder, RecorderConfig, System, closed};
use inferlog_log::{NodeConfig, NodeLock};
use inferlog_record::ClearName;
use inferlog_record::body::{
    Body, DecisionOpened, ExchangeEnd, Inference, Model, ModelIdentity, Outcome, StepOutcome,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Models that appear, one after the other in each of several tasks.
const MODELS: usize = 800;
const WRITERS: usize = 8;

/// A recorder that writes known identities down all the time.
async fn open(dir: &Path) -> Recorder {
    let (env, node) = (recording::env(), NodeConfig::new(dir));
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

async fn show_all(recorder: &Recorder) {
    let system = recorder.system(&recording::system("s")).await.unwrap();
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
    let (dir, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let first = open(dir.path()).await;
    show_all(&first).await;
    recording::crash_copy(dir.path(), crashed.path());
    let second = open(crashed.path()).await;
    show_all(&second).await;
    second.close().await.unwrap();
    first.close().await.unwrap();
    let mut told = BTreeMap::<String, usize>::new();
    for event in recording::entries(crashed.path(), "s").into_iter().flat_map(|entry| entry.events) {
        if let Body::SystemChanged(body) = event.body {
            *told.entry(body.new.unwrap().to_string()).or_default() += 1;
        }
    }
    assert_eq!(told.len(), MODELS);
    let again: Vec<_> = told.iter().filter(|(_, times)| **times != 1).collect();
    assert!(again.is_empty(), "{again:?}");
}
