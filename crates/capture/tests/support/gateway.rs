//! A gateway on a port of its own, in front of a real server, recording to a real directory.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

use crate::recording;
use inferlog_capture::config::routes;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_capture::recorder::Recorder;
use inferlog_record::{Event, Id, PayloadRole};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub struct Served {
    pub address: SocketAddr,
    pub recorder: Recorder,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

pub async fn serve(recorder: Recorder, text: &str) -> Served {
    let mut config = GatewayConfig::new(routes(text, &|_| None).unwrap());
    config.drain_time_max = Duration::from_secs(5);
    serve_with(recorder, config).await
}

pub async fn serve_with(recorder: Recorder, config: GatewayConfig) -> Served {
    let gateway = Gateway::new(config, recorder.clone()).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(async move {
        gateway.serve(listener, async { drop(stopped.await) }).await;
    });
    Served { address, recorder, stop: Some(stop), serving: Some(serving) }
}

impl Served {
    /// Asks it to stop, and waits until it has; the recorder stays open.
    pub async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            serving.await.unwrap();
        }
    }

    /// Stops, closes the log, and reads it back.
    pub async fn end(mut self, dir: PathBuf) -> Log {
        self.stop().await;
        self.recorder.close().await.unwrap();
        drop(self);
        Log { dir }
    }
}

/// A route to `upstream` of the system `s`, with more keys.
pub fn route(upstream: &str, more: &str) -> String {
    format!("[[route]]\nname = \"r\"\nsystem = \"s\"\nupstream = \"{upstream}\"\n{more}\n")
}

/// The log of the system `s`, not in use any more.
pub struct Log {
    dir: PathBuf,
}

impl Log {
    /// The log in this directory.
    pub fn of(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The events of every decision, decisions in the order in which they were opened.
    pub fn decisions(&self) -> Vec<Vec<Event>> {
        let entries = recording::entries(&self.dir, "s");
        let mut ids: Vec<Id> = Vec::new();
        for entry in &entries {
            ids.extend(entry.decision.filter(|id| !ids.contains(id)));
        }
        ids.into_iter().map(|id| recording::of_decision(&entries, id)).collect()
    }

    /// The events of the only decision.
    pub fn only(&self) -> Vec<Event> {
        let mut decisions = self.decisions();
        assert_eq!(decisions.len(), 1, "{decisions:#?}");
        decisions.remove(0)
    }

    pub fn outline(&self) -> Vec<String> {
        let entries = recording::entries(&self.dir, "s");
        recording::outline(&entries.into_iter().filter(|entry| entry.decision.is_some()).collect::<Vec<_>>())
    }

    /// A payload's content as text, or why it is not there.
    pub fn text(&self, event: &Event, role: PayloadRole) -> String {
        match recording::content(&self.dir, "s", event, role) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(why) => why,
        }
    }
}

/// An OIP request with more headers.
pub fn infer(body: &str, headers: &str) -> String {
    let length = body.len();
    format!(
        "POST /v2/models/credit/infer HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}
