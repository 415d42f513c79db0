//! What is due, as text.

use std::io::Write;

use inferlog_capture::recorder::{ClassPlan, PurgePlan};
use inferlog_record::Timestamp;

use crate::commands::verify::size;
use crate::output::{BAD, BOLD, DIM, Failure, GOOD, counted, styled};

/// Prints plans. `is_then`: of another time than now.
pub(super) fn print(out: &mut impl Write, plans: &[PurgePlan], is_then: bool) -> Result<(), Failure> {
    if plans.is_empty() {
        writeln!(out, "there is no system here yet")?;
    }
    for (place, plan) in plans.iter().enumerate() {
        if place > 0 {
            writeln!(out)?;
        }
        system(out, plan, is_then)?;
    }
    Ok(())
}

fn system(out: &mut impl Write, plan: &PurgePlan, is_then: bool) -> Result<(), Failure> {
    let policy =
        plan.policy.as_ref().map_or("no policy: nothing is ever due".to_owned(), |id| format!("policy {id}"));
    let when = if is_then { format!(", as of {}", day(plan.at)) } else { String::new() };
    writeln!(out, "{}  {}", styled(BOLD, &plan.system), styled(DIM, format!("{policy}{when}")))?;
    for frozen in &plan.frozen {
        writeln!(out, "  {}  nothing is removed: {}", styled(BAD, "frozen"), frozen.why)?;
        let what = match (frozen.settles_itself, frozen.entry) {
            (true, _) => "a time service that vouches for the clock for an hour settles it, or `inferlog retention settle`".to_owned(),
            (false, Some(entry)) => format!(
                "look at the clock; if entries before {entry} were stamped wrongly, name them: `inferlog retention settle --disregard FIRST..LAST`"
            ),
            (false, None) => "look at the clock, then `inferlog retention settle`, with --disregard for what was stamped wrongly".to_owned(),
        };
        writeln!(out, "          {}", styled(DIM, what))?;
    }
    let width = plan.classes.iter().map(|class| class.class.len()).max().unwrap_or(0);
    for class in &plan.classes {
        one(out, class, width)?;
    }
    if plan.entries > 0 {
        let words =
            format!("{} whose payloads were purged, {}", entries(plan.entries), size(plan.entries_bytes));
        writeln!(out, "  {}  {words}", styled(GOOD, "entries"))?;
    }
    let behind = plan.followers.iter().filter(|(_, next)| *next < plan.size);
    for (name, next) in behind {
        let words = format!("{name} has read {next} of {} entries; nothing after goes", plan.size);
        writeln!(out, "  {}", styled(DIM, words))?;
    }
    if plan.older_logs > 0 {
        writeln!(
            out,
            "  {}",
            styled(DIM, format!("{} older epochs of its log: nothing of them is removed", plan.older_logs))
        )?;
    }
    let margin = plan.margin_s / 86_400;
    let days = if margin == 1 { "day" } else { "days" };
    writeln!(
        out,
        "  {}",
        styled(DIM, format!("everything goes {margin} {days} after its target, in whole days"))
    )?;
    Ok(())
}

fn one(out: &mut impl Write, class: &ClassPlan, width: usize) -> Result<(), Failure> {
    let name = format!("{:width$}", class.class);
    if !class.is_named {
        let why =
            if class.class == "permanent" { "kept for good" } else { "not in the policy: never removed" };
        writeln!(out, "  {name}  {}", styled(DIM, why))?;
        return Ok(());
    }
    match class.range {
        Some((first, last)) => {
            writeln!(
                out,
                "  {name}  {} of {} ({first} to {last}), {}, {}",
                counted(class.payloads, "payload"),
                entries(class.entries),
                counted(class.packs, "pack"),
                size(class.bytes)
            )?;
            if class.kept > 0 {
                let holds: Vec<String> = class.holds.iter().map(ToString::to_string).collect();
                writeln!(
                    out,
                    "  {:width$}  kept under hold {}: {}",
                    "",
                    holds.join(", "),
                    entries(class.kept)
                )?;
            }
        }
        None => {
            let next = match class.next_due {
                Some(due) => format!("nothing is due before {}", day(due)),
                None if class.waits.is_empty() => "nothing is there".to_owned(),
                None => "nothing that is due can go yet".to_owned(),
            };
            writeln!(out, "  {name}  {}", styled(DIM, next))?;
        }
    }
    if !class.waits.is_empty() {
        writeln!(out, "  {:width$}  waits for {}", "", class.waits.join(", "))?;
    }
    for pack in &class.damaged {
        writeln!(
            out,
            "  {:width$}  {} {pack} does not check and stays: run `inferlog verify`",
            "",
            styled(BAD, "damaged")
        )?;
    }
    Ok(())
}

fn entries(count: u64) -> String {
    counted(count, "entry").replace("entrys", "entries")
}

/// A time's day.
pub(super) fn day(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
