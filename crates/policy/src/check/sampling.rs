//! Sampling.

use std::collections::BTreeSet;

use super::{ACT_RECORDS, Findings, OWN};
use crate::{Method, Policy, Profile};

pub(super) fn check(policy: &Policy, found: &mut Findings) {
    let Some(sample) = &policy.sampling else { return };
    match policy.profile {
        Profile::Biometric => {
            let what = "every period of use and every match is to be recorded: no sample replaces them";
            found.refuse("sampling", what, "Regulation (EU) 2024/1689, Article 12(3)");
        }
        Profile::HighRisk => {
            let what = "Article 12 knows no exemption for samples: have your counsel say that recording some decisions is enough";
            found.warn("sampling", what, ACT_RECORDS);
        }
        Profile::Other => {}
    }
    if let Method::Stratified { strata } = &sample.method {
        let mut routes = BTreeSet::new();
        for stratum in strata.iter().filter(|stratum| !routes.insert(&stratum.route)) {
            let what = format!("two strata are of the route {}: leave one out", stratum.route);
            found.refuse("sampling: strata", what, OWN);
        }
    }
}
