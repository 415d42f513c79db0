//! What is served: as the command line says, else as the file does.

use std::fs;

use inferlog_capture::api::Access;
use inferlog_capture::config::{self, ConfigError, IndexConfig, ReaderConfig};
use inferlog_capture::route::Route;
use inferlog_record::SystemName;

use super::ServeArgs;
use crate::drill::Schedule;
use crate::followers::{Followers, IndexChoice, Store};
use crate::output::Failure;
use crate::reader::TokenPlace;
use crate::retention::RetentionSchedule;
use crate::voucher::{Timestamping, Vouching};

/// The routes, who may attach events, and the text whose digest stands in the record as the configuration's.
pub(super) fn routes(args: &ServeArgs) -> Result<(Vec<Route>, Access, String), Failure> {
    if let Some(path) = &args.config {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::new(format!("cannot read {}: {error}", path.display())))?;
        let env = |name: &str| std::env::var(name).ok();
        let read = || Ok::<_, ConfigError>((config::routes(&text, &env)?, config::api(&text, &env)?));
        let (routes, access) =
            read().map_err(|error| Failure::new(format!("{}: {error}", path.display())))?;
        return Ok((routes, access, text));
    }
    // The command line asks for both where there is no file.
    let (Some(upstream), Some(system)) = (&args.upstream, &args.system) else {
        return Err(Failure::new("give --system and --upstream, or --config"));
    };
    let header = args.subject_header.as_deref();
    let text = format!("upstream={upstream} system={system} subject-header={header:?}");
    Ok((config::routes_from_flags(upstream, system, header)?, Access::default(), text))
}

/// Where records are read over HTTP: as the command line says, else as the file does.
pub(super) fn reader_config(args: &ServeArgs, configuration: &str) -> Result<Option<ReaderConfig>, Failure> {
    if let Some(listen) = args.reader.clone() {
        let token = args.reader_token.clone().unwrap_or_default().read().map_err(Failure::new)?;
        let compliance = args.compliance_token.as_ref().map(TokenPlace::read).transpose();
        let compliance = compliance.map_err(Failure::new)?;
        if compliance.as_ref() == Some(&token) {
            return Err(Failure::new("--compliance-token is the token that reads: give another one"));
        }
        return Ok(Some(ReaderConfig { listen, token, compliance, content: true }));
    }
    let Some(path) = &args.config else { return Ok(None) };
    let env = |name: &str| std::env::var(name).ok();
    config::reader(configuration, &env).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// Who vouches for checkpoints: as the file says, else nobody.
pub(super) fn vouching(args: &ServeArgs, configuration: &str) -> Result<Option<Vouching>, Failure> {
    let Some(path) = &args.config else { return Ok(None) };
    Vouching::read(configuration).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// Who stamps them with the time: as the file says, else nobody.
pub(super) fn timestamping(args: &ServeArgs, configuration: &str) -> Result<Option<Timestamping>, Failure> {
    let Some(path) = &args.config else { return Ok(None) };
    Timestamping::read(configuration).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// When what is due is removed: as the file says, else once a day.
pub(super) fn retention(args: &ServeArgs, configuration: &str) -> Result<RetentionSchedule, Failure> {
    let Some(path) = &args.config else { return Ok(RetentionSchedule::default()) };
    RetentionSchedule::read(configuration)
        .map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// What is drilled and when: as the file says, else nothing is.
pub(super) fn schedule(args: &ServeArgs, configuration: &str) -> Result<Schedule, Failure> {
    let Some(path) = &args.config else { return Ok(Schedule::default()) };
    Schedule::read(configuration).map_err(|error| Failure::new(format!("{}: {error}", path.display())))
}

/// What follows the log: as the command line says, else as the file does, else an index in SQLite.
pub(super) fn followers(args: &ServeArgs, configuration: &str) -> Result<Followers, Failure> {
    let file = match &args.config {
        Some(path) => config::index(configuration)
            .map_err(|error| Failure::new(format!("{}: {error}", path.display())))?,
        None => IndexConfig::default(),
    };
    let mut stores = Vec::new();
    if args.index.is_empty() {
        stores.extend(file.sqlite.then_some(Store::Sqlite));
        for place in &file.postgres {
            stores.push(Store::parse(place).map_err(Failure::new)?);
        }
    }
    for choice in &args.index {
        match choice {
            IndexChoice::Store(store) => stores.push(store.clone()),
            IndexChoice::None if args.index.len() > 1 => {
                return Err(Failure::new("--index none stands alone"));
            }
            IndexChoice::None => {}
        }
    }
    Ok(Followers::new(stores))
}

pub(super) fn systems(routes: &[Route]) -> Vec<SystemName> {
    let mut systems: Vec<_> = routes.iter().map(|route| route.system.clone()).collect();
    systems.sort();
    systems.dedup();
    systems
}
