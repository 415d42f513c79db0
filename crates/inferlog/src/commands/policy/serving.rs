//! Policies as `serve` has them: named in its configuration, or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use inferlog::read_policy;
use inferlog_capture::config;
use inferlog_policy::Severity;
use inferlog_record::SystemName;

use crate::current::Current;
use crate::output::Failure;

/// The policies that are to be in force: the files that the configuration names, each of the system that it is named for.
pub(crate) fn configured(path: &Path, configuration: &str) -> Result<Vec<String>, Failure> {
    let files = config::policies(configuration)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
    let read = |(system, file): (SystemName, PathBuf)| {
        // A path is one from where the configuration lies.
        let file = path.parent().unwrap_or(Path::new("")).join(file);
        let wrong = |what: String| Failure::new(format!("{}: {what}", file.display()));
        let text = fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let (policy, findings) = read_policy(&text).map_err(|fault| wrong(fault.to_string()))?;
        if policy.system != system {
            let what =
                format!("it is the policy of {}, and `[policies]` names it for {system}", policy.system);
            return Err(wrong(what));
        }
        for finding in findings.iter().filter(|finding| finding.severity == Severity::Warning) {
            tracing::warn!(file = %file.display(), "{}: {}", finding.place, finding.what);
        }
        Ok(text)
    };
    files.into_iter().map(read).collect()
}

/// Systems whose records no policy removes, or minimises.
pub(crate) async fn without_policy(systems: Vec<SystemName>, current: &Current) -> Vec<SystemName> {
    let recording = current.get().await.recorder.systems().await;
    let has_policy =
        |name: &SystemName| recording.iter().any(|system| system.name() == name && system.policy().is_some());
    systems.into_iter().filter(|name| !has_policy(name)).collect()
}
