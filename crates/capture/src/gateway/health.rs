//! `/healthz`, `/readyz`, `/metrics`.

use crate::gateway::delivery::Reply;
use crate::gateway::metrics::SystemLabel;
use crate::gateway::{Inner, answer};
use crate::route::Failure;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use inferlog_log::Status;
use std::sync::atomic::Ordering;

/// Below this much free space nothing more is accepted by load balancers that ask: a few segments of the write-ahead log.
const DISK_STOP_BYTES: u64 = 256 << 20;

/// The content type of Prometheus' text in the form of OpenMetrics.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Inner {
    /// The answer to a path of the gateway's own; `None` for all other paths.
    pub(crate) async fn own(&self, path: &str) -> Option<Response<Reply>> {
        match path {
            "/healthz" => Some(json(StatusCode::OK, &serde_json::json!({ "status": "ok" }))),
            "/readyz" => Some(self.ready()),
            "/metrics" if self.config.metrics => Some(self.metrics().await),
            _ => None,
        }
    }

    /// Ready unless something keeps decisions from being recorded, and requests from being answered with it. Low space is a
    /// warning long before it is a reason.
    fn ready(&self) -> Response<Reply> {
        let recorder = self.recorder();
        let (health, free) = (recorder.health(), recorder.free_bytes());
        let status = health.log;
        let (mut reasons, mut warnings) = (Vec::new(), Vec::new());
        if self.is_draining.load(Ordering::Acquire) {
            reasons.push("stopping".to_owned());
        }
        let mut failed = Vec::new();
        failed.extend(
            status.poisoned.map(|why| format!("the log is poisoned until it is opened again: {why}")),
        );
        failed.extend(health.keystore_failed.map(|why| format!("the keystore failed: {why}")));
        warnings.extend(status.stalled.map(|why| format!("checkpoints wait: {why}")));
        let reserve = self.config.disk_reserve_bytes;
        match free {
            Ok(free) if free < DISK_STOP_BYTES.min(reserve) => {
                failed.push(format!("{free} bytes of disk are left: free some"));
            }
            Ok(free) if free < reserve => {
                warnings.push(format!(
                    "{free} bytes of disk are left, less than the reserve of {reserve}: free some"
                ));
            }
            Ok(_) => {}
            Err(error) => warnings.push(format!("free space cannot be read: {error}")),
        }
        if let Some((count, since)) = recorder.lapses().untold() {
            warnings
                .push(format!("{count} answers since {since} are not recorded: the log will tell of them"));
        }
        // Where every route answers all the same, nobody is to be kept away.
        let answers = self.lanes.iter().all(|lane| lane.failure() == Failure::Degrade);
        if answers {
            warnings.append(&mut failed)
        } else {
            reasons.append(&mut failed)
        }
        let code = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        json(
            code,
            &serde_json::json!({ "ready": reasons.is_empty(), "reasons": reasons, "warnings": warnings }),
        )
    }

    async fn metrics(&self) -> Response<Reply> {
        self.sample().await;
        match self.metrics.text() {
            Ok(text) => {
                let mut answer = Response::new(Reply::whole(text));
                answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(METRICS_TYPE));
                answer
            }
            Err(error) => answer::error(StatusCode::INTERNAL_SERVER_ERROR, "internal", &error.to_string()),
        }
    }

    /// Reads what is measured when asked for.
    async fn sample(&self) {
        let (metrics, recorder) = (&self.metrics, self.recorder());
        let health = recorder.health();
        let Status { poisoned, lag_ns, segments, .. } = health.log;
        metrics.poisoned.set((poisoned.is_some() || health.keystore_failed.is_some()).into());
        metrics.degraded.set(recorder.lapses().untold().is_some().into());
        metrics.lag.set(lag_ns as f64 / 1e9);
        metrics.segments.set(gauge(segments as u64));
        metrics.violations.set(gauge(recorder.violations()));
        metrics.disk_reserve.set(gauge(self.config.disk_reserve_bytes));
        if let Ok(free) = recorder.free_bytes() {
            metrics.disk_free.set(gauge(free));
            metrics.disk_low.set((free < self.config.disk_reserve_bytes).into());
        }
        if let Some(followers) = &self.config.followers {
            metrics.sample_followers((followers.0)());
        }
        if let Some(vouched) = &self.config.vouched {
            metrics.sample_vouched((vouched.0)());
        }
        if let Some(drills) = &self.config.drills {
            metrics.drills.sample((drills.0)());
        }
        if let Some(retention) = &self.config.retention {
            metrics.retention.sample((retention.0)());
        }
        for system in recorder.systems().await {
            metrics.incidents.sample(&system);
        }
        for lane in &self.lanes {
            let system = lane.system();
            let label = SystemLabel { system: system.name().to_string() };
            metrics.entries.get_or_create(&label).set(gauge(system.entries()));
        }
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response<Reply> {
    let mut answer = Response::new(Reply::whole(body.to_string()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer
}
