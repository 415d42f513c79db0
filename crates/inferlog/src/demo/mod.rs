//! The tour: a real model, a real gateway, a real log, and what becomes of a few hundred decisions.
//!
//! Everything that is shown is what the commands print; nothing is prepared.

mod advice;
mod app;
mod bundle;
mod keeping;
mod questions;
mod story;
mod tamper;
mod tour;
mod traffic;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use inferlog::{Instance, Settings, real_env};
use inferlog_capture::config::routes;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_record::Id;
use inferlog_vault::RootSource;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::admin::{Act, AdminServer, Form, Reader, act};
use crate::current::Current;
use crate::followers::{Followers, Store};
use crate::http_server::serve;
use crate::model::ModelServer;
use crate::output::{self, BOLD, DIM, Failure, styled};
use app::Application;
use traffic::{ANSWER_TIME_MAX, SUBJECT_HEADER};

pub(crate) use tour::tour;

/// The demo's system.
const SYSTEM: &str = "credit-scoring";

/// The gateway's configuration: both models are one system, for they decide together.
fn configuration(model: SocketAddr) -> String {
    let answer_ms_max = ANSWER_TIME_MAX.as_millis();
    format!(
        "\
[[route]]
name = \"scoring\"
system = \"{SYSTEM}\"
upstream = \"http://{model}\"
wire = \"oip-v2\"
subject = {{ header = \"{SUBJECT_HEADER}\" }}
answer_ms_max = {answer_ms_max}

[[route]]
name = \"chat\"
system = \"{SYSTEM}\"
upstream = \"http://{model}\"
wire = \"openai\"
subject = {{ header = \"{SUBJECT_HEADER}\" }}
"
    )
}

/// Models, gateway, log and application at work.
pub(crate) struct Demo {
    instance: Instance,
    model: SocketAddr,
    gateway: SocketAddr,
    application: Application,
    /// Where the application answers customers.
    door: SocketAddr,
    admin: AdminServer,
    /// What follows the log into the index.
    followers: Followers,
    tasks: [JoinHandle<()>; 2],
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
        let own = "127.0.0.1:0";
        let (models, asked) = (TcpListener::bind(own).await?, TcpListener::bind(own).await?);
        let (model, door) = (models.local_addr()?, asked.local_addr()?);
        let fitted = ModelServer::fit();
        let model_task = tokio::spawn(serve(models, move |request| fitted.clone().answer(request)));

        let listener = TcpListener::bind(listen).await.map_err(|error| {
            Failure::new(format!("cannot listen on {listen}: {error}: give another --listen"))
        })?;
        let gateway = listener.local_addr()?;
        let configuration = configuration(model);
        let settings = Settings {
            root_key,
            configuration: configuration.clone(),
            org: Some("demo".into()),
            ..Settings::new(data)
        };
        let instance = Instance::open(real_env(), &settings).await?;
        let mut config = GatewayConfig::new(routes(&configuration, &|_| None)?);
        config.registry = Some(instance.registry.clone());
        let serving = Gateway::new(config, instance.recorder.clone()).await?;
        let (stop, stopped) = oneshot::channel();
        let gateway_task = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            serving.serve(listener, stopped).await;
        });
        let application = Application::new(gateway);
        let tasks = [model_task, tokio::spawn(app::serve(application.clone(), asked))];
        let followers = Followers::new(vec![Store::Sqlite]);
        let current = Current::from(instance.clone()).followed(followers.clone()).await;
        let admin = AdminServer::start(data, current)?;
        Ok(Self { instance, model, gateway, application, door, admin, followers, tasks, gateway_task, stop })
    }

    /// What `show` prints of a decision.
    async fn told(&self, decision: Option<Id>, color: bool) -> Result<String, Failure> {
        let decision = decision.ok_or_else(|| Failure::new("the decision has no id"))?;
        let form = Form::Text { color, full: false };
        let reader = Reader { actor: Some("the tour".to_owned()), ..Reader::default() };
        let told = act(&self.instance, Act::Show { decision, form, reader }).await?;
        serde_json::from_value::<Option<String>>(told)?
            .ok_or_else(|| Failure::new("the decision is not in the log"))
    }

    /// The data directory.
    fn data(&self) -> &PathBuf {
        &self.instance.data
    }

    /// Says what to try while it serves on.
    pub(crate) fn invite(&self) -> Result<(), Failure> {
        let (gateway, door, data) = (self.gateway, self.door, self.data().display());
        let infer =
            r#"{"inputs":[{"name":"applicant","shape":[1,5],"datatype":"FP64","data":[48,0.2,8,0,1.5]}]}"#;
        let chat = r#"{"model":"demo-chat","stream":true,"messages":[{"role":"user","content":"Hello"}]}"#;
        let mut out = output::stdout();
        writeln!(
            out,
            "\n{}\n   \
             curl -i http://{gateway}/v2/models/production/infer -H '{SUBJECT_HEADER}: me' -d '{infer}'\n   \
             curl -N http://{gateway}/v1/chat/completions -H '{SUBJECT_HEADER}: me' -d '{chat}'\n   \
             curl http://{door}/ask -H '{SUBJECT_HEADER}: applicant-07' -d 'What was decided about my loan, and why?'\n   \
             inferlog find --data {data} --limit 5\n   \
             inferlog show DECISION --data {data}\n   \
             inferlog human --data {data} --decision DECISION --action override --reviewer you --after 'Approved.'\n   \
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
        tokio::task::spawn_blocking(move || self.followers.stop()).await?;
        self.tasks.iter().for_each(JoinHandle::abort);
        Ok(self.instance.recorder.close().await?)
    }
}
