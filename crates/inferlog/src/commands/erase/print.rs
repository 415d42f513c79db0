//! Plans and results of erasures, for people.

use std::io::{self, Write};

use inferlog_record::Timestamp;

use crate::admin::{ErasureDone, ErasurePlan, Kept, Outcome};
use crate::output::{BAD, BOLD, DIM, GOOD, counted, styled};

/// Withheld decisions that are listed.
const LISTED_MAX: usize = 10;

/// What would be erased in one system, and what stays.
pub(super) fn plan(out: &mut impl Write, plan: &ErasurePlan) -> io::Result<()> {
    let decisions = counted(plan.decisions, "decision");
    let what = match (&plan.pseudonym, plan.refused) {
        (_, true) => "nothing: all of it must stay".to_owned(),
        (Some(pseudonym), _) => format!("person {pseudonym}, all content of {decisions}"),
        (None, _) => format!("all content of {decisions}"),
    };
    writeln!(out, "{} {what}", styled(BOLD, format!("{}:", plan.system)))?;
    if plan.shared > 0 && !plan.refused {
        let concern = if plan.shared == 1 { "concerns" } else { "concern" };
        writeln!(
            out,
            "  {} of them {concern} other persons too, who lose that content with this one",
            plan.shared
        )?;
    }
    kept(out, &plan.withheld)?;
    if !plan.stores.is_empty() && !plan.refused {
        writeln!(out, "  in: {}", plan.stores.join(", "))?;
    }
    Ok(())
}

/// What no erasure here reaches.
pub(super) fn outside(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "{}",
        styled(
            DIM,
            "outside: backups that inferlog does not write, database archives and replicas, and what was given out before \
             (bundles, exports); the certificate names them"
        )
    )
}

/// What stays, and why.
fn kept(out: &mut impl Write, kept: &Kept) -> io::Result<()> {
    if kept.decisions == 0 {
        return Ok(());
    }
    writeln!(out, "  {} must stay:", counted(kept.decisions, "decision"))?;
    if kept.by_hold > 0 {
        let holds: Vec<String> = kept.holds.iter().map(ToString::to_string).collect();
        writeln!(out, "    {} under {}", kept.by_hold, named("hold", &holds))?;
    }
    if kept.by_legal_duty > 0 {
        let until = match kept.until {
            Some([first, last]) if first == last => format!(", until {}", day(first)),
            Some([first, last]) => format!(", the first until {}, the last until {}", day(first), day(last)),
            None => String::new(),
        };
        writeln!(out, "    {} by a legal duty of the policy in force{until}", kept.by_legal_duty)?;
    }
    for one in kept.named.iter().take(LISTED_MAX) {
        let why: Vec<&str> = one.why.iter().map(|why| why.as_str()).collect();
        let why = why.join(" and ").replace('_', " ");
        writeln!(out, "{}", styled(DIM, format!("    {}  {why}", one.decision)))?;
    }
    match kept.decisions.saturating_sub(LISTED_MAX as u64) {
        0 => Ok(()),
        more => writeln!(out, "{}", styled(DIM, format!("    and {more} more: --json names up to 100"))),
    }
}

fn named(what: &str, names: &[String]) -> String {
    format!("{what}{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}

/// `2027-01-31`; what ends within a day ends at its end.
fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// What an erasure did in one system.
pub(super) fn done(out: &mut impl Write, done: &ErasureDone) -> io::Result<()> {
    if done.outcome == Outcome::Refused {
        writeln!(out, "{} {}: nothing was erased", styled(BAD, "refused"), done.system)?;
        kept(out, &done.withheld)?;
        return writeln!(
            out,
            "  recorded as event {}; ask again when the last ground for keeping it has fallen",
            done.intent
        );
    }
    let (keys, decisions) = (counted(done.keys.len() as u64, "key"), counted(done.decisions, "decision"));
    writeln!(
        out,
        "{} {}: {keys} destroyed ({}); the content of {decisions} is unreadable for ever",
        styled(GOOD, "erased"),
        done.system,
        done.keys.join(", ")
    )?;
    kept(out, &done.withheld)?;
    match (&done.old_root_kept, done.root_epoch) {
        (Some(why), _) => writeln!(
            out,
            "  {} the old root key may still be there: {why}. Whoever has it and an old copy of the keystore can still read",
            styled(BAD, "but")
        )?,
        (None, Some(epoch)) => writeln!(out, "  root key replaced (epoch {epoch}), the old one destroyed")?,
        (None, None) => {}
    }
    for left in &done.leftovers {
        writeln!(out, "  {} {left}", styled(BAD, "not done yet:"))?;
    }
    if done.withheld.decisions > 0 {
        writeln!(out, "  what stays is erased by itself when the last ground for keeping it has fallen")?;
    }
    match done.outcome {
        Outcome::Completed => writeln!(
            out,
            "  recorded as event {}; proofs given out before stay valid\n  certificate: inferlog erase --certificate {}",
            done.intent, done.intent
        ),
        _ => writeln!(
            out,
            "  {} {}: the keys are gone; it completes by itself when {} followed (inferlog erase --status)\n  recorded as event {}",
            styled(BAD, "waits for"),
            done.waits_for.join(", "),
            if done.waits_for.len() == 1 { "it has" } else { "they have" },
            done.intent
        ),
    }
}
