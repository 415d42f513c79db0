//! Every exchange under `fixtures/v1/wire/` says what its record must say. `UPDATE_FIXTURES=1` rewrites the `facts`.
//! Those of language models, under `llm/`, are written from the published references of their APIs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

#[path = "support/transcript.rs"]
mod transcript;

use transcript::{Exchange, folder, render};

#[test]
fn fixtures_state_what_they_must() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    let files = [folder(), folder().join("llm")].map(|folder| std::fs::read_dir(folder).unwrap());
    for file in files.into_iter().flatten() {
        let path = file.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let exchange: Exchange = toml::from_str(&text).unwrap();
        let facts = render(&exchange);
        if facts.trim() != exchange.facts.trim() {
            wrong.push(format!("{} ({}):\n{facts}", path.display(), exchange.about));
            if std::env::var_os("UPDATE_FIXTURES").is_some() {
                let (head, _) = text.split_once("facts = '''\n").unwrap();
                std::fs::write(&path, format!("{head}facts = '''\n{facts}'''\n")).unwrap();
            }
        }
        seen += 1;
    }
    assert!(seen >= 55, "only {seen} fixtures found");
    assert!(wrong.is_empty(), "{} of {seen} differ; now they say\n\n{}", wrong.len(), wrong.join("\n\n"));
}
