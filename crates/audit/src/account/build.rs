//! From a story to its account.

use std::collections::BTreeSet;

use inferlog_record::body::Body;
use inferlog_record::{PayloadRole as Role, Timestamp};

use super::Facts;
use super::model::{ACCOUNT_FORMAT, Account, Identity, Proof, Timing};
use super::reader::{Reader, text};
use super::registered::Registered;
use super::{sections, stages, steps, verdict};
use crate::story::Story;

impl Account {
    /// Puts a story into sections. The same story and facts give the same account.
    pub fn of(story: &Story, facts: Facts<'_>) -> Self {
        let reader = Reader::new(story);
        let registered = Registered::new(facts.registry);
        let mut problems = story.problems.clone();
        let contents = reader.contents();
        let models = sections::models(&reader, &registered, &mut problems);
        let prompts = registered.prompts(&reader);
        let toolsets = registered.toolsets(&reader);
        let verdict = verdict::judge(&verdict::Evidence {
            reader: &reader,
            opened: facts.opened,
            registry: facts.registry.is_some(),
            prompts: &prompts,
            toolsets: &toolsets,
            clocks: &facts.around.clocks,
            problems: &problems,
        });
        let (steps, edges) = steps::graph(&reader);
        Self {
            format: ACCOUNT_FORMAT,
            identity: identity(&reader),
            time: timing(&reader, &facts),
            summary: story.summary.clone(),
            verdict,
            models,
            prompts,
            toolsets,
            input: stages::input(&reader, &contents),
            retrievals: sections::retrievals(&reader),
            tools: sections::tools(&reader),
            transforms: stages::transforms(&reader, &contents),
            reasoning: sections::reasoning(&reader),
            output: stages::output(&reader, &contents),
            humans: stages::humans(&reader, &contents),
            labels: sections::labels(&reader),
            context: sections::context(&reader),
            steps,
            edges,
            changes: facts.around.changes,
            mentions: facts.around.mentions,
            mentions_untold: facts.around.mentions_untold,
            states: story.states,
            entries_purged: story.entries_purged.clone(),
            proof: Proof { proved: story.is_proved(), logs: story.proofs.clone() },
            problems,
            notices: story.notices.clone(),
            contents,
        }
    }
}

fn identity(reader: &Reader<'_>) -> Identity {
    let story = reader.story;
    let opening = reader.events().find_map(|(_, event)| match &event.body {
        Body::DecisionOpened(body) => Some((event, body)),
        _ => None,
    });
    // The highest place counts.
    let closing = reader
        .events()
        .filter_map(|(told, event)| match &event.body {
            Body::DecisionClosed(body) => Some((told.step.place, body)),
            _ => None,
        })
        .max_by_key(|(place, _)| *place)
        .map(|(_, body)| body);
    let unique = |texts: &mut dyn Iterator<Item = String>| -> Vec<String> {
        texts.collect::<BTreeSet<_>>().into_iter().collect()
    };
    let events = || reader.events().map(|(_, event)| event);
    Identity {
        decision: story.decision,
        system: story.system.clone(),
        role: opening.and_then(|(event, _)| text(event.role.as_ref())),
        purposes: opening
            .map_or_else(Vec::new, |(event, _)| event.purposes.iter().map(ToString::to_string).collect()),
        route: story.route.clone(),
        wire: opening.and_then(|(_, body)| text(body.wire.as_ref())),
        method: opening.and_then(|(_, body)| text(body.method.as_ref())),
        sessions: events().filter_map(|event| event.session).collect::<BTreeSet<_>>().into_iter().collect(),
        subjects: story.subjects.clone(),
        external_ids: reader.all(Role::ExternalIds),
        retention: unique(&mut events().map(|event| event.retention.to_string())),
        capture: unique(
            &mut events()
                .filter_map(|event| event.capture.as_ref())
                .map(|capture| format!("{} {} {}", capture.method, capture.adapter, capture.adapter_version)),
        ),
        outcome: story.outcome.clone(),
        error: closing.and_then(|body| text(body.error.as_ref())),
        status: closing.and_then(|body| body.status),
        exchange: closing.and_then(|body| text(body.exchange.as_ref())),
    }
}

fn timing(reader: &Reader<'_>, facts: &Facts<'_>) -> Timing {
    let story = reader.story;
    let first_byte = reader.events().find_map(|(_, event)| match &event.body {
        Body::DecisionClosed(body) => body.time_to_first_byte_ns,
        _ => None,
    });
    let logged = story.events.iter().filter_map(|event| event.logged_at.parse::<Timestamp>().ok());
    Timing {
        began: story.started_at.clone(),
        ended: story.ended_at.clone(),
        latency_ns: story.summary.duration_ns,
        time_to_first_byte_ns: first_byte.map(|time| time.0),
        last_logged: logged.max().map(|time| time.to_string()),
        clocks: facts.around.clocks.clone(),
    }
}
