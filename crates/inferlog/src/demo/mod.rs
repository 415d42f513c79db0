//! The tour: a real model, a real gateway, a real log, and what becomes of a few hundred decisions.
//!
//! Everything that is shown is what the commands print; nothing is prepared.

mod story;
mod tamper;
mod tour;
mod traffic;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use inferlog::{Instance, Settings, real_env};
use inferlog_capture::config::routes_from_flags;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_vault::RootSource;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::admin::AdminServer;
use crate::http_server::serve;
use crate::model::ModelServer;
use crate::output::{self, BOLD, DIM, Failure, styled};
use traffic::{ANSWER_TIME_MAX, SUBJECT_HEADER};

pub(crate) use tour::tour;

/// The demo's system.
const SYSTEM: &str = "credit-scoring";

/// Model, gateway and log at work.
pub(crate) struct Demo {
    instance: Instance,
    model: SocketAddr,
    gateway: SocketAddr,
    admin: AdminServer,
    model_task: JoinHandle<()>,
    gateway_task: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

impl Demo {
    /// Starts all of it, with the log in `data`.
    pub(crate) async fn start(
        data: &Path,
        root_key: Option<RootSource>,
        listen: SocketAddr,
    ) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let model = listener.local_addr()?;
        let fitted = ModelServer::fit();
        let model_task = tokio::spawn(serve(listener, move |request| fitted.clone().answer(request)));

        let listener = TcpListener::bind(listen).await.map_err(|error| {
            Failure::new(format!("cannot listen on {listen}: {error}: give another --listen"))
        })?;
        let gateway = listener.local_addr()?;
        let settings = Settings {
            root_key,
            configuration: "demo".into(),
            org: Some("demo".into()),
            ..Settings::new(data)
        };
        let instance = Instance::open(real_env(), &settings).await?;
        let mut routes = routes_from_flags(&format!("http://{model}"), SYSTEM, Some(SUBJECT_HEADER))?;
        for route in &mut routes {
            route.limits.answer_time_max = ANSWER_TIME_MAX;
        }
        let serving = Gateway::new(GatewayConfig::new(routes), instance.recorder.clone()).await?;
        let (stop, stopped) = oneshot::channel();
        let gateway_task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serving.serve(listener, stopped).await;
        });
        let admin = AdminServer::start(data, instance.clone())?;
        Ok(Self { instance, model, gateway, admin, model_task, gateway_task, stop })
    }

    /// The data directory.
    fn data(&self) -> &PathBuf {
        &self.instance.data
    }

    /// Says what to try while it serves on.
    pub(crate) fn invite(&self) -> Result<(), Failure> {
        let (gateway, data) = (self.gateway, self.data().display());
        let infer =
            r#"{"inputs":[{"name":"applicant","shape":[1,5],"datatype":"FP64","data":[48,0.2,8,0,1.5]}]}"#;
        let mut out = output::stdout();
        writeln!(
            out,
            "\n{}\n   curl -i http://{gateway}/v2/models/production/infer -H '{SUBJECT_HEADER}: me' -d '{infer}'\n   \
             inferlog find --data {data} --limit 5\n   inferlog show DECISION --data {data}\n   \
             inferlog erase --data {data} --subject me\n{}",
            styled(BOLD, "It goes on serving. Try, in another terminal:"),
            styled(DIM, "   Ctrl-C ends it."),
        )?;
        Ok(())
    }

    /// Says what is left.
    pub(crate) fn farewell(&self, is_kept: bool) -> Result<(), Failure> {
        let mut out = output::stdout();
        match is_kept {
            true => writeln!(
                out,
                "\nThe log stays in {}: look at it with find, show and verify.",
                self.data().display()
            )?,
            false => writeln!(
                out,
                "\nThe demo's log is removed. With --data DIR it stays. Next: inferlog help serve"
            )?,
        }
        Ok(())
    }

    /// Ends in order.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        drop(self.admin);
        drop(self.stop);
        self.gateway_task.await?;
        self.model_task.abort();
        Ok(self.instance.recorder.close().await?)
    }
}
