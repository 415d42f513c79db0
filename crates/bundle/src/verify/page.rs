//! The page: made again from the other files, and compared byte for byte.

use sha2::{Digest, Sha256};

use super::Verifier;
use super::report::{Check, Outcome};
use crate::layout;
use crate::report::html;

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
            Ok(made) => {
                let differs = made.as_bytes().iter().zip(&page).position(|(made, found)| made != found);
                let at = differs.unwrap_or(made.len().min(page.len()));
                let what = "it is not what this build makes of the bundle's other files: an edited page can show anything, its \
                            own verdict included. The build that wrote the bundle may have made another one";
                self.fault_at(Check::Report, layout::REPORT, format!("byte {at}"), what);
            }
        }
    }
}
