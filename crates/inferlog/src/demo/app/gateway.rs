//! The application's side of the gateway.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use inferlog_capture::gateway::DECISION_ID;
use inferlog_capture::route::DECISION;
use inferlog_record::Id;
use serde_json::{Value, json};

use crate::demo::traffic::SUBJECT_HEADER;
use crate::output::Failure;

/// A customer's question: what makes its requests one decision, and whom it is about.
pub(super) struct Asking {
    pub(super) customer: String,
    conversation: String,
}

impl Asking {
    pub(super) fn new(customer: &str) -> Self {
        let conversation = format!("conversation-{:032x}", fastrand::u128(..));
        Self { customer: customer.to_owned(), conversation }
    }
}

/// A call that the model asks for.
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    /// JSON, as the model wrote it.
    pub(super) arguments: String,
}

/// What the model answered.
pub(super) struct Reply {
    pub(super) decision: Id,
    /// As it is repeated to the model.
    pub(super) message: Value,
    pub(super) text: String,
    pub(super) calls: Vec<Call>,
}

/// The gateway, as its clients see it.
pub(super) struct Gateway {
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Gateway {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, client: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Asks the chat model.
    pub(super) async fn chat(&self, asking: &Asking, request: Value) -> Result<Reply, Failure> {
        let (headers, body) = self.post("/v1/chat/completions", Some(asking), &request).await?;
        let decision = headers.get(DECISION_ID).and_then(|id| id.to_str().ok()?.parse().ok());
        let decision = decision.ok_or_else(|| Failure::new("the gateway named no decision"))?;
        let message = match request["stream"] == true {
            true => streamed(&body)?,
            false => serde_json::from_slice::<Value>(&body)?["choices"][0]["message"].take(),
        };
        let text = message["content"].as_str().unwrap_or_default().to_owned();
        let calls = message["tool_calls"].as_array().map(Vec::as_slice).unwrap_or_default();
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let calls = calls.iter().map(|call| Call {
            id: word(&call["id"]),
            name: word(&call["function"]["name"]),
            arguments: word(&call["function"]["arguments"]),
        });
        let calls = calls.collect();
        Ok(Reply { decision, message, text, calls })
    }

    /// Asks a model of the Open Inference Protocol.
    pub(super) async fn infer(
        &self,
        asking: &Asking,
        model: &str,
        request: &Value,
    ) -> Result<Value, Failure> {
        let (_, body) = self.post(&format!("/v2/models/{model}/infer"), Some(asking), request).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Tells of the application's own steps.
    pub(super) async fn attach(&self, decision: Id, events: Vec<Value>) -> Result<(), Failure> {
        let batch = json!({ "decision": decision.to_string(), "events": events });
        self.post("/v1/events", None, &batch).await.map(drop)
    }

    async fn post(
        &self,
        path: &str,
        asking: Option<&Asking>,
        body: &Value,
    ) -> Result<(HeaderMap, Bytes), Failure> {
        let mut request = Request::post(format!("http://{}{path}", self.address))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(asking) = asking {
            request = request.header(DECISION, &asking.conversation).header(SUBJECT_HEADER, &asking.customer);
        }
        let answer = self.client.request(request.body(Full::from(body.to_string()))?).await?;
        let (head, body) = answer.into_parts();
        let body = body.collect().await?.to_bytes();
        match head.status.is_success() {
            true => Ok((head.headers, body)),
            false => {
                let said = String::from_utf8_lossy(&body);
                Err(Failure::new(format!("{path} answered {}: {said}", head.status)))
            }
        }
    }
}

/// The message that the chunks of a stream make.
fn streamed(body: &[u8]) -> Result<Value, Failure> {
    let (mut text, mut is_whole) = (String::new(), false);
    for data in String::from_utf8_lossy(body).lines().filter_map(|line| line.strip_prefix("data: ")) {
        if data == "[DONE]" {
            is_whole = true;
            break;
        }
        let chunk: Value = serde_json::from_str(data)?;
        text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    match is_whole {
        true => Ok(json!({ "role": "assistant", "content": text })),
        false => Err(Failure::new("the stream broke off before its end")),
    }
}
