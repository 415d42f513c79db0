//! The file that a person opens first.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::layout::Facts;

/// What the bundle is, how it is checked, and what it does not prove.
pub(super) fn text(facts: &Facts, left_out: &BTreeMap<String, u64>) -> String {
    let mut text = String::from(INTRODUCTION);
    let _ = writeln!(text, "Decisions: {}", facts.decisions);
    for log in &facts.logs {
        let _ = writeln!(text, "Log: {}, {} entries under the checkpoint", log.origin, log.size);
    }
    let disclosed = match facts.disclosure.roles.as_slice() {
        [] => "nothing; content is there as commitments alone".to_owned(),
        roles if facts.disclosure.classes.is_empty() => roles.join(", "),
        roles => format!("{} of class {}", roles.join(", "), facts.disclosure.classes.join(", ")),
    };
    let _ = writeln!(text, "Disclosed: {disclosed}");
    for (what, count) in left_out {
        let _ = writeln!(text, "Left out of system.json, for they are too many: {count} {what}");
    }
    text.push_str(REST);
    text
}

const INTRODUCTION: &str = "\
This is an evidence bundle of inferlog: records of decisions that an AI system made,
with proofs that each of them stands unchanged in a log that was signed.

";

const REST: &str = "
HOW TO CHECK IT

You need the log's verifier key, one line of text, from somebody whom you trust for
it: not from this bundle, whose own copy is its own word (logs/0/keys). Any one way
is enough, none needs a network:

  inferlog verify --bundle FILE --key KEY    checks everything
  python3 verify.py FILE --key KEY           the same, with Python alone: run a copy
                                             of verify.py that you trust, or read it
  report.html                                open it in a browser, paste the key: it
                                             shows the decisions and checks itself.
                                             Whoever changed it could make it say
                                             anything: the first two check it, too
  sha256sum -c SHA256SUMS                    in the extracted bundle: the files are
                                             those of the manifest, and no more

WHAT IS IN IT

  decisions/<id>.json   the entries of a decision as they stand in the log, each with
                        its inclusion proof
  openings/<id>.json    content that is disclosed: original bytes, and the key of that
                        one payload, which shows that they are the ones recorded
  logs/<n>/             the signed checkpoint that all proofs lead to, signatures and
                        timestamps of others over it, the log's keys, and what its
                        life holds about the decisions: erasures, holds, changes
  shared/               prompts and tools that are named by their SHA-256
  coverage.json         what the log says of its own gaps at that time
  docs/bundle.md        every file and every check, byte by byte
  docs/format.md        the log's format

WHAT IT DOES NOT PROVE

That nothing was left out: a bundle holds what its maker chose. Content that is not
disclosed is proved to be what was recorded as soon as somebody shows it; until then
nothing can be said about it. That the record is true: the log keeps what it was
told. The time is the recorder's own, unless others signed or timestamped it.
";
