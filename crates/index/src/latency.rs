//! Buckets of latencies: sixteen to the octave, as an HDR histogram has them. What falls into one is told by its middle, at most
//! 1/32 away.

/// How far a latency that is told from its bucket may be from the true one, at most.
pub const RELATIVE_ERROR_MAX: f64 = 1.0 / 32.0;

const SUB_BITS: u32 = 4;

/// The bucket of a latency in nanoseconds: below 16 its own, from then on sixteen of equal width for each power of two.
pub fn bucket(ns: u64) -> i32 {
    if ns < 1 << SUB_BITS {
        return ns as i32;
    }
    let octave = ns.ilog2() - SUB_BITS;
    ((octave << SUB_BITS) + (ns >> octave) as u32) as i32
}

/// The middle of a bucket, nanoseconds.
pub fn middle(bucket: i32) -> u64 {
    let bucket = bucket.unsigned_abs();
    if bucket < 2 << SUB_BITS {
        return u64::from(bucket);
    }
    // 64-bit numbers have no higher octave; a row that says otherwise is read as the last.
    let octave = ((bucket >> SUB_BITS) - 1).min(63 - SUB_BITS);
    let first = u64::from((bucket & 15) | 16) << octave;
    first + (1 << octave) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_near_the_middle_of_its_bucket_and_buckets_are_in_order() {
        let mut last = -1;
        for power in 0..64_u32 {
            for step in 0..64_u64 {
                let ns = (1_u64 << power) + ((1_u64 << power) as u128 * u128::from(step) / 64) as u64;
                let bucket = bucket(ns);
                assert!(bucket >= last, "{ns}");
                last = bucket;
                let off = middle(bucket).abs_diff(ns) as f64 / ns as f64;
                assert!(off <= RELATIVE_ERROR_MAX + 1e-9, "{ns} in {bucket} is told as {}", middle(bucket));
            }
        }
        assert_eq!(
            (bucket(0), bucket(15), bucket(16), bucket(31), bucket(32), bucket(34)),
            (0, 15, 16, 31, 32, 33)
        );
    }
}
