//! `inferlog serve`: the gateway in front of a model server.

mod read;

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use inferlog::{Instance, Settings, real_env};
use inferlog_capture::config::ReaderAddress;
use inferlog_capture::gateway::{Gateway, GatewayConfig};
use inferlog_capture::route::Route;
use inferlog_record::SystemName;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::admin::AdminServer;
use crate::cli::OpenArgs;
use crate::commands::policy::{configured, without_policy};
use crate::current::{Current, Keeper};
use crate::followers::IndexChoice;
use crate::logging::{self, LogForm};
use crate::output::{Failure, Verdict};
use crate::reader::{ReaderListener, ReaderServer, TokenPlace};
use crate::voucher::{TwinAsked, Voucher};

/// Stand in front of a model server and record every inference.
///
/// Every decision is durable before its answer completes. Point your clients at the gateway instead of the model server: it speaks the Open Inference Protocol v2 (REST) and
/// KServe v1, and any JSON over HTTP by a configuration file. Every answer carries the header `inferlog-decision-id`. A
/// request that cannot be recorded is refused with status 503, unless its route says `failure = "degrade"`. `GET /healthz`, `/readyz` and
/// `/metrics` are the gateway's own. SIGTERM lets requests in progress end, then stops.
#[derive(Args)]
#[command(after_long_help = "\
Example:
  inferlog serve --data /var/lib/inferlog --system credit-scoring \\
      --upstream http://127.0.0.1:8080 --listen 127.0.0.1:9000 --subject-header x-applicant-id

  curl -i http://127.0.0.1:9000/v2/models/credit/infer -H 'x-applicant-id: 4711' -d @request.json
  inferlog show $(…the inferlog-decision-id of the answer…) --data /var/lib/inferlog

With --config FILE several systems, upstreams and wires are served by one gateway; the file's format stands in
docs/configuration.md.")]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) open: OpenArgs,
    /// The AI system whose log the decisions are recorded in.
    #[arg(long, value_name = "NAME", required_unless_present = "config", conflicts_with = "config")]
    pub(crate) system: Option<String>,
    /// The model server, http://HOST:PORT or https://HOST, with or without a path.
    #[arg(long, value_name = "URL", required_unless_present = "config", conflicts_with = "config")]
    pub(crate) upstream: Option<String>,
    /// Where to listen.
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: SocketAddr,
    /// The request header that says which person the decision is about.
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub(crate) subject_header: Option<String>,
    /// A TOML file with routes, in place of --system and --upstream.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The organisation in the log's name; counts only when the data directory is new [default: the node's random id].
    #[arg(long, value_name = "NAME")]
    pub(crate) org: Option<String>,
    /// Where to keep the newest checkpoint a second time, on storage that is not restored together with the data directory.
    #[arg(long, value_name = "DIR")]
    pub(crate) twin: Option<PathBuf>,
    /// Keep a copy of the keystore here, brought up to date at start, at erasures and at the end; may be given several times.
    #[arg(long, value_name = "DIR")]
    pub(crate) backup: Vec<PathBuf>,
    /// For how many days backups of the data directory are kept that others make: certificates of erasure name the day on which the
    /// last one is gone.
    #[arg(long, value_name = "DAYS")]
    pub(crate) backup_days: Option<u32>,
    /// The index that follows the log: sqlite (in the data directory), none, or a PostgreSQL database: postgres://USER@HOST/DATABASE, or
    /// env:NAME or file:PATH that holds the URL; may be given several times [default: what the file says, else sqlite]
    #[arg(long, value_name = "PLACE", value_parser = IndexChoice::parse)]
    pub(crate) index: Vec<IndexChoice>,
    /// Where records are read over HTTP (docs/reader.md), apart from the gateway: 127.0.0.1:PORT, [::1]:PORT or unix:PATH.
    #[arg(long, value_name = "ADDR", value_parser = ReaderAddress::parse)]
    pub(crate) reader: Option<ReaderAddress>,
    /// What reading needs: env:NAME or file:PATH that holds a token [default: env:INFERLOG_READER_TOKEN]
    #[arg(long, value_name = "PLACE", requires = "reader", value_parser = TokenPlace::parse)]
    pub(crate) reader_token: Option<TokenPlace>,
    /// What erasures, holds and incidents over HTTP need: another token, env:NAME or file:PATH; without, there are none
    #[arg(long, value_name = "PLACE", requires = "reader", value_parser = TokenPlace::parse)]
    pub(crate) compliance_token: Option<TokenPlace>,
    /// Begin a new log for each system, after data was lost; the old one stays readable.
    #[arg(long)]
    pub(crate) new_epoch: bool,
    /// The form of this process's own log.
    #[arg(long, value_enum, default_value_t = LogForm::Auto)]
    pub(crate) log: LogForm,
}

/// Time between two updates of the keystore's copies.
const BACKUP_PERIOD: Duration = Duration::from_secs(600);

pub(crate) fn run(args: ServeArgs) -> Result<Verdict, Failure> {
    logging::init(args.log);
    raise_descriptor_limit();
    tokio::runtime::Runtime::new()?.block_on(serve(args))
}

/// Every client, every pooled upstream connection and some twenty files a system take a descriptor; the usual soft limit of
/// 1,024 is meant for programs that call select(2).
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}

async fn serve(args: ServeArgs) -> Result<Verdict, Failure> {
    let (routes, access, configuration) = read::routes(&args)?;
    let followers = read::followers(&args, &configuration)?;
    let reader = read::reader_config(&args, &configuration)?;
    // Bound before anything is opened: an address that is taken is told at once.
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::new(format!("cannot listen on {}: {error}: give another --listen", args.listen))
    })?;
    let reader = match reader {
        Some(config) => Some((ReaderListener::bind(&config.listen).await?, config)),
        None => None,
    };
    let (vouching, timestamping) =
        (read::vouching(&args, &configuration)?, read::timestamping(&args, &configuration)?);
    let (schedule, retention) =
        (read::schedule(&args, &configuration)?, read::retention(&args, &configuration)?);
    let policies = match &args.config {
        Some(path) => configured(path, &configuration)?,
        None => Vec::new(),
    };
    let clock_ahead_max = retention.config().clock_ahead_max;
    let settings = Settings { policies, clock_ahead_max, ..settings(&args, configuration, &routes) };
    let env = real_env();
    let witnessed = match &vouching {
        // Before the directory is opened: opening signs.
        Some(vouching) => vouching.ask_twins(&env.fs, &settings).await?,
        None => TwinAsked::default(),
    };
    let mut voucher = Voucher::new(vouching, timestamping, &env, &settings.data);
    let instance = Instance::open(env, &settings).await?;
    let mut config = GatewayConfig::new(routes.clone());
    config.registry = Some(instance.registry.clone());
    config.api = access;
    config.followers = Some(followers.samples());
    config.vouched = voucher.samples();
    config.drills = schedule.samples();
    config.retention = Some(retention.samples());
    let gateway = Gateway::new(config, instance.recorder.clone()).await?;
    let (data, current) = (instance.data.clone(), Current::from(instance).followed(followers).await);
    let admin = AdminServer::start(&data, current.clone())?;
    let reader = reader.map(|(listener, config)| ReaderServer::start(listener, config, current.clone()));
    let reader = reader.transpose()?;
    // Whoever reads that it listens may ask it to stop.
    let (stop, stop_now) = (Signals::new()?, Signals::new()?);
    if let Some(reader) = &reader {
        tracing::info!("records are read at {}", reader.address());
    }
    let without: Vec<SystemName> = without_policy(read::systems(&routes), &current).await;
    announce(&args, &routes, listener.local_addr()?, &witnessed, &without);
    voucher.start();
    schedule.start(current.clone());
    retention.start(current.clone());
    let backups = tokio::spawn(keep_backups(current.clone()));
    let again = Settings { new_epochs: Vec::new(), policies: Vec::new(), ..settings };
    let keeper = Keeper::start(current.clone(), gateway.clone(), again);

    until_stopped(gateway, listener, stop, stop_now).await?;
    drop((admin, reader));
    backups.abort();
    schedule.stop();
    retention.stop();
    keeper.stop().await;
    close(&current, voucher).await
}

/// Serves until a signal asks it to end, and requests in progress have ended; an error if a second one did not wait for these.
async fn until_stopped(
    gateway: Gateway,
    listener: TcpListener,
    mut stop: Signals,
    mut stop_now: Signals,
) -> Result<(), Failure> {
    let served = gateway.serve(listener, async move {
        stop.next().await;
        tracing::info!("stopping: requests in progress are finished first; a second signal stops at once");
    });
    let interrupted = async {
        stop_now.next().await;
        stop_now.next().await;
    };
    tokio::select! {
        () = served => Ok(()),
        () = interrupted => Err(Failure::new(
            "stopped at once: decisions in progress will be recorded as interrupted by the next start",
        )),
    }
}

/// Ends in order: what is recorded is told first, then followed as far as the time allows.
async fn close(current: &Current, voucher: Voucher) -> Result<Verdict, Failure> {
    let instance = current.get().await;
    instance.recorder.close().await?;
    voucher.stop().await;
    let followers = current.followers().clone();
    drop(tokio::task::spawn_blocking(move || followers.stop()).await);
    back_up(&instance).await;
    if let Some((count, _)) = instance.recorder.lapses().untold() {
        tracing::error!(
            count,
            "answers passed unrecorded that the log could not be told of: the next start records a gap of unknown size"
        );
    }
    if let Some(why) = instance.recorder.health().log.poisoned {
        return Err(Failure::new(format!(
            "stopped while the log had failed: {why}. The next start recovers it"
        )));
    }
    tracing::info!("stopped");
    Ok(Verdict::Well)
}

/// How the directory is opened.
fn settings(args: &ServeArgs, configuration: String, routes: &[Route]) -> Settings {
    let mut settings = Settings::new(&args.open.dir.data);
    settings.root_key.clone_from(&args.open.root_key);
    settings.org.clone_from(&args.org);
    settings.twins.clone_from(&args.twin);
    settings.backups.clone_from(&args.backup);
    settings.backup_horizon = args.backup_days.map(|days| Duration::from_secs(86_400 * u64::from(days)));
    settings.configuration = configuration;
    if args.new_epoch {
        settings.new_epochs = read::systems(routes);
    }
    settings
}

/// Says what is served, where the data lies, and what nobody should be mistaken about.
fn announce(
    args: &ServeArgs,
    routes: &[Route],
    address: SocketAddr,
    witnessed: &TwinAsked,
    without: &[SystemName],
) {
    let data = &args.open.dir.data;
    for route in routes {
        let upstream =
            format!("{}://{}{}", route.upstream.scheme, route.upstream.authority, route.upstream.base);
        tracing::info!(
            route = %route.name, system = %route.system, wire = route.wire.name(), path = %route.path, upstream,
            "recording"
        );
    }
    tracing::info!(data = %data.display(), "the log lies here; content is sealed, the root key lies elsewhere");
    witnessed.tell();
    match &args.twin {
        None if witnessed.protects() => {}
        None => tracing::warn!(
            "no rollback protection: a restored older copy of the data directory would not be noticed; --twin DIR on \
             other storage gives it"
        ),
        Some(twin) if same_device(twin, data) && !witnessed.protects() => tracing::warn!(
            twin = %twin.display(),
            "no rollback protection: the twin is on the same device as the data directory, and would be restored with it"
        ),
        Some(twin) => {
            tracing::info!(twin = %twin.display(), "rollback protection: the newest checkpoint is kept here too")
        }
    }
    for system in without {
        tracing::warn!(
            %system,
            "no policy is in force: all is kept for ever; `inferlog policy presets` has examples to begin with"
        );
    }
    tracing::info!("listening on http://{address}");
}

fn same_device(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| fs::metadata(path).map(|found| found.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}

async fn keep_backups(current: Current) {
    loop {
        back_up(&*current.get().await).await;
        tokio::time::sleep(BACKUP_PERIOD).await;
    }
}

async fn back_up(instance: &Instance) {
    let instance = instance.clone();
    let Ok(reports) = tokio::task::spawn_blocking(move || instance.back_up()).await else { return };
    for report in reports {
        if let Some(error) = report.failed {
            tracing::error!(place = %report.place.display(), error, "this copy of the keystore is not up to date");
        }
    }
}

/// The signals that ask a process to end.
pub(crate) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
