//! `inferlog verify --bundle`: does an evidence bundle prove what it shows?

use std::io::Write;
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use inferlog_bundle::verify::{BundleReport, VerifyOptions, verify};
use inferlog_bundle::zip::{ZipError, ZipSource};
use serde_json::json;

use super::verify::{DRAWS_PER_SECOND, VerifyArgs, policy, read, roots, size};
use crate::output::{self, BAD, Failure, Verdict, styled};

/// Verifies a bundle, offline and with nothing but what the command line gives.
pub(super) fn run(path: &Path, args: &VerifyArgs) -> Result<Verdict, Failure> {
    let options = VerifyOptions {
        keys: args.key.clone(),
        witnesses: args.witness.clone(),
        policy: args.policy.as_deref().map(policy).transpose()?,
        tsa_roots: args.tsa_roots.as_deref().map(roots).transpose()?,
        against: args.against.iter().map(|path| read(path)).collect::<Result<_, _>>()?,
    };
    let mut out = output::stdout();
    let source = match ZipSource::open(path) {
        Ok(source) => source,
        Err(ZipError::Io(error)) => {
            return Err(Failure::new(format!("cannot read {}: {error}", path.display())));
        }
        Err(error) if args.json => {
            writeln!(out, "{}", json!({ "ok": false, "refused": error.to_string() }))?;
            return Ok(Verdict::No);
        }
        Err(error) => {
            writeln!(out, "{} {error}", styled(BAD, format!("{} proves nothing:", path.display())))?;
            return Ok(Verdict::No);
        }
    };
    let bar = progress_bar()?;
    let report: BundleReport = verify(&source, &options, &mut |progress| {
        bar.set_length(progress.files_total);
        bar.set_position(progress.files);
        bar.set_message(size(progress.bytes));
    });
    bar.finish_and_clear();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        writeln!(out, "{}", report.to_text(true).trim_end())?;
    }
    Ok(if report.ok { Verdict::Well } else { Verdict::No })
}

/// A bar of files, if somebody watches.
fn progress_bar() -> Result<ProgressBar, Failure> {
    let bar = output::progress(String::new());
    bar.set_draw_target(match output::is_watched() {
        true => ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND),
        false => ProgressDrawTarget::hidden(),
    });
    bar.set_style(ProgressStyle::with_template("verifying {bar:40} {percent} %  {msg}  {eta} left")?);
    Ok(bar)
}
