//! Sampling.

use inferlog_record::Millionths;
use serde::Deserialize;
use toml::Spanned;

use super::text::Text;
use crate::{Method, PolicyError, Sample, Stratum};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SamplingFile {
    method: Spanned<String>,
    every: Option<Spanned<u32>>,
    probability: Option<Spanned<f64>>,
    strata: Option<Spanned<Vec<StratumFile>>>,
    rationale: Spanned<String>,
    acceptance: Spanned<String>,
    approver: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StratumFile {
    route: Spanned<String>,
    probability: Spanned<f64>,
}

impl Text<'_> {
    pub(super) fn sampling(&self, file: Spanned<SamplingFile>) -> Result<Sample, PolicyError> {
        let SamplingFile { rationale, acceptance, approver, .. } = file.get_ref();
        Ok(Sample {
            method: self.method(file.get_ref())?,
            rationale: self.words(rationale, "rationale", "say why a sample is enough")?,
            acceptance: self.words(
                acceptance,
                "acceptance",
                "say by what the sample is accepted as sufficient",
            )?,
            approver: self.words(approver, "approver", "say who approved it")?,
        })
    }

    fn method(&self, file: &SamplingFile) -> Result<Method, PolicyError> {
        let SamplingFile { method, every, probability, strata, .. } = file;
        let word = method.as_ref().as_str();
        let wants = match word {
            "systematic" => "every",
            "bernoulli" => "probability",
            "stratified" => "strata",
            _ => {
                let what = format!("{word:?} is none of \"systematic\", \"bernoulli\", \"stratified\"");
                return Err(self.error(method, "method", what));
            }
        };
        let has = [
            ("every", every.is_some()),
            ("probability", probability.is_some()),
            ("strata", strata.is_some()),
        ];
        if let Some((extra, _)) = has.into_iter().find(|(key, has)| *has && *key != wants) {
            return Err(self.error(method, extra, format!("does not belong to the method {word:?}")));
        }
        match (every, probability, strata) {
            (Some(every), ..) if *every.as_ref() >= 2 => Ok(Method::Systematic { every: *every.as_ref() }),
            (Some(every), ..) => {
                Err(self.error(every, "every", "is 2 at least: without sampling all is recorded"))
            }
            (_, Some(probability), _) => {
                Ok(Method::Bernoulli { probability: self.probability(probability)? })
            }
            (_, _, Some(strata)) if !strata.as_ref().is_empty() => {
                let strata = strata.as_ref().iter().map(|stratum| {
                    let probability = self.probability(&stratum.probability)?;
                    Ok(Stratum { route: self.name(&stratum.route, "route")?, probability })
                });
                Ok(Method::Stratified { strata: strata.collect::<Result<_, _>>()? })
            }
            _ => Err(self.error(method, wants, format!("the method {word:?} needs `{wants}`"))),
        }
    }

    fn probability(&self, probability: &Spanned<f64>) -> Result<Millionths, PolicyError> {
        let millionths = Millionths::from_f64(*probability.as_ref());
        let millionths = millionths.filter(|millionths| (1..=1_000_000).contains(&millionths.0));
        let what = "is a number from 0.000001 to 1";
        millionths.ok_or_else(|| self.error(probability, "probability", what))
    }
}
