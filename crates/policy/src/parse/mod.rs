//! A policy from its text.
//!
//! ```toml
//! system = "credit-scoring"             # whose policy it is
//! version = "2026-11"                   # each version is registered once and never changes
//! profile = "high-risk"                 # default; or "biometric", "other"
//! failure = "block"                     # the laxest that a route may be; or "degrade"
//! unreadable = "keep"                   # content that detectors cannot read: sealed as it is (default), or "drop"
//! clear_content = ["output.final"]      # roles whose content may stand in an index in clear; default: none
//!
//! [[class]]                             # the first is that of all that no other names
//! name = "default"
//! routes = ["credit"]                   # whose decisions are of it
//! floor = "184 days"                    # never removed before
//! target = "7 months"                   # removed from then on
//! ceiling = "1 year"                    # removed by then, or it is reported
//! legal_basis = "Article 26(6) AI Act"
//! erasure = "always"                    # default; or "after-floor"
//! below_legal_floor = "who answers for it, and why"
//!
//! [[capture]]                           # the first that fits
//! name = "applicant"                    # stands in the record beside its count
//! role = "input.raw"                    # of all payloads, if there is none
//! pointer = "/applicants/*/name"        # of the whole payload, if there is none
//! action = "split"                      # or "keep", "drop"
//! class = "personal"                    # or "pseudonymous", "shared"
//!
//! [[detector]]                          # over all text that no rule of capture decides
//! name = "phone-numbers"
//! kind = "phone"                        # or email, iban, card, ip, names, national, pattern
//! countries = ["DE", "FR"]              # of phone and national; `names`, `pattern` of these
//! roles = ["input.raw"]                 # of all, if there is none
//! action = "drop"                       # or "split"
//!
//! [[price]]                             # of storage, or of a model's tokens
//! currency = "EUR"
//! gigabyte_month = 0.02
//!
//! [sampling]                            # not without need: all is recorded
//! method = "bernoulli"                  # with `probability`; or systematic with `every`, stratified with `strata`
//! probability = 0.05
//! rationale = "…"
//! acceptance = "…"
//! approver = "…"
//! ```

mod capture;
mod class;
mod price;
mod sampling;
mod text;

use inferlog_record::{ClearName, PayloadRole, SystemName};
use serde::Deserialize;
use toml::Spanned;

use crate::{Policy, PolicyError};
use capture::{CaptureFile, DetectorFile};
use class::ClassFile;
use price::PriceFile;
use sampling::SamplingFile;
use text::Text;

/// Longest text of a policy, bytes.
pub const POLICY_BYTES_MAX: usize = 1 << 20;

/// Most retention classes of a policy.
pub const CLASSES_MAX: usize = 64;

/// Most rules of capture, detectors, or prices, of a policy.
pub const RULES_MAX: usize = 1024;

/// Longest version of a policy, bytes: `<system>/<version>` is a name.
const VERSION_BYTES_MAX: usize = 64;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    system: Spanned<String>,
    version: Spanned<String>,
    profile: Option<Spanned<String>>,
    failure: Option<Spanned<String>>,
    unreadable: Option<Spanned<String>>,
    #[serde(default)]
    clear_content: Vec<Spanned<String>>,
    #[serde(default)]
    class: Vec<Spanned<ClassFile>>,
    #[serde(default)]
    capture: Vec<Spanned<CaptureFile>>,
    #[serde(default)]
    detector: Vec<Spanned<DetectorFile>>,
    #[serde(default)]
    price: Vec<Spanned<PriceFile>>,
    sampling: Option<Spanned<SamplingFile>>,
}

impl Policy {
    /// Reads a policy's text. What is well formed may still be refused: [`Policy::check`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            let what = format!("has {} bytes, and a policy {POLICY_BYTES_MAX} at most", text.len());
            return Err(PolicyError { line: None, key: "policy".into(), what });
        }
        let text = Text(text);
        let file: File = toml::from_str(text.0).map_err(|error| text.syntax(&error))?;
        if file.class.is_empty() {
            let what = "there is no retention class: add a `[[class]]` with `name`, `floor`, `target` and \
                        `legal_basis`";
            return Err(PolicyError { line: None, key: "class".into(), what: what.into() });
        }
        text.at_most(&file.class, CLASSES_MAX, "class")?;
        text.at_most(&file.capture, RULES_MAX, "capture")?;
        text.at_most(&file.detector, RULES_MAX, "detector")?;
        text.at_most(&file.price, RULES_MAX, "price")?;
        Ok(Self {
            system: text.read(&file.system, "system", SystemName::new)?,
            version: text.version(&file.version)?,
            profile: text.word("profile", file.profile.as_ref())?.unwrap_or_default(),
            failure: text.word("failure", file.failure.as_ref())?,
            unreadable: text.word("unreadable", file.unreadable.as_ref())?.unwrap_or_default(),
            clear_content: text.roles(&file.clear_content, "clear_content")?,
            classes: text.each(file.class, Text::class)?,
            capture: text.each(file.capture, Text::capture)?,
            detectors: text.each(file.detector, Text::detector)?,
            prices: text.each(file.price, Text::price)?,
            sampling: file.sampling.map(|sampling| text.sampling(sampling)).transpose()?,
        })
    }
}

impl Text<'_> {
    fn version(&self, version: &Spanned<String>) -> Result<ClearName, PolicyError> {
        match self.name(version, "version")? {
            name if name.as_str().len() <= VERSION_BYTES_MAX => Ok(name),
            _ => Err(self.error(
                version,
                "version",
                format!("has more than {VERSION_BYTES_MAX} bytes: write less"),
            )),
        }
    }

    fn roles(&self, texts: &[Spanned<String>], key: &str) -> Result<Vec<PayloadRole>, PolicyError> {
        texts.iter().map(|role| self.role(role, key)).collect()
    }

    fn role(&self, role: &Spanned<String>, key: &str) -> Result<PayloadRole, PolicyError> {
        self.read(role, key, |text| text.parse::<PayloadRole>())
    }

    fn names(&self, texts: &[Spanned<String>], key: &str) -> Result<Vec<ClearName>, PolicyError> {
        texts.iter().map(|name| self.name(name, key)).collect()
    }
}
