//! Retention, for commands: what is due, removing it, what is kept and costs, and the clock.

use inferlog::Instance;
use inferlog_capture::recorder::Holdings;
use inferlog_policy::Price;
use inferlog_record::{Id, SystemName, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::output::Failure;
use crate::retention::forecast;

/// What is asked about retention.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum RetentionAct {
    /// What is due now, or would be at a time.
    Plan { system: Option<SystemName>, at: Option<Timestamp> },
    /// Remove what is due.
    Apply { system: Option<SystemName> },
    /// What is kept.
    Report { system: Option<SystemName> },
    /// Say that the clock is right, or was wrong while these entries were stamped.
    Settle { system: Option<SystemName>, disregard: Option<(u64, u64)>, actor: Option<String> },
}

/// What a system keeps, and what that costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SystemKept {
    /// What is there.
    #[serde(flatten)]
    pub(crate) holdings: Holdings,
    /// Bytes of everything.
    pub(crate) bytes: u64,
    /// Bytes of everything after one month, after two and so on.
    pub(crate) forecast: Vec<u64>,
    /// The price of storage that the policy states: currency, and what a gigabyte costs in a month.
    pub(crate) price: Option<(String, f64)>,
    /// What is there costs in a month, and what will be, by month.
    pub(crate) cost: Option<Vec<f64>>,
}

/// The clock was settled.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settled {
    pub(crate) system: SystemName,
    pub(crate) event: Id,
}

/// Does what is asked.
pub(super) async fn act(instance: &Instance, asked: RetentionAct) -> Result<Value, Failure> {
    let recorder = &instance.recorder;
    Ok(match asked {
        RetentionAct::Plan { system, at } => {
            serde_json::to_value(recorder.plan_purges(system.as_ref(), at).await?)?
        }
        RetentionAct::Apply { system } => serde_json::to_value(recorder.purge(system.as_ref()).await?)?,
        RetentionAct::Report { system } => serde_json::to_value(kept(instance, system.as_ref()).await?)?,
        RetentionAct::Settle { system, disregard, actor } => {
            let range = disregard.map(|(first, last)| first..=last);
            let told = recorder.settle_clock(system.as_ref(), range, actor.as_deref()).await?;
            recorder.integrate().await?;
            let settled = told.into_iter().map(|(system, event)| Settled { system, event });
            serde_json::to_value(settled.collect::<Vec<_>>())?
        }
    })
}

/// What every system keeps, or the one named.
pub(crate) async fn kept(instance: &Instance, only: Option<&SystemName>) -> Result<Vec<SystemKept>, Failure> {
    let systems = instance.recorder.systems().await;
    let of_system = |holdings: Holdings| {
        let system = systems.iter().find(|system| *system.name() == holdings.system);
        let policy = system.and_then(|system| system.policy());
        let price = policy.and_then(|policy| {
            policy.policy.prices.iter().find_map(|price| match price {
                Price::Storage { currency, gigabyte_month } => Some((currency.clone(), *gigabyte_month)),
                Price::Tokens { .. } => None,
            })
        });
        let classes = holdings.classes.iter().map(|class| class.log_bytes + class.pack_bytes);
        let bytes = classes.sum::<u64>() + holdings.other_bytes + holdings.older_bytes;
        let forecast = forecast::of_all(&holdings);
        let cost = price.as_ref().map(|(_, price)| {
            std::iter::once(bytes)
                .chain(forecast.iter().copied())
                .map(|bytes| forecast::cost(bytes, *price))
                .collect()
        });
        SystemKept { holdings, bytes, forecast, price, cost }
    };
    Ok(instance.recorder.holdings(only).await?.into_iter().map(of_system).collect())
}
