//! The page: made again from the other files, and compared byte for byte.

use sha2::{Digest, Sha256};

use super::Verifier;
use super::report::{Check, Outcome};
use crate::layout;
use crate::report::html;

/// What bundles of this build say in `build`: the page of another build may look otherwise.
pub const BUILD: &str = concat!("inferlog/", env!("CARGO_PKG_VERSION"));

impl Verifier<'_> {
    pub(super) fn report(&mut self) {
        let Some(page) = self.read(layout::REPORT) else { return };
        if let Some(note) = self.read(layout::REPORT_NOTE) {
            let sha256 = Sha256::digest(&page).into();
            self.note_over(
                Check::Report,
                layout::REPORT_NOTE,
                &note,
                layout::REPORT_DOMAIN,
                sha256,
                layout::REPORT,
            );
        }
        match html(self.source) {
            Err(error) => self.fault(
                Check::Report,
                layout::REPORT,
                format!("it cannot be made again to compare: {error}"),
            ),
            Ok(made) if made.as_bytes() == page => {
                let what = "report.html is what the bundle's other files give";
                self.found.tell(Check::Report, Outcome::Passed, what);
            }
            Ok(made) if self.facts.as_ref().is_none_or(|facts| facts.build == BUILD) => {
                let differs = made.as_bytes().iter().zip(&page).position(|(made, found)| made != found);
                let at = differs.unwrap_or(made.len().min(page.len()));
                let what = "it is not the page that the bundle's other files give: an edited page can show anything, and call \
                            itself checked";
                self.fault_at(Check::Report, layout::REPORT, format!("byte {at}"), what);
            }
            Ok(_) => {
                let build = self.facts.as_ref().map_or("", |facts| facts.build.as_str());
                let what = format!(
                    "the page is signed, and not the one that {BUILD} makes: verify with {build}, which wrote the bundle, before \
                     you believe what it shows"
                );
                self.found.tell(Check::Report, Outcome::Unchecked, what);
            }
        }
    }
}
