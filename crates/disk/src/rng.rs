//! Randomness.

use std::fmt::Debug;

use parking_lot::Mutex;

use crate::{DiskError, Result};

/// A source of random bytes.
pub trait Rng: Send + Sync + Debug + 'static {
    /// Fills `buf`. Fails only where the operating system has no randomness to give: make no key then.
    fn fill(&self, buf: &mut [u8]) -> Result<()>;
}

/// The operating system's cryptographic generator (`getrandom(2)` and its like).
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

impl Rng for OsRng {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        getrandom::fill(buf).map_err(|source| {
            DiskError::new("read random bytes from", "the operating system", std::io::Error::from(source))
        })
    }
}

/// The same bytes for the same seed, for tests. **Not cryptographic**: whoever knows the seed knows every key.
#[derive(Debug)]
pub struct SeededRng(Mutex<fastrand::Rng>);

impl SeededRng {
    /// A generator that `seed` alone decides.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Rng for SeededRng {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        self.0.lock().fill(buf);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(rng: &dyn Rng) -> [u8; 32] {
        let mut buf = [0; 32];
        rng.fill(&mut buf).unwrap();
        buf
    }

    #[test]
    fn a_seed_decides_every_byte() {
        let (a, b, other) = (SeededRng::new(7), SeededRng::new(7), SeededRng::new(8));
        let first = bytes(&a);
        assert_eq!(first, bytes(&b));
        assert_ne!(first, bytes(&a), "a second draw repeats the first");
        assert_ne!(first, bytes(&other));
    }

    #[test]
    fn the_operating_system_never_repeats() {
        assert_ne!(bytes(&OsRng), bytes(&OsRng));
    }
}
