//! The tour's chapter on questions: the commands themselves, run beside the demo as anybody would.

use std::path::Path;

use tokio::process::Command;

use super::Demo;
use super::story::Story;
use super::traffic::Exchange;
use crate::output::Failure;

/// How decisions failed.
const QUESTION: &str = "SELECT error, sum(decisions) AS decisions FROM rollups_hour WHERE outcome = 'failed' GROUP BY error ORDER BY 2 DESC";
/// Whom the tour plays where it reads content.
pub(super) const READER: [&str; 6] =
    ["--role", "auditor", "--purpose", "audit", "--actor", "pat@bank.example"];

/// Counts, asks in SQL, and writes the account of one decision into `scratch`.
pub(super) async fn chapter(
    story: &mut Story,
    demo: &Demo,
    scratch: &Path,
    chosen: &Exchange,
) -> Result<(), Failure> {
    story.chapter("Questions, and the whole account of a decision")?;
    story.tell(
        "The log is followed into an index: here a SQLite file in the data directory, which any tool opens; several nodes share a \
         PostgreSQL. It is derived: delete it, and it is built again. No content stands in it.",
    )?;
    let data = demo.data().display().to_string();
    ask(story, &["find", "--data", &data, "--outcome", "failed", "--limit", "3"]).await?;
    ask(story, &["stats", "--data", &data, "--group", "model"]).await?;
    ask(story, &["query", "--data", &data, QUESTION]).await?;
    let decision = chosen.decision.ok_or_else(|| Failure::new("the decision has no id"))?.to_string();
    let account = scratch.join("account.html").display().to_string();
    let html = ["reconstruct", &decision, "--data", &data, "--format", "html", "--output", &account];
    ask(story, &[&html[..], &READER].concat()).await?;
    let bytes = std::fs::metadata(&account)?.len();
    story.tell(&format!(
        "One file of {} KB for any browser, and for paper: what went in and came out at each stage, the graph of steps, people's part, \
         the proof of each step, and a verdict on what is missing. Who read its content, and what for, stands in the log now.",
        bytes / 1_000
    ))?;
    Ok(())
}

/// Runs this program, and tells what it printed.
pub(super) async fn ask(story: &Story, args: &[&str]) -> Result<(), Failure> {
    ask_first(story, args, usize::MAX).await
}

/// The same with the first lines of it.
pub(super) async fn ask_first(story: &Story, args: &[&str], lines: usize) -> Result<(), Failure> {
    let done = Command::new(std::env::current_exe()?).args(args).output().await?;
    let words = args
        .iter()
        .map(|arg| if arg.contains([' ', '*']) { format!("\"{arg}\"") } else { (*arg).to_owned() });
    let command = format!("inferlog {}", words.collect::<Vec<_>>().join(" "));
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr);
        return Err(Failure::new(format!("{command}: {why}")));
    }
    let printed = String::from_utf8_lossy(&done.stdout);
    story.command(command, &printed.lines().take(lines).collect::<Vec<_>>().join("\n"))?;
    Ok(())
}
