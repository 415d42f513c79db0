//! All erasures, and how far they are.

use std::io::Write;

use serde_json::json;

use crate::admin::{Act, Door, ErasureAct, ErasureLine, Outcome};
use crate::output::{self, BAD, DIM, Failure, GOOD, Verdict, counted, styled};

pub(super) async fn run(door: &mut Door, as_json: bool) -> Result<Verdict, Failure> {
    let lines: Vec<ErasureLine> = door.ask(Act::Erasure(ErasureAct::Status)).await?;
    let mut out = output::stdout();
    if as_json {
        writeln!(out, "{}", json!({ "erasures": lines }))?;
        return Ok(Verdict::Well);
    }
    if lines.is_empty() {
        writeln!(out, "Nothing was erased here.")?;
    }
    for line in &lines {
        let state = match line.outcome {
            Outcome::Completed => format!("{}", styled(GOOD, "completed")),
            Outcome::Waiting => format!("{} {}", styled(BAD, "waits for"), line.waits_for.join(", ")),
            Outcome::Announced => format!("{}", styled(BAD, "announced")),
            Outcome::Refused => format!("{}", styled(BAD, "refused")),
        };
        let at: String = line.at.to_string().chars().take(19).collect();
        let decisions = counted(line.decisions, "decision");
        writeln!(out, "{}  {at}Z  {:<16}  {decisions} by {}: {state}", line.intent, line.system, line.order)?;
        if line.withheld_keys > 0 {
            let keys = counted(line.withheld_keys, "key");
            let why = match (line.holds.is_empty(), line.until) {
                (false, _) => {
                    let holds: Vec<String> = line.holds.iter().map(ToString::to_string).collect();
                    format!("under hold {}", holds.join(", "))
                }
                (true, Some(until)) => {
                    format!("by a legal duty until {}", until.to_string().get(..10).unwrap_or_default())
                }
                (true, None) => "still".to_owned(),
            };
            writeln!(out, "{}", styled(DIM, format!("    {keys} withheld {why}")))?;
        }
        if let Some(earlier) = line.resumes {
            writeln!(out, "{}", styled(DIM, format!("    carries on {earlier}")))?;
        }
    }
    Ok(Verdict::Well)
}
