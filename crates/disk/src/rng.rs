//! Randomness.

use std::cell::RefCell;
use std::fmt::Debug;

use parking_lot::Mutex;

use crate::{DiskError, Result};

/// A source of random bytes.
pub trait Rng: Send + Sync + Debug + 'static {
    /// Fills `buf`. Fails only where the operating system has no randomness to give: make no key then.
    fn fill(&self, buf: &mut [u8]) -> Result<()>;
}

/// The operating system's cryptographic generator (`getrandom(2)` and its like). Small requests, such as nonces, are served
/// from a block that each thread fetches at once: sealing one decision would otherwise take some ten system calls.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsRng;

/// Bytes that a thread fetches at once.
const BLOCK_BYTES: usize = 512;
/// Longer requests, keys among them, go to the operating system.
const FROM_BLOCK_BYTES_MAX: usize = 16;

struct Block {
    bytes: [u8; BLOCK_BYTES],
    used: usize,
}

thread_local! {
    static BLOCK: RefCell<Block> = const { RefCell::new(Block { bytes: [0; BLOCK_BYTES], used: BLOCK_BYTES }) };
}

impl Rng for OsRng {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        if buf.len() > FROM_BLOCK_BYTES_MAX {
            return from_system(buf);
        }
        BLOCK.with_borrow_mut(|block| {
            if BLOCK_BYTES - block.used < buf.len() {
                from_system(&mut block.bytes)?;
                block.used = 0;
            }
            let bytes = &mut block.bytes[block.used..block.used + buf.len()];
            buf.copy_from_slice(bytes);
            // Given out once: nobody finds it here again.
            bytes.fill(0);
            block.used += buf.len();
            Ok(())
        })
    }
}

fn from_system(buf: &mut [u8]) -> Result<()> {
    getrandom::fill(buf).map_err(|source| {
        DiskError::new("read random bytes from", "the operating system", std::io::Error::from(source))
    })
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

    #[test]
    fn no_byte_of_a_block_is_given_out_twice() {
        // More than a block of each length, so that blocks end in the middle of a request.
        let draws: std::collections::BTreeSet<Vec<u8>> = (0..2_000)
            .map(|number| {
                let mut buf = vec![0; 8 + number % 9];
                OsRng.fill(&mut buf).unwrap();
                assert_ne!(buf, vec![0; buf.len()], "a used place is empty");
                buf[..8].to_vec()
            })
            .collect();
        assert_eq!(draws.len(), 2_000);
    }
}
