//! The incident sheet.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use inferlog::real_env;
use inferlog_audit::Select;
use inferlog_audit::keeping::{
    IncidentSheet, IncidentTold, Keeping, OpenedReport, basis_words, category_words, covered, scope_words,
};
use inferlog_record::body::{AccessPurpose, AccessRole};
use inferlog_record::{Id, Timestamp};

use super::{now, told, with_time_left};
use crate::admin::{Act, Door, Reader, save};
use crate::cli::OpenArgs;
use crate::output::{self, BOLD, DIM, Failure, GOOD, Verdict, counted, styled};
use crate::query::PayloadAt;
use crate::query::open::{Content, Opened};

/// Show the incident sheet: deadline, what is frozen, what was recorded.
///
/// Read from the log itself. With --content the reports' words are opened; that needs the key and is recorded as an access first.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  inferlog incident show --data /var/lib/inferlog INCIDENT
  inferlog incident show --data /var/lib/inferlog INCIDENT --content --html sheet.html")]
pub(super) struct ShowArgs {
    #[command(flatten)]
    open: OpenArgs,
    /// The incident's id.
    incident: Id,
    /// Open the reports' words.
    #[arg(long)]
    content: bool,
    /// Write the sheet as a page, to print.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Who you are, as your organisation knows you, for the record of an access [default: the environment's USER].
    #[arg(long, value_name = "NAME", env = "USER", hide_env = true)]
    actor: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> Result<Verdict, Failure> {
    let data = &args.open.dir.data;
    let Keeping { incidents, mut holds, .. } = told(data, None)?;
    let Some(incident) = incidents.into_iter().find(|incident| incident.incident == args.incident) else {
        writeln!(output::stdout(), "There is no incident {} here.", args.incident)?;
        return Ok(Verdict::No);
    };
    holds.retain(|hold| hold.incident == Some(incident.incident) || Some(hold.hold) == incident.hold);
    let scopes: Vec<_> =
        holds.iter().filter(|hold| hold.stands()).flat_map(|hold| hold.scopes.iter().cloned()).collect();
    let count = match scopes.is_empty() {
        true => 0,
        false => {
            let select = Select::system(&incident.system);
            covered(&real_env().fs, data, &select, &[&scopes])?.first().copied().unwrap_or(0)
        }
    };
    let reports = if args.content { reports(args, &incident)? } else { Vec::new() };
    let sheet = IncidentSheet { made_at: now(), incident, holds, covered: Some(count), reports };
    if let Some(path) = &args.html {
        save(path, &sheet.to_html())?;
    }
    let mut out = output::stdout();
    if args.json {
        let mut told = serde_json::to_value(&sheet)?;
        told["incident"] = with_time_left(&sheet.incident, sheet.made_at)?;
        writeln!(out, "{told}")?;
    } else if let Some(path) = &args.html {
        writeln!(out, "{} {}", styled(GOOD, "written:"), path.display())?;
    } else {
        print(&mut out, &sheet)?;
    }
    Ok(Verdict::Well)
}

/// The reports' words, opened after that was recorded.
fn reports(args: &ShowArgs, incident: &IncidentTold) -> Result<Vec<OpenedReport>, Failure> {
    let sealed = incident.steps.iter().filter_map(|step| {
        let report = step.report.as_ref().filter(|report| report.missing.is_none())?;
        Some((step.stated.event, report.payload, step.stated.log.clone(), step.stated.index))
    });
    let sealed: Vec<_> = sealed.collect();
    if sealed.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = sealed
        .iter()
        .map(|(_, payload, origin, index)| PayloadAt {
            payload: payload.to_string(),
            system: incident.system.clone(),
            origin: origin.clone(),
            indices: vec![*index],
            decision: None,
        })
        .collect();
    let reader =
        Reader { role: AccessRole::Compliance, purpose: AccessPurpose::Incident, actor: args.actor.clone() };
    let query = format!("incident show {} --content", incident.incident);
    let opened: Vec<Opened> = tokio::runtime::Runtime::new()?.block_on(async {
        let mut door = Door::open(&args.open).await?;
        let opened = door.ask(Act::Open { wanted, reader, query }).await;
        door.close().await?;
        opened
    })?;
    let told = sealed.iter().zip(opened).map(|((event, ..), opened)| OpenedReport {
        event: *event,
        text: match opened.content {
            Some(Content::Text(text) | Content::Base64(text)) => Ok(text),
            Some(Content::Json(json)) => Ok(json.get().to_owned()),
            None => Err(opened.missing.unwrap_or_else(|| "not opened".to_owned())),
        },
    });
    Ok(told.collect())
}

fn print(out: &mut impl Write, sheet: &IncidentSheet) -> Result<(), Failure> {
    let incident = &sheet.incident;
    writeln!(out, "{}", styled(BOLD, format!("Incident {} of {}", incident.incident, incident.system)))?;
    writeln!(out, "  {}, {}", category_words(incident.category), incident.phase)?;
    writeln!(out, "  aware since {}", short(incident.aware_at))?;
    let left = incident.report_words(sheet.made_at);
    writeln!(out, "  report at the latest {} ({} days): {left}", short(incident.due_at), incident.days)?;
    for hold in &sheet.holds {
        let state = match &hold.released {
            None => "stands".to_owned(),
            Some(end) => format!("released {}", short(end.stated.at)),
        };
        writeln!(out, "  hold {}, {}: {state}", hold.hold, basis_words(hold.basis))?;
        writeln!(out, "{}", styled(DIM, format!("    freezes {}", scope_words(&hold.scopes))))?;
    }
    if let Some(count) = sheet.covered.filter(|_| sheet.holds.iter().any(|hold| hold.stands())) {
        writeln!(out, "  {} frozen now", counted(count, "decision"))?;
    }
    for step in &incident.steps {
        let by = step.stated.by.map(|by| format!(" by {by}")).unwrap_or_default();
        writeln!(out, "  {}  {}{by}, entry {}", short(step.stated.at), step.phase, step.stated.index)?;
        let opened = sheet.reports.iter().find(|opened| opened.event == step.stated.event);
        match (opened.map(|opened| &opened.text), &step.report) {
            (Some(Ok(text)), _) => text.lines().try_for_each(|line| writeln!(out, "      {line}"))?,
            (Some(Err(why)), _) => writeln!(out, "      its report is not here: {why}")?,
            (None, Some(_)) => {
                writeln!(out, "{}", styled(DIM, "      with a report, sealed: --content opens it"))?
            }
            (None, None) => {}
        }
    }
    Ok(())
}

fn short(time: Timestamp) -> String {
    let text: String = time.to_string().chars().take(19).collect();
    format!("{text}Z")
}
