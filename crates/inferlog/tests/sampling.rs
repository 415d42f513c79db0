//! `inferlog sampling`: the counts of a real log, and what they guarantee.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

use std::path::Path;
use std::process::Command;

use inferlog::{Instance, Settings, real_env};
use inferlog_capture::recorder::{NewDecision, NewEvent, closed};
use inferlog_record::body::{DecisionOpened, ExchangeEnd, Outcome};
use inferlog_vault::RootSource;
use serde_json::Value;

const POLICY: &str = r#"
system = "credit"
version = "7"
[sampling]
method = "bernoulli"
probability = 0.2
rationale = "many"
acceptance = "enough"
approver = "ada@example.com"
[[class]]
name = "short"
floor = "184 days"
target = "1 year"
legal_basis = "Articles 19 and 26(6)"
"#;

async fn record(data: &Path, decisions: u64) {
    let settings = Settings {
        root_key: Some(RootSource::File(data.join("../root"))),
        policies: vec![POLICY.to_owned()],
        ..Settings::new(data)
    };
    let instance = Instance::open(real_env(), &settings).await.unwrap();
    let system = instance.recorder.system(&"credit".parse().unwrap()).await.unwrap();
    for number in 0..decisions {
        let opened = NewDecision::new(NewEvent::new(DecisionOpened::default()));
        let mut decision = system.begin(opened).await.unwrap();
        let outcome = if number % 50 == 0 { Outcome::Failed } else { Outcome::Answered };
        decision.finish(vec![NewEvent::new(closed(outcome, ExchangeEnd::Complete))]).await.unwrap();
    }
    instance.recorder.close().await.unwrap();
}

fn inferlog(data: &Path, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inferlog"));
    let done = command.args(["sampling", "--data"]).arg(data).args(more).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_report_adds_up_what_two_lives_counted() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        record(&data, 300).await;
        record(&data, 200).await;
    });
    let told: Value = serde_json::from_str(&inferlog(&data, &["--json"])).unwrap();
    let report = &told["sampling"][0];
    assert_eq!((&report["policy"], &report["population"]), (&"credit/7".into(), &500.into()));
    let (selected, always) = (report["selected"].as_u64().unwrap(), report["always"].as_u64().unwrap());
    assert!((50..160).contains(&selected) && always <= 10, "{report}");
    let listed =
        Command::new(env!("CARGO_BIN_EXE_inferlog")).args(["stats", "--json", "--data"]).arg(&data).output();
    let stats: Value = serde_json::from_slice(&listed.unwrap().stdout).unwrap();
    assert_eq!(stats["total"]["decisions"], selected + always, "what is in the log: {stats}");
    let drawn = inferlog_audit::sampling::Drawn { population: 500, selected };
    assert_eq!(report["unseen_max"], inferlog_audit::sampling::unseen_max(&[drawn]));
    assert_eq!(report["uncounted"], Value::Array(Vec::new()));
    let text = inferlog(&data, &[]);
    assert!(text.contains("bernoulli sampling under the policy credit/7"), "{text}");
    assert!(text.contains("with 95 % confidence"), "{text}");
    let none: Value = serde_json::from_str(&inferlog(&data, &["--json", "--to", "2020-01-01"])).unwrap();
    assert_eq!(none["sampling"], Value::Array(Vec::new()));
}
