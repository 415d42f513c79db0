//! What is to be frozen, as a command line says it.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use inferlog_index::find::{Query, find};
use inferlog_record::{Id, RetentionClass, SystemName, Timestamp};

use crate::admin::{self, Freeze};
use crate::cli::OpenArgs;
use crate::commands::export::ids;
use crate::commands::facet::FacetArgs;
use crate::commands::subject::Whom;
use crate::followers::{Store, ready};
use crate::output::{self, DIM, Failure, counted, styled};
use crate::when;

/// What is to be frozen.
#[derive(Args, Clone, Debug)]
pub(crate) struct ScopeArgs {
    /// This decision; may be given several times.
    #[arg(long, value_name = "ID", help_heading = "What is frozen")]
    decision: Vec<Id>,
    /// The decisions whose ids stand in this file, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE", help_heading = "What is frozen")]
    decisions: Option<PathBuf>,
    #[command(flatten, next_help_heading = "What is frozen")]
    whom: Whom,
    /// Records of this retention class; may be given several times.
    #[arg(long, value_name = "CLASS", help_heading = "What is frozen")]
    class: Vec<RetentionClass>,
    /// What was logged, or will be, at or after this time: 2026-01-31, 2026-01-31T09:30:00Z, 15m, 2h, 7d.
    #[arg(long, value_name = "TIME", value_parser = when::parse, help_heading = "What is frozen")]
    from: Option<Timestamp>,
    /// What was logged, or will be, before this time.
    #[arg(long, value_name = "TIME", value_parser = when::point_or_error, help_heading = "What is frozen")]
    to: Option<Timestamp>,
    /// All records of the system, those to come too.
    #[arg(long, help_heading = "What is frozen")]
    all: bool,
    /// Decisions that began at or after this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse, help_heading = "Decisions that are looked up")]
    since: Option<Timestamp>,
    /// Decisions that began before this time.
    #[arg(long, value_name = "TIME", value_parser = when::parse, help_heading = "Decisions that are looked up")]
    until: Option<Timestamp>,
    #[command(flatten, next_help_heading = "Decisions that are looked up")]
    facet: FacetArgs,
    /// Decisions with a label of this name.
    #[arg(long, value_name = "NAME", help_heading = "Decisions that are looked up")]
    label: Option<String>,
    /// Decisions with a call of this tool.
    #[arg(long, value_name = "NAME", help_heading = "Decisions that are looked up")]
    tool: Option<String>,
    /// Decisions with this text in a name that stands in clear: model, route, tool, prompt and the like.
    #[arg(long, value_name = "TEXT", help_heading = "Decisions that are looked up")]
    text: Option<String>,
    /// The index that is asked: sqlite (in the data directory), or postgres://…, env:NAME or file:PATH.
    #[arg(long, value_name = "PLACE", default_value = "sqlite", value_parser = Store::parse, help_heading = "Decisions that are looked up")]
    index: Store,
}

impl ScopeArgs {
    /// Refuses to read both this and a file of words from standard input.
    pub(crate) fn refuse_stdin_twice(&self, words: Option<&Path>) -> Result<(), Failure> {
        let is_stdin = |path: &Path| path.as_os_str() == "-";
        let is_taken = self.whom.is_stdin() || self.decisions.as_deref().is_some_and(is_stdin);
        if is_taken && words.is_some_and(is_stdin) {
            let what =
                "standard input is either what is frozen or the words for it, not both: give a file for one";
            return Err(Failure::new(what));
        }
        Ok(())
    }

    /// The system and what of it is to be frozen; decisions that are looked up are named then. Blocks; not to be called from a
    /// runtime's own thread.
    pub(crate) fn resolve(&self, open: &OpenArgs) -> Result<(SystemName, Freeze), Failure> {
        admin::require_data(&open.dir.data)?;
        let system = self.facet.system.clone();
        let system = system.ok_or_else(|| Failure::new("say whose records are frozen: --system NAME"))?;
        let mut decisions = self.decision.clone();
        if let Some(path) = &self.decisions {
            if path.as_os_str() == "-" && self.whom.is_stdin() {
                return Err(Failure::new("standard input is either the decisions or the person, not both"));
            }
            decisions.extend(ids(path)?);
        }
        let is_looked_up = self.is_looked_up();
        if is_looked_up {
            let found = self.look_up(open)?;
            let fits = format!("{} fit what is looked up", counted(found.len() as u64, "decision"));
            writeln!(output::stderr(), "{}", styled(DIM, fits))?;
            decisions.extend(found);
        }
        let is_named = is_looked_up || !self.decision.is_empty() || self.decisions.is_some();
        let freeze = Freeze {
            decisions: is_named.then_some(decisions),
            subject: self.whom.value()?,
            classes: self.class.clone(),
            from: self.from,
            to: self.to,
        };
        let is_narrow = is_named
            || freeze.subject.is_some()
            || !freeze.classes.is_empty()
            || freeze.from.is_some()
            || freeze.to.is_some();
        match (is_narrow, self.all) {
            (true, true) => Err(Failure::new("--all stands alone: nothing is narrower than all")),
            (false, false) => Err(Failure::new(
                "say what is frozen: --decision, --decisions, --subject, --class, --from, --to, options of `inferlog find`, or \
                 --all",
            )),
            _ => Ok((system, freeze)),
        }
    }

    fn is_looked_up(&self) -> bool {
        let FacetArgs { system: _, model, version, outcome, error, identity, route, environment, overridden } =
            &self.facet;
        let names = [
            model,
            version,
            outcome,
            error,
            identity,
            route,
            environment,
            &self.label,
            &self.tool,
            &self.text,
        ];
        names.iter().any(|name| name.is_some())
            || overridden.is_some()
            || self.since.is_some()
            || self.until.is_some()
    }

    fn look_up(&self, open: &OpenArgs) -> Result<Vec<Id>, Failure> {
        let query = Query {
            since: self.since,
            until: self.until,
            facet: self.facet.filter(&open.dir)?,
            subject: None,
            identifier: None,
            label: self.label.clone(),
            tool: self.tool.clone(),
            text: self.text.clone(),
            limit: None,
            before: None,
        };
        let mut index = ready(&open.dir.data, &self.index)?;
        // What the index lacks would not be frozen.
        index.warn()?;
        let (mut found, mut wrong) = (Vec::new(), None);
        find(&mut index.reader, &query, &mut |one| match one.decision.parse() {
            Ok(id) => {
                found.push(id);
                ControlFlow::Continue(())
            }
            Err(error) => {
                wrong = Some(error);
                ControlFlow::Break(())
            }
        })?;
        wrong.map_or(Ok(found), |error| Err(error.into()))
    }
}
