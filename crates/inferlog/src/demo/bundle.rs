//! The tour's chapter on evidence bundles.

use std::path::{Path, PathBuf};

use inferlog_bundle::layout::{REPORT, Source};
use inferlog_bundle::zip::ZipSource;
use inferlog_merkle::VerifierKey;

use super::Demo;
use super::questions::{READER, ask};
use super::story::Story;
use super::traffic::Exchange;
use crate::output::Failure;

/// Makes a bundle of a decision, checks it, and says how to look at its page.
pub(super) async fn chapter(
    story: &mut Story,
    demo: &Demo,
    scratch: &Path,
    chosen: &Exchange,
    key: &VerifierKey,
) -> Result<(), Failure> {
    story.chapter("Evidence for somebody who trusts nobody")?;
    story.tell(
        "One file to hand over: the decision's entries and their proofs under one signed checkpoint, and of its content only what the \
         recipient may see, here what the model answered. What the applicant sent stays sealed, and is proved all the same: whoever \
         has it can show that it is what was recorded.",
    )?;
    let data = demo.data();
    let decision = chosen.decision.ok_or_else(|| Failure::new("the decision has no id"))?.to_string();
    let file = place(data, scratch, "evidence.zip");
    let (bundle, data) = (file.display().to_string(), data.display().to_string());
    let export = [
        "export",
        "bundle",
        "--data",
        &data,
        "--decision",
        &decision,
        "--disclose",
        "output.*",
        "--output",
        &bundle,
    ];
    ask(story, &[&export[..], &READER].concat()).await?;
    ask(story, &["verify", "--bundle", &bundle, "--key", &key.to_string()]).await?;
    let page = file.with_extension("html");
    std::fs::write(&page, ZipSource::open(&file)?.read(REPORT)?.unwrap_or_default())?;
    story.tell(&format!(
        "The bundle's own page, taken out of it, shows the decision and checks every proof by itself, offline, in any browser: open \
         file://{} and paste the key above. verify.py in the bundle is a second verifier, in Python alone.",
        page.display()
    ))?;
    Ok(())
}

/// Where a file of this name goes: beside the log where that stays, else among what goes with the demo.
pub(super) fn place(data: &Path, scratch: &Path, name: &str) -> PathBuf {
    match data.starts_with(scratch) {
        true => scratch.join(name),
        false => data.with_extension(name),
    }
}
