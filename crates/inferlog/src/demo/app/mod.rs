//! The demo's application: a credit advisor, as a bank would run one before its customers.
//!
//! All that it asks of models and all that it says of its own steps goes over HTTP to the gateway, as any application's would.
//! One question is one decision: the model asks for tools, the application runs them and finds paragraphs of the policy, the
//! model answers in a stream, and what it says is moderated before the customer sees it.

mod door;
mod gateway;
mod moderation;
mod policy;
mod prompts;
mod tools;

use std::net::SocketAddr;
use std::sync::Arc;

use inferlog_disk::{Clock, SystemClock};
use inferlog_record::{Id, Timestamp};
use serde_json::{Value, json};

use super::traffic;
use crate::model::chat;
use crate::model::dataset::Applicant;
use crate::output::Failure;
use gateway::{Asking, Gateway};
use policy::{Found, Index};

pub(super) use door::serve;
pub(super) use moderation::Removed;
pub(super) use policy::{INDEX, INDEX_VERSION};
pub(super) use prompts::registrations;

/// The application. A clone is the same one.
#[derive(Clone)]
pub(super) struct Application {
    inner: Arc<Inner>,
}

struct Inner {
    gateway: Gateway,
    index: Index,
    customers: Vec<Applicant>,
}

/// What a customer was answered.
pub(super) struct Answered {
    pub(super) decision: Id,
    /// What the customer saw.
    pub(super) text: String,
    /// What moderation took from the model's words.
    pub(super) removed: Vec<Removed>,
}

/// A person's change of an answer.
pub(super) struct Override<'a> {
    pub(super) reviewer: &'a str,
    pub(super) before: &'a str,
    pub(super) after: &'a str,
    pub(super) reason: &'a str,
}

impl Application {
    pub(super) fn new(gateway: SocketAddr) -> Self {
        let (gateway, index, customers) = (Gateway::new(gateway), Index::new(), traffic::people());
        Self { inner: Arc::new(Inner { gateway, index, customers }) }
    }

    /// Answers a customer's question. The decision is closed when this returns.
    pub(super) async fn ask(&self, customer: &str, question: &str) -> Result<Answered, Failure> {
        let Inner { gateway, index, customers } = &*self.inner;
        let asking = Asking::new(customer);
        let mut messages = vec![
            json!({ "role": "system", "content": prompts::system(customer) }),
            json!({ "role": "user", "content": question }),
        ];
        let request = |messages: &[Value], tool_choice: &str| {
            json!({
                "model": chat::ALIAS, "messages": messages, "tools": tools::definitions(),
                "tool_choice": tool_choice, "temperature": 0,
            })
        };
        let mut reply = gateway.chat(&asking, request(&messages, "auto")).await?;
        let decision = reply.decision;
        if !reply.calls.is_empty() {
            let results = tools::run(&reply.calls, gateway, &asking, customers).await;
            let query = policy::query(question, &results);
            let began = now();
            let found = index.search(&query);
            gateway.attach(decision, vec![retrieval(index, &query, &found, began)]).await?;
            messages.push(reply.message);
            messages.extend(results.iter().map(tools::Ran::message));
            messages.push(json!({ "role": "developer", "content": prompts::policy(&found) }));
            let mut second = request(&messages, "none");
            second["stream"] = json!(true);
            second["stream_options"] = json!({ "include_usage": true });
            reply = gateway.chat(&asking, second).await?;
        }
        let began = now();
        let moderated = moderation::moderate(&reply.text);
        let steps = vec![
            json!({
                "id": "moderation", "kind": "transform", "name": "moderation", "version": moderation::VERSION,
                "stage": "post", "in": reply.text, "out": moderated.text, "started_at": began, "ended_at": now(),
            }),
            json!({ "id": "output", "kind": "output", "processed": moderated.text, "final": moderated.text }),
            json!({ "id": "closed", "kind": "decision.closed", "outcome": "answered", "ended_at": now() }),
        ];
        gateway.attach(decision, steps).await?;
        Ok(Answered { decision, text: moderated.text, removed: moderated.removed })
    }

    /// A person puts another answer in the place of one that was given.
    pub(super) async fn override_answer(&self, decision: Id, by: &Override<'_>) -> Result<(), Failure> {
        let Override { reviewer, before, after, reason } = by;
        let human = json!({
            "id": "override", "kind": "human", "action": "override", "reviewer": reviewer, "before": before,
            "after": after, "reason": reason,
        });
        self.inner.gateway.attach(decision, vec![human]).await
    }

    /// The customer says whether the answer helped.
    pub(super) async fn rate(&self, decision: Id, helped: bool) -> Result<(), Failure> {
        let label = json!({ "id": "rating", "kind": "label", "name": "helped", "origin": "feedback", "value": helped });
        self.inner.gateway.attach(decision, vec![label]).await
    }
}

/// What the log is told of a search.
fn retrieval(index: &Index, query: &str, found: &[Found<'_>], began: String) -> Value {
    let documents: Vec<_> = found
        .iter()
        .map(|found| json!({ "id": found.paragraph.id, "score": found.score, "content": found.paragraph.text }))
        .collect();
    json!({
        "id": "retrieval", "kind": "retrieval", "index": INDEX, "index_version": INDEX_VERSION,
        "index_digest": index.digest(), "source": "memory", "query": query, "documents": documents,
        "total": index.len(), "started_at": began, "ended_at": now(),
    })
}

/// The time, as RFC 3339 writes it.
fn now() -> String {
    Timestamp(SystemClock.now_ns()).to_string()
}
