//! Padmé buckets: how much the length of a payload may tell.

/// The smallest bucket.
pub const BUCKET_BYTES_MIN: u64 = 256;

/// The bucket of a plaintext of `len` bytes (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019,
/// algorithm 1): at most 12 % longer, and of length *L* only O(log log *L*) bits show. At least [`BUCKET_BYTES_MIN`].
///
/// ```
/// assert_eq!(inferlog_vault::padme(1_000), 1_024);
/// ```
pub fn padme(len: u64) -> u64 {
    let len = len.max(BUCKET_BYTES_MIN);
    let exponent = len.ilog2();
    let significant = exponent.ilog2() + 1;
    // A bucket beyond u64 cannot be filled: the length itself then.
    len.checked_next_multiple_of(1 << (exponent - significant)).unwrap_or(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_those_of_the_paper() {
        #[rustfmt::skip]
        let table = [
            (0, 256), (1, 256), (255, 256), (256, 256), (257, 272), (272, 272), (273, 288), (1_000, 1_024),
            (1_024, 1_024), (1_025, 1_088), (2_048, 2_048), (2_049, 2_176), (5_000, 5_120), (65_536, 65_536),
            (65_537, 67_584), (1_000_000, 1_015_808), (10_000_000, 10_223_616), (u64::MAX, u64::MAX),
        ];
        for (len, bucket) in table {
            assert_eq!(padme(len), bucket, "of {len}");
        }
    }

    #[test]
    fn a_bucket_wastes_at_most_an_eighth_and_is_its_own_bucket() {
        for len in 256..200_000 {
            let bucket = padme(len);
            assert!(bucket >= len && (bucket - len) * 100 < len * 12, "{len} to {bucket}");
            assert_eq!(padme(bucket), bucket);
        }
    }
}
