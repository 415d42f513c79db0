//! What stands at each key, checked, with errors that name line and key.

use super::{ConfigError, RESERVED_PATHS, RouteFile};
use crate::route::{
    BODY_BYTES_LIMIT, ContextFrom, ContextMember, Failure, JoinBy, Limits, Opened, PathPattern, Route,
    Streaming, SubjectFrom, Upstream,
};
use crate::wire::{JsonWire, Pointer, Wire};
use http::Uri;
use http::header::HeaderName;
use http::uri::Scheme;
use inferlog_record::{ClearName, SystemName};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use toml::{Spanned, Value};

/// Where errors are reported against.
pub(super) struct Place<'a> {
    pub(super) text: Option<&'a str>,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
}

impl Place<'_> {
    pub(super) fn error<T>(&self, at: &Spanned<T>, key: &str, what: impl Into<String>) -> ConfigError {
        ConfigError { line: self.line(at.span().start), key: key.to_owned(), what: what.into() }
    }

    pub(super) fn line(&self, offset: usize) -> Option<usize> {
        let before = self.text?.as_bytes().get(..offset)?;
        Some(before.iter().filter(|b| **b == b'\n').count() + 1)
    }

    /// Errors of TOML itself, and of keys that are unknown, missing or of the wrong type.
    pub(super) fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message().replace('\n', " ");
        let line = error.span().and_then(|span| self.line(span.start));
        let source = line.and_then(|line| self.text?.lines().nth(line - 1)).unwrap_or_default();
        // Serde quotes the name of a field; of any other fault the key is what the line assigns to.
        let key = match message.split('`').nth(1) {
            Some(field) if message.contains(" field `") => field,
            _ => source.split_once('=').map_or("toml", |(key, _)| key.trim()),
        };
        let advice = match message.strip_prefix("missing field") {
            Some(field) if field.contains("`listen`") => ": `[reader]` needs `listen` and a token",
            Some(field) if field.contains("`policy`") => ": `[witnesses]` needs the file that names them",
            Some(_) => ": every `[[route]]` needs `name`, `upstream` and `system`",
            None => "",
        };
        ConfigError { line, key: key.to_owned(), what: format!("{message}{advice}") }
    }

    pub(super) fn route(&self, file: RouteFile) -> Result<Route, ConfigError> {
        let wire = self.wire(file.wire.as_ref(), file.json.as_ref())?;
        let http2 = self.http2(file.http2.as_ref(), &wire)?;
        Ok(Route {
            name: self.name(&file.name)?,
            path: self.path(file.path.as_ref())?,
            adapter: ClearName::or_unlisted(wire.name()),
            wire,
            limits: self.limits(&file)?,
            upstream: self.upstream(&file.upstream, file.ca_file, http2)?,
            system: self.system(&file.system)?,
            opened: self.opened(file.opened.as_ref())?,
            stream: self.one_of(
                "stream",
                file.stream.as_ref(),
                ["pass", "buffer"],
                [Streaming::Pass, Streaming::Buffer],
            )?,
            failure: file
                .failure
                .as_ref()
                .map(|failure| {
                    let values = [Failure::Block, Failure::Degrade];
                    self.one_of("failure", Some(failure), ["block", "degrade"], values)
                })
                .transpose()?,
            join: file.join.iter().map(|by| self.join(by)).collect::<Result<_, _>>()?,
            subject: file.subject.as_ref().map(|subject| self.subject(subject)).transpose()?,
            context: file.context.iter().map(|(k, v)| self.context(k, v)).collect::<Result<_, _>>()?,
            models: file
                .models
                .iter()
                .map(|name| self.clear(name, "models", name.as_ref()))
                .collect::<Result<_, _>>()?,
            passthrough: file.passthrough,
        })
    }

    pub(super) fn name(&self, name: &Spanned<String>) -> Result<ClearName, ConfigError> {
        let system = SystemName::new(name.as_ref()).map_err(|_| self.error(name, "name", NAME_RULE))?;
        self.clear(name, "name", system.as_str())
    }

    pub(super) fn system(&self, system: &Spanned<String>) -> Result<SystemName, ConfigError> {
        SystemName::new(system.as_ref()).map_err(|_| self.error(system, "system", NAME_RULE))
    }

    pub(super) fn clear<T>(&self, at: &Spanned<T>, key: &str, text: &str) -> Result<ClearName, ConfigError> {
        ClearName::new(text).map_err(|_| {
            let rule = "may not stand in clear in a record: write 1 to 128 letters, digits, or of `._:/@-`";
            self.error(at, key, format!("{text:?} {rule}"))
        })
    }

    pub(super) fn path(&self, path: Option<&Spanned<String>>) -> Result<PathPattern, ConfigError> {
        let Some(path) = path else { return Ok(PathPattern::Prefix(String::new())) };
        if RESERVED_PATHS.contains(&path.as_ref().as_str()) {
            return Err(self.error(path, "path", "the gateway answers this path itself: choose another"));
        }
        PathPattern::parse(path.as_ref()).ok_or_else(|| {
            self.error(
                path,
                "path",
                "write one path, as in `/score`, or end it in `/*` for all paths below it",
            )
        })
    }

    pub(super) fn wire(
        &self,
        wire: Option<&Spanned<String>>,
        json: Option<&Spanned<BTreeMap<Spanned<String>, Spanned<String>>>>,
    ) -> Result<Wire, ConfigError> {
        let name = wire.map_or("oip-v2", |wire| wire.as_ref());
        if let (Some(json), true) = (json, name != "json") {
            return Err(self.error(
                json,
                "json",
                "pointers are for `wire = \"json\"`: set it, or take them away",
            ));
        }
        match (name, wire) {
            ("oip-v2", _) => Ok(Wire::OipV2),
            ("oip-grpc", _) => Ok(Wire::OipGrpc),
            ("kserve-v1", _) => Ok(Wire::KserveV1),
            ("openai", _) => Ok(Wire::OpenAi),
            ("anthropic", _) => Ok(Wire::Anthropic),
            ("ollama", _) => Ok(Wire::Ollama),
            ("json", _) => Ok(Wire::Json(Box::new(self.pointers(json)?))),
            (_, Some(wire)) => Err(self.error(
                wire,
                "wire",
                "write \"openai\", \"anthropic\", \"ollama\", \"oip-v2\", \"oip-grpc\", \"kserve-v1\" or \"json\"",
            )),
            (_, None) => Ok(Wire::OipV2),
        }
    }

    pub(super) fn pointers(
        &self,
        json: Option<&Spanned<BTreeMap<Spanned<String>, Spanned<String>>>>,
    ) -> Result<JsonWire, ConfigError> {
        let mut wire = JsonWire::default();
        for (key, text) in json.iter().flat_map(|json| json.as_ref()) {
            let slot = match key.as_ref().as_str() {
                "model" => &mut wire.model,
                "version" => &mut wire.version,
                "id" => &mut wire.id,
                "params" => &mut wire.params,
                "input" => &mut wire.input,
                "answered_model" => &mut wire.answered_model,
                "answered_version" => &mut wire.answered_version,
                "output" => &mut wire.output,
                "error" => &mut wire.error,
                other => {
                    let known =
                        "model, version, id, params, input, answered_model, answered_version, output, error";
                    return Err(self.error(
                        key,
                        other,
                        format!("is not one of the pointers of `json`: {known}"),
                    ));
                }
            };
            *slot = Some(self.pointer(text, key.as_ref(), text.as_ref())?);
        }
        Ok(wire)
    }

    pub(super) fn pointer<T>(&self, at: &Spanned<T>, key: &str, text: &str) -> Result<Pointer, ConfigError> {
        Pointer::parse(text).map_err(|e| self.error(at, key, e.to_string()))
    }

    pub(super) fn header<T>(
        &self,
        at: &Spanned<T>,
        key: &str,
        name: &str,
    ) -> Result<HeaderName, ConfigError> {
        HeaderName::try_from(name).map_err(|_| {
            self.error(at, key, format!("`{name}` is no header name: write one, as in `x-applicant`"))
        })
    }

    pub(super) fn upstream(
        &self,
        url: &Spanned<String>,
        ca_file: Option<PathBuf>,
        http2: bool,
    ) -> Result<Upstream, ConfigError> {
        let bad = || {
            self.error(url, "upstream", "write `http://HOST:PORT` or `https://HOST`, with or without a path")
        };
        let uri: Uri = url.as_ref().parse().map_err(|_| bad())?;
        let parts = uri.into_parts();
        let (scheme, authority) = parts.scheme.zip(parts.authority).ok_or_else(bad)?;
        if ![Scheme::HTTP, Scheme::HTTPS].contains(&scheme) || authority.as_str().contains('@') {
            return Err(bad());
        }
        let path = parts.path_and_query.ok_or_else(bad)?;
        if path.query().is_some() {
            return Err(bad());
        }
        let base = path.path().trim_end_matches('/').to_owned();
        Ok(Upstream { scheme, authority, base, ca_file, http2 })
    }

    /// Whether HTTP/2 is spoken without asking: as written, and always where the wire is gRPC.
    fn http2(&self, http2: Option<&Spanned<bool>>, wire: &Wire) -> Result<bool, ConfigError> {
        match (http2, wire.is_grpc()) {
            (Some(http2), true) if !http2.as_ref() => {
                Err(self.error(http2, "http2", "gRPC needs HTTP/2: take this away"))
            }
            (http2, is_grpc) => Ok(is_grpc || http2.is_some_and(|http2| *http2.as_ref())),
        }
    }

    /// One of two words; the first where none is written.
    fn one_of<T: Copy>(
        &self,
        key: &str,
        text: Option<&Spanned<String>>,
        words: [&str; 2],
        values: [T; 2],
    ) -> Result<T, ConfigError> {
        let Some(text) = text else { return Ok(values[0]) };
        match words.iter().position(|word| text.as_ref() == word) {
            Some(at) => Ok(values[at]),
            None => Err(self.error(text, key, format!("write \"{}\" or \"{}\"", words[0], words[1]))),
        }
    }

    fn join(&self, by: &Spanned<Value>) -> Result<JoinBy, ConfigError> {
        if by.as_ref().as_str() == Some("trace") {
            return Ok(JoinBy::Trace);
        }
        let wrong = "write \"trace\", { header = \"…\" } or { pointer = \"/…\" }";
        match single(by.as_ref()) {
            Some(("header", text)) => self.header(by, "join", text).map(JoinBy::Header),
            Some(("pointer", text)) => self.pointer(by, "join", text).map(JoinBy::Pointer),
            _ => Err(self.error(by, "join", wrong)),
        }
    }

    pub(super) fn opened(&self, opened: Option<&Spanned<String>>) -> Result<Opened, ConfigError> {
        match opened.map(|text| (text, text.as_ref().as_str())) {
            None | Some((_, "before-first-byte")) => Ok(Opened::BeforeFirstByte),
            Some((_, "before-call")) => Ok(Opened::BeforeCall),
            Some((text, _)) => {
                Err(self.error(text, "opened", "write \"before-first-byte\" or \"before-call\""))
            }
        }
    }

    pub(super) fn subject(&self, subject: &Spanned<Value>) -> Result<SubjectFrom, ConfigError> {
        match single(subject.as_ref()) {
            Some(("header", name)) => Ok(SubjectFrom::Header(self.header(subject, "subject", name)?)),
            Some(("pointer", text)) => Ok(SubjectFrom::Pointer(self.pointer(subject, "subject", text)?)),
            _ => Err(self.error(subject, "subject", "write `{ header = \"…\" }` or `{ pointer = \"/…\" }`")),
        }
    }

    pub(super) fn context(
        &self,
        key: &Spanned<String>,
        value: &Spanned<Value>,
    ) -> Result<(ContextMember, ContextFrom), ConfigError> {
        let name = key.as_ref().as_str();
        let member = match name {
            "build" => ContextMember::Build,
            "environment" => ContextMember::Environment,
            "flags" => ContextMember::Flags,
            "region" => ContextMember::Region,
            "variant" => ContextMember::Variant,
            _ => {
                let known = "build, environment, flags, region, variant";
                return Err(self.error(key, name, format!("is not a member of `context`: {known}")));
            }
        };
        let bad = || {
            self.error(
                value,
                name,
                "write a string, `{ env = \"NAME\" }` or `{ header = \"…\", values = [\"…\"] }`",
            )
        };
        let clear = |texts: Vec<String>| -> Result<Vec<ClearName>, ConfigError> {
            texts.iter().map(|text| self.clear(value, name, text)).collect()
        };
        let from = match (value.as_ref(), single(value.as_ref())) {
            (Value::String(text), _) => ContextFrom::Fixed(clear(vec![text.clone()])?),
            (Value::Array(_), _) if member == ContextMember::Flags => {
                ContextFrom::Fixed(clear(strings(value.as_ref()).ok_or_else(bad)?)?)
            }
            (_, Some(("env", variable))) => {
                ContextFrom::Fixed(clear(vec![self.variable(value, name, variable)?])?)
            }
            (Value::Table(table), _) => {
                let header = table.get("header").and_then(Value::as_str).ok_or_else(bad)?;
                if table.keys().any(|key| key != "header" && key != "values") {
                    return Err(bad());
                }
                let values = table.get("values").map_or(Some(Vec::new()), strings).ok_or_else(bad)?;
                ContextFrom::Header { name: self.header(value, name, header)?, values: clear(values)? }
            }
            _ => return Err(bad()),
        };
        Ok((member, from))
    }

    pub(super) fn variable<T>(
        &self,
        at: &Spanned<T>,
        key: &str,
        variable: &str,
    ) -> Result<String, ConfigError> {
        (self.env)(variable).ok_or_else(|| {
            let what =
                format!("the environment variable `{variable}` is not set: set it, or write the value here");
            self.error(at, key, what)
        })
    }

    pub(super) fn limits(&self, file: &RouteFile) -> Result<Limits, ConfigError> {
        let mut limits = Limits::default();
        let sizes = [
            ("request_bytes_max", &file.request_bytes_max, &mut limits.request_bytes_max),
            ("response_bytes_max", &file.response_bytes_max, &mut limits.response_bytes_max),
        ];
        for (key, value, slot) in sizes {
            let Some(value) = value else { continue };
            if !(1..=BODY_BYTES_LIMIT).contains(value.as_ref()) {
                return Err(self.error(
                    value,
                    key,
                    format!("write a number of bytes from 1 to {BODY_BYTES_LIMIT}"),
                ));
            }
            *slot = *value.as_ref();
        }
        let times = [
            ("request_ms_max", &file.request_ms_max, &mut limits.request_time_max),
            ("connect_ms_max", &file.connect_ms_max, &mut limits.connect_time_max),
            ("answer_ms_max", &file.answer_ms_max, &mut limits.answer_time_max),
            ("idle_ms_max", &file.idle_ms_max, &mut limits.idle_time_max),
            ("journal_ms", &file.journal_ms, &mut limits.journal_period),
        ];
        for (key, value, slot) in times {
            let Some(value) = value else { continue };
            if !(1..=86_400_000).contains(value.as_ref()) {
                return Err(self.error(
                    value,
                    key,
                    "write a number of milliseconds from 1 to 86400000, a day",
                ));
            }
            *slot = Duration::from_millis(*value.as_ref());
        }
        Ok(limits)
    }
}

const NAME_RULE: &str = "write 1 to 63 letters, digits, `.`, `_` or `-`, the first a letter or digit: it names files, metrics and records";

/// The key and value of a table with one string in it.
fn single(value: &Value) -> Option<(&str, &str)> {
    let table = value.as_table().filter(|table| table.len() == 1)?;
    let (key, value) = table.iter().next()?;
    Some((key, value.as_str()?))
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect()
}
