//! The asking side: through `admin.sock` where a process serves, with an instance of one's own where none does.

use std::path::Path;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use inferlog::{Instance, OpenError, real_env};
use inferlog_log::LogError;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use super::act::{Act, act};
use super::socket;
use crate::cli::OpenArgs;
use crate::http_server::Body;
use crate::output::Failure;

/// How long a reader waits for a fresh checkpoint.
const REFRESH_TIME_MAX: Duration = Duration::from_secs(2);

/// A way into a data directory.
pub(crate) enum Door {
    /// A process serves the directory.
    Server(http1::SendRequest<Body>),
    /// This process holds it.
    Own(Box<Instance>),
}

impl Door {
    /// Connects to the process that serves the directory, or opens it.
    pub(crate) async fn open(args: &OpenArgs) -> Result<Self, Failure> {
        let data = &args.dir.data;
        if let Some(server) = Self::to_server(data).await? {
            return Ok(server);
        }
        match Instance::open(real_env(), &args.settings()).await {
            Ok(instance) => Ok(Self::Own(Box::new(instance))),
            // It may have begun to serve a moment ago.
            Err(error) if is_locked(&error) => Self::to_server(data).await?.ok_or_else(|| held(data)),
            Err(error) => Err(error.into()),
        }
    }

    /// Connects to the process that serves a directory; `None` if none does.
    pub(crate) async fn to_server(data: &Path) -> Result<Option<Self>, Failure> {
        require_data(data)?;
        match connect(data).await? {
            Some(stream) => Ok(Some(Self::server(stream).await?)),
            None => Ok(None),
        }
    }

    async fn server(stream: UnixStream) -> Result<Self, Failure> {
        let (send, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // A connection that breaks is told to whoever waits for its answer.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self::Server(send))
    }

    /// Asks, and reads the answer.
    pub(crate) async fn ask<T: DeserializeOwned>(&mut self, asked: Act) -> Result<T, Failure> {
        let answer = match self {
            Self::Own(instance) => act(instance, asked).await?,
            Self::Server(send) => post(send, &asked).await?,
        };
        Ok(serde_json::from_value(answer)?)
    }

    /// Ends in order what this process opened.
    pub(crate) async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Own(instance) => Ok(instance.recorder.close().await?),
            Self::Server(_) => Ok(()),
        }
    }
}

/// Asks the process that serves a directory, if one does and lets this user in, for a checkpoint over all that it has
/// acknowledged. Readers do without: they then see what was published, at most a second behind.
pub(crate) fn refresh(data: &Path) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let asked = async {
        let stream = socket::connect(data).await.ok()??;
        let mut door = Door::server(stream).await.ok()?;
        door.ask::<Value>(Act::Checkpoint).await.ok()
    };
    runtime.block_on(async { drop(tokio::time::timeout(REFRESH_TIME_MAX, asked).await) });
}

/// Refuses a directory that holds no data: a name that was mistyped makes none.
pub(crate) fn require_data(data: &Path) -> Result<(), Failure> {
    if data.join("node").exists() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{} is not a data directory (it has no file `node`): give the --data of `inferlog serve`",
        data.display()
    )))
}

async fn connect(data: &Path) -> Result<Option<UnixStream>, Failure> {
    socket::connect(data).await.map_err(|error| {
        let path = data.join(socket::SOCKET);
        Failure::new(format!(
            "cannot connect to {}: {error}: run this command as the user that serves",
            path.display()
        ))
    })
}

/// What to say of a directory that a process holds which cannot be asked.
pub(super) fn held(data: &Path) -> Failure {
    Failure::new(format!(
        "another process has {} open and does not answer at {}: wait for it to end, or stop it",
        data.display(),
        data.join(socket::SOCKET).display()
    ))
}

fn is_locked(error: &OpenError) -> bool {
    matches!(error, OpenError::Log(LogError::Locked(_)))
}

async fn post(send: &mut http1::SendRequest<Body>, asked: &Act) -> Result<Value, Failure> {
    let request = Request::post(super::PATH)
        .header("host", "admin.sock")
        .body(Body::from(serde_json::to_vec(asked)?))?;
    // The answer before may have been read to its end and not yet settled.
    send.ready().await?;
    let (head, body) = send.send_request(request).await?.into_parts();
    let answer: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    match (head.status, answer["error"].as_str()) {
        (StatusCode::OK, _) => Ok(answer),
        (_, Some(error)) => Err(Failure::new(error)),
        (status, None) => Err(Failure::new(format!("the serving process answered {status}"))),
    }
}
