//! `POST /v1/query`.

use std::time::Duration;

use http::request::Parts;
use http::{Response, StatusCode, header};
use inferlog_index::query::{Limits, RowSink, TIME_MAX};
use inferlog_record::body::{AccessPurpose, AccessRole};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{Kind, failed, no_index, refuse, stream, whole};
use super::{Body, Reader};
use crate::admin;
use crate::followers::Store;
use crate::query::{Format, IndexAt, Job, Output, Worker, open};

/// JSON objects, one a line.
pub(super) const NDJSON: &str = "application/x-ndjson";

/// A statement, as a request brings it in JSON.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QueryBody {
    sql: String,
    format: Option<String>,
    #[serde(default)]
    open: Vec<String>,
    /// Less time than it may take by default, milliseconds.
    time_ms_max: Option<u64>,
    role: Option<AccessRole>,
    purpose: Option<AccessPurpose>,
    actor: Option<String>,
}

/// Forms of an answer, and their media types; the first is the default.
const FORMS: [(Format, &str, &str); 3] = [
    (Format::Json, "json", NDJSON),
    (Format::Csv, "csv", "text/csv"),
    (Format::Parquet, "parquet", "application/vnd.apache.parquet"),
];

impl Reader {
    pub(super) async fn query(
        &self,
        head: &Parts,
        body: &[u8],
        turn: OwnedSemaphorePermit,
    ) -> Response<Body> {
        let (asked, format, media_type) = match read(head, body) {
            Ok(read) => read,
            Err(what) => return refuse(StatusCode::BAD_REQUEST, "malformed", &what),
        };
        let Some(store) = self.store() else { return no_index() };
        let index = IndexAt::of(&self.current.get().await.data, &store);
        self.freshen(&store).await;
        let time_max = asked.time_ms_max.map_or(TIME_MAX, Duration::from_millis).min(TIME_MAX);
        let limits = Limits { time_max, ..Limits::default() };
        let job = Job { index, sql: asked.sql.clone(), limits, format, open: asked.open.clone() };
        if job.open.is_empty() {
            return match Worker::start(&job).await {
                Ok(worker) => stream(worker, Kind::Query, media_type, turn).await,
                Err(error) => failed(&error),
            };
        }
        self.opened(asked, &job, media_type).await
    }

    /// The answer with content in the place of references to it; whole, for it is bounded.
    async fn opened(&self, asked: QueryBody, job: &Job, media_type: &'static str) -> Response<Body> {
        let mut rows = match open::Rows::ask(job).await {
            Ok(rows) => rows,
            Err(error) => return failed(&error),
        };
        let default = admin::Reader::default();
        let reader = admin::Reader {
            role: asked.role.unwrap_or(default.role),
            purpose: asked.purpose.unwrap_or(default.purpose),
            actor: asked.actor,
        };
        let instance = self.current.get().await;
        if !self.content {
            let told = admin::refuse_open(&instance, &rows.wanted(), reader, asked.sql).await;
            let what = "this reader gives out no content (`content = false` in its configuration); that it was asked for is recorded";
            return match told {
                Ok(()) => refuse(StatusCode::FORBIDDEN, "no_content", what),
                Err(failure) => refuse(StatusCode::SERVICE_UNAVAILABLE, "not_recorded", &failure.to_string()),
            };
        }
        match admin::open(&instance, rows.wanted(), reader, asked.sql).await {
            Ok(opened) => {
                if let Err(error) = rows.put(opened) {
                    return failed(&error);
                }
            }
            Err(failure) => {
                return refuse(StatusCode::SERVICE_UNAVAILABLE, "not_opened", &failure.to_string());
            }
        }
        drop(instance);
        let mut bytes = Vec::new();
        let written = || -> std::io::Result<()> {
            let mut output = Output::of(&mut bytes, job.format);
            output.begin(&rows.columns)?;
            rows.rows.into_iter().try_for_each(|row| output.row(row))?;
            output.finish()
        };
        match written() {
            Ok(()) => whole(StatusCode::OK, media_type, bytes),
            Err(error) => refuse(StatusCode::UNPROCESSABLE_ENTITY, "output", &error.to_string()),
        }
    }

    /// Waits until the index covers what is acknowledged, if it comes to that soon.
    async fn freshen(&self, store: &Store) {
        let instance = self.current.get().await.clone();
        if let Err(error) = instance.recorder.integrate().await {
            tracing::debug!(%error, "the index answers without what is not integrated");
            return;
        }
        let store = store.place(&instance.data);
        let followers = self.current.followers().clone();
        // What the index lacks it lacks; a question is not refused for it.
        drop(tokio::task::spawn_blocking(move || followers.wait(&instance, &store, false).map(drop)).await);
    }
}

/// A request's statement, and how it is to be answered.
fn read(head: &Parts, body: &[u8]) -> Result<(QueryBody, Format, &'static str), String> {
    let header =
        |name| head.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok()).unwrap_or("");
    let is_json = header(header::CONTENT_TYPE).starts_with("application/json");
    let text = std::str::from_utf8(body).map_err(|_| "the body is no UTF-8".to_owned())?;
    let asked: QueryBody = if is_json {
        serde_json::from_str(text).map_err(|error| {
            format!("the body is not {{\"sql\": …, \"format\": …, \"open\": […]}}: {error}")
        })?
    } else {
        let sql = text.to_owned();
        QueryBody {
            sql,
            format: None,
            open: Vec::new(),
            time_ms_max: None,
            role: None,
            purpose: None,
            actor: None,
        }
    };
    let accept = header(header::ACCEPT);
    let form = match &asked.format {
        Some(name) => FORMS.iter().find(|(_, form, _)| form == name),
        None => FORMS.iter().find(|(_, _, media_type)| accept.contains(media_type)).or(FORMS.first()),
    };
    let (format, _, media_type) = form.ok_or("`format` is json, csv or parquet")?;
    Ok((asked, *format, media_type))
}
