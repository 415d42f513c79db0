//! The kernel's own estimate of the wall clock (`adjtimex(2)`), whoever disciplines it: chrony, ntpd, systemd-timesyncd, PTP.

#![expect(unsafe_code, reason = "no maintained crate reads adjtimex(2); this file holds the one call")]

use crate::clock::ClockState;

/// What the kernel says; `None` if it does not answer.
pub(crate) fn kernel_state() -> Option<ClockState> {
    // SAFETY: `timex` is a C struct of integers, for which all bits zero is a value; a zero `modes` asks for a reading and
    // changes nothing, and needs no privilege.
    let mut reading: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a live, writable `timex` that the call fills in and does not keep.
    let state = unsafe { libc::adjtimex(&raw mut reading) };
    if state < 0 {
        return None;
    }
    Some(from_reading(state, reading.status, reading.offset, reading.maxerror))
}

/// `offset` is in nanoseconds if the status says so, else in microseconds; `maxerror` is in microseconds. The kernel's offset
/// is what remains to be added, so that a clock that is ahead has a negative one.
#[expect(clippy::useless_conversion, reason = "the fields are 32 bits wide on other platforms")]
fn from_reading(state: i32, status: i32, offset: libc::c_long, max_error: libc::c_long) -> ClockState {
    let unit_ns = if status & libc::STA_NANO != 0 { 1 } else { 1_000 };
    let synchronised = state != libc::TIME_ERROR && status & libc::STA_UNSYNC == 0;
    ClockState {
        synchronised,
        // Without a reference there is nothing that an offset could be from.
        offset_ns: synchronised.then(|| i64::from(offset).saturating_mul(unit_ns).saturating_neg()),
        max_error_ns: u64::try_from(max_error).ok().map(|error| error.saturating_mul(1_000)),
        source: "kernel".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_taken_in_its_units() {
        let synchronised = from_reading(libc::TIME_OK, libc::STA_NANO | libc::STA_PLL, -1_500, 20);
        assert_eq!(synchronised.offset_ns, Some(1_500));
        assert_eq!(synchronised.max_error_ns, Some(20_000));
        assert!(synchronised.synchronised);
        let micro = from_reading(libc::TIME_OK, libc::STA_PLL, 7, 1);
        assert_eq!(micro.offset_ns, Some(-7_000));
    }

    #[test]
    fn an_unsynchronised_clock_has_no_offset() {
        for (state, status) in [(libc::TIME_ERROR, libc::STA_NANO), (libc::TIME_OK, libc::STA_UNSYNC)] {
            let reading = from_reading(state, status, 5, 16_000_000);
            assert!(!reading.synchronised);
            assert_eq!(reading.offset_ns, None);
        }
    }

    #[test]
    fn this_kernel_answers() {
        let state = kernel_state().expect("adjtimex needs no privilege to read");
        assert_eq!(state.source, "kernel");
        assert!(state.max_error_ns.is_some());
    }
}
