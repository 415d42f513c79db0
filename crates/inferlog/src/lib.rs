//! The inference log of an AI system: every decision recorded, kept and provable.
//!
//! This is the facade: it opens a data directory with everything that recording needs ([`Instance`]) and names the parts. A
//! program that is not behind the gateway records through [`capture::recorder::Recorder`]:
//!
//! ```no_run
//! use inferlog::capture::recorder::{NewContent, NewDecision, NewEvent, closed};
//! use inferlog::record::body::{DecisionOpened, ExchangeEnd, Outcome};
//! use inferlog::record::{MediaType, PayloadRole, SystemName};
//! use inferlog::{Instance, Settings, real_env};
//!
//! # async fn record() -> Result<(), Box<dyn std::error::Error>> {
//! let instance = Instance::open(real_env(), &Settings::new("data")).await?;
//! let system = instance.recorder.system(&SystemName::new("credit-scoring")?).await?;
//! let input = NewContent::personal(MediaType::Json, r#"{"income": 48}"#);
//! let opened = NewEvent::new(DecisionOpened::default()).with(PayloadRole::InputRaw, input);
//! let mut decision = system.begin(NewDecision::new(opened)).await?;
//! // … the model works …
//! let recorded = decision.finish(vec![NewEvent::new(closed(Outcome::Answered, ExchangeEnd::Complete))]).await?;
//! println!("{} is durable", recorded.id());
//! instance.recorder.close().await?;
//! # Ok(())
//! # }
//! ```

#[doc(hidden)]
pub mod generate;
mod open;
mod policy;

pub use inferlog_audit as audit;
pub use inferlog_capture as capture;
pub use inferlog_disk as disk;
pub use inferlog_log as log;
pub use inferlog_merkle as merkle;
pub use inferlog_record as record;
pub use inferlog_registry as registry;
pub use inferlog_vault as vault;
pub use open::{Instance, OpenError, Settings, open_to_read, real_env};
pub use policy::{PolicyFault, PolicySet, policies_in_force, read_policy};
