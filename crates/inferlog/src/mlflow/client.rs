//! Asking an MLflow server.

use std::env;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Limited};
use inferlog_capture::route::Upstream;
use inferlog_capture::upstream::{self, whole};
use inferlog_record::ClearName;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::output::Failure;

/// How many models or versions are asked for at once.
const PAGE: u32 = 200;
/// Longest answer, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// A way to an MLflow server.
pub(super) struct Client {
    server: String,
    client: upstream::Client,
    authorization: Option<HeaderValue>,
}

impl Client {
    /// For a server's URL, with or without a path; connects to nothing yet.
    pub(super) fn new(url: &str) -> Result<Self, Failure> {
        let bad = || Failure::new(format!("--mlflow {url}: write http://HOST:PORT or https://HOST"));
        let parts = url.parse::<Uri>().map_err(|_| bad())?.into_parts();
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(bad()) };
        if !["http", "https"].contains(&scheme.as_str()) {
            return Err(bad());
        }
        if authority.as_str().contains('@') {
            return Err(Failure::new(
                "--mlflow: do not write a password into the URL: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
            ));
        }
        let path = parts.path_and_query.as_ref().map_or("", |path| path.path());
        let base = path.trim_end_matches('/').to_owned();
        let server = format!("{scheme}://{authority}{base}");
        let upstream = Upstream { scheme, authority, base, ca_file: None, http2: false };
        let client = upstream::Client::new(&upstream, CONNECT_TIME_MAX)?;
        Ok(Self { server, client, authorization: authorization()? })
    }

    /// The server's URL without a slash at its end.
    pub(super) fn server(&self) -> &str {
        &self.server
    }

    /// Every page of `registered-models/search` or `model-versions/search`.
    pub(super) async fn search<T: DeserializeOwned>(
        &self,
        what: &str,
        filter: Option<&str>,
    ) -> Result<Vec<T>, Failure> {
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let size = PAGE.to_string();
            let mut query = vec![("max_results", &*size)];
            query.extend(filter.map(|filter| ("filter", filter)));
            if !token.is_empty() {
                query.push(("page_token", &token));
            }
            let mut answer = self.get(&format!("{what}/search"), &query).await?;
            // A page without any leaves the member out.
            let page = answer[what.replace('-', "_")].take();
            if !page.is_null() {
                all.extend(serde_json::from_value::<Vec<T>>(page)?);
            }
            match answer["next_page_token"].as_str() {
                Some(next) if !next.is_empty() && next != token => token = next.to_owned(),
                _ => return Ok(all),
            }
        }
    }

    /// Where a version's files are (`model-versions/get-download-uri`).
    pub(super) async fn download_uri(&self, name: &ClearName, version: &str) -> Result<String, Failure> {
        let query = [("name", name.as_str()), ("version", version)];
        let answer = self.get("model-versions/get-download-uri", &query).await?;
        let uri = answer["artifact_uri"].as_str().unwrap_or_default();
        Ok(uri.to_owned())
    }

    async fn get(&self, what: &str, query: &[(&str, &str)]) -> Result<Value, Failure> {
        let encoded: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
            .collect();
        let target = format!("{}/api/2.0/mlflow/{what}?{}", self.server, encoded.join("&"));
        let mut request = Request::get(&target);
        if let Some(value) = &self.authorization {
            request = request.header(header::AUTHORIZATION, value);
        }
        let request = request.header(header::ACCEPT, "application/json").body(whole(bytes::Bytes::new()))?;
        let asked = async {
            let (head, body) = self.client.send(request).await?.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| Failure::new(error.to_string()))?.to_bytes();
            Ok::<_, Failure>((head.status, body))
        };
        let answered = tokio::time::timeout(ANSWER_TIME_MAX, asked).await;
        let (status, body) = match answered {
            Ok(Ok(answer)) => answer,
            Ok(Err(failure)) => return Err(Failure::new(format!("{}: {failure}", self.server))),
            Err(_) => return Err(Failure::new(format!("{} did not answer in time", self.server))),
        };
        let answer: Result<Value, _> = serde_json::from_slice(&body);
        match (status, answer) {
            (StatusCode::OK, Ok(answer)) => Ok(answer),
            (status, answer) => {
                // MLflow's errors are {"error_code": …, "message": …}.
                let said = answer.ok().and_then(|answer| Some(answer["message"].as_str()?.to_owned()));
                let said = said.unwrap_or_else(|| "is this an MLflow server?".into());
                Err(Failure::new(format!("{} answered {status}: {said}", self.server)))
            }
        }
    }
}

/// What MLflow's own clients send, from the same environment variables.
fn authorization() -> Result<Option<HeaderValue>, Failure> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let value = match (set("MLFLOW_TRACKING_USERNAME"), set("MLFLOW_TRACKING_TOKEN")) {
        (Some(user), _) => {
            let password = set("MLFLOW_TRACKING_PASSWORD").unwrap_or_default();
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        }
        (None, Some(token)) => format!("Bearer {token}"),
        (None, None) => return Ok(None),
    };
    let mut value = HeaderValue::from_str(&value)
        .map_err(|_| Failure::new("MLFLOW_TRACKING_TOKEN cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}
