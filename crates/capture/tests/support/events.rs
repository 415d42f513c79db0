//! A gateway that events are posted to.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::gateway::{self, Log, Served, infer, route, serve};
use crate::recording::open;
use crate::support::{RawServer, Then, exchange};
use inferlog_record::Id;
use serde_json::Value;
use tempfile::TempDir;

pub const CHAT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"id\":\"c-1\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"gpt-4o-2024-08-06\",\"choices\":[{\"index\":0,\
    \"message\":{\"role\":\"assistant\",\"content\":\"Granted, with \\\"conditions\\\".\"},\"finish_reason\":\"stop\"}]}";
pub const WORDS: &str = "Granted, with \"conditions\".";
const ASKED: &str = r#"{"model":"gpt-4o","messages":[{"role":"user","content":"May I?"}]}"#;
pub const SCORED: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n\
    {\"model\":\"m\",\"answer\":{\"text\":\"yes\"},\"score\":{\"p\":0.5}}";

pub struct World {
    pub dir: TempDir,
    pub served: Served,
    _upstream: RawServer,
}

impl World {
    pub async fn new(answer: &'static str, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let upstream = RawServer::answering(answer.as_bytes(), Then::Close).await;
        let text = route(&upstream.url(), &format!("subject = {{ header = \"x-person\" }}\n{more}"));
        let served = serve(open(dir.path()).await, &text).await;
        Self { dir, served, _upstream: upstream }
    }

    pub async fn chat() -> Self {
        Self::new(CHAT, "wire = \"openai\"").await
    }

    /// One exchange about a person; its decision.
    pub async fn ask(&self, path: &str, person: &str) -> Id {
        let request =
            infer(ASKED, &format!("x-person: {person}\r\n")).replace("/v2/models/credit/infer", path);
        let answer = exchange(self.served.address, &request).await;
        let named = answer.lines().find_map(|line| line.strip_prefix("inferlog-decision-id: "));
        named.unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    pub async fn post(&self, body: &Value) -> (u16, Value) {
        self.post_text(&body.to_string()).await
    }

    pub async fn post_text(&self, body: &str) -> (u16, Value) {
        post(&self.served, body, "").await
    }

    /// Attaches, and demands that it works.
    pub async fn attach(&self, body: Value) -> Value {
        let (status, answer) = self.post(&body).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    pub async fn end(self) -> Log {
        let Self { dir, served, .. } = self;
        served.end(dir.keep()).await
    }
}

pub async fn post(served: &Served, body: &str, headers: &str) -> (u16, Value) {
    let length = body.len();
    let request = format!(
        "POST /v1/events HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    let answer = exchange(served.address, &request).await;
    let body = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer}")).1;
    (gateway::status(&answer), serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}")))
}
