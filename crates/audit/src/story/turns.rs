//! Requests and what belongs to each: the turns of a decision, and the sums over all of them.

use std::collections::BTreeMap;

use inferlog_record::body::{Body, StepOutcome};
use inferlog_record::{Content, Event, Id};

use super::model::{Place, Summary};

/// An event, and the place of the first entry of the write that it became durable with.
pub(super) type Written<'a> = (&'a Event, Place);

/// The turn of each event, from 1; none for what concerns the decision as a whole. Events come in causal order.
pub(super) fn turns(events: &[Written<'_>]) -> Vec<Option<usize>> {
    let admitted = |event: &Event| matches!(event.body, Body::DecisionOpened(_) | Body::DecisionJoined(_));
    let (mut by_id, mut by_write) = (BTreeMap::new(), BTreeMap::new());
    for (turn, (event, write)) in (1..).zip(events.iter().filter(|(event, _)| admitted(event))) {
        by_id.insert(event.id, turn);
        by_write.entry(*write).or_insert(turn);
    }
    let mut turns: BTreeMap<Id, usize> = BTreeMap::new();
    for (event, write) in events {
        let turn = match &event.body {
            Body::DecisionOpened(_) | Body::DecisionJoined(_) => by_id.get(&event.id).copied(),
            // They end what several turns led to.
            Body::DecisionClosed(_) | Body::Output(_) => None,
            // It was sent what its request brought.
            Body::Inference(_) => sources(event).find_map(|id| by_id.get(&id).copied()),
            Body::ToolCall(_) => by_write.get(write).copied(),
            _ => None,
        };
        let of_causes = || super::order::causes(event).filter_map(|id| turns.get(&id).copied()).max();
        let is_end = matches!(event.body, Body::DecisionClosed(_) | Body::Output(_));
        if let Some(turn) = turn.or_else(|| of_causes().filter(|_| !is_end)) {
            turns.insert(event.id, turn);
        }
    }
    events.iter().map(|(event, _)| turns.get(&event.id).copied()).collect()
}

/// Events that hold content of this one.
fn sources(event: &Event) -> impl Iterator<Item = Id> + '_ {
    event.payloads.iter().filter_map(|reference| match reference.content {
        Content::First(first, _) => Some(first),
        _ => None,
    })
}

/// The sums over all turns.
pub(super) fn summary<'a>(events: impl Iterator<Item = &'a Event>) -> Summary {
    let mut sum = Summary::default();
    let given_up = |outcome| u64::from(matches!(outcome, StepOutcome::Failed | StepOutcome::Aborted));
    for event in events {
        match &event.body {
            Body::DecisionOpened(_) | Body::DecisionJoined(_) => sum.turns += 1,
            Body::Inference(body) => {
                sum.model_calls += 1;
                sum.model_calls_failed += given_up(body.outcome);
                if let Some(usage) = &body.usage {
                    let tokens = &mut sum.tokens;
                    let counted = [
                        (&mut tokens.input, usage.input),
                        (&mut tokens.output, usage.output),
                        (&mut tokens.cached, usage.cached),
                        (&mut tokens.reasoning, usage.reasoning),
                    ];
                    for (sum, count) in counted {
                        *sum = count.map_or(*sum, |count| Some(sum.unwrap_or(0).saturating_add(count.0)));
                    }
                }
            }
            Body::ToolCall(body) => {
                sum.tool_calls += 1;
                sum.tool_calls_failed += given_up(body.outcome);
            }
            _ => {}
        }
    }
    sum
}
