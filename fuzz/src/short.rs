//! The short form of a target: its seeds, then mutations of them, the same ones each time.
//!
//! `FUZZ_RUNS=n` sets how many mutations. An input that fails is written to `target/fuzz/<target>`; add it to
//! `fuzz/seeds/<target>` with the repair.

#![allow(unreachable_pub, dead_code, reason = "the crates' tests take this file in as a module of their own")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

/// Inputs are not made longer.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// Runs a target on every seed and on `runs` mutations of them.
pub fn run(target: &str, runs: u64, check: fn(&[u8])) {
    let seeds = seeds(target);
    let runs = std::env::var("FUZZ_RUNS").map_or(runs, |runs| runs.parse().expect("FUZZ_RUNS is a number"));
    seeds.iter().for_each(|seed| try_one(target, check, seed));
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..runs {
        let mut input = seeds[rng.usize(..seeds.len())].clone();
        for _ in 0..rng.usize(1..5) {
            mutate(&mut rng, &mut input, &seeds);
        }
        input.truncate(INPUT_BYTES_MAX);
        try_one(target, check, &input);
    }
}

fn try_one(target: &str, check: fn(&[u8]), input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| check(input))) {
        let path = root().join("target/fuzz").join(target);
        let kept = fs::create_dir_all(root().join("target/fuzz")).and_then(|()| fs::write(&path, input));
        eprintln!("the input that failed is in {} ({kept:?})", path.display());
        resume_unwind(panic);
    }
}

/// The checkout: cargo runs a test in its crate's folder.
fn root() -> PathBuf {
    let here = std::env::current_dir().expect("a working directory");
    here.ancestors().find(|dir| dir.join("fuzz/seeds").is_dir()).expect("the checkout").to_owned()
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/seeds").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds in {}", folder.display());
    paths.iter().map(|path| fs::read(path).expect("a seed")).collect()
}

/// One change such as fuzzers make: bits, bytes, numbers, cuts, repeats, pieces of other seeds.
fn mutate(rng: &mut fastrand::Rng, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
    const NUMBERS: [u64; 9] = [0, 1, 127, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 63, u64::MAX];
    let at = rng.usize(..=input.len());
    let end = (at + rng.usize(1..40)).min(input.len());
    match rng.u8(..8) {
        0 | 1 if at < input.len() => input[at] ^= 1 << rng.u8(..8),
        2 if at < input.len() => input[at] = rng.u8(..),
        3 => drop(input.drain(at..end)),
        4 => input.truncate(at),
        5 => {
            let piece: Vec<u8> = input[at..end].to_vec();
            let to = rng.usize(..=input.len());
            input.splice(to..to, piece);
        }
        6 => {
            let width = [1, 2, 4, 8][rng.usize(..4)];
            let number = NUMBERS[rng.usize(..NUMBERS.len())].to_be_bytes();
            let end = (at + width).min(input.len());
            input.splice(at..end, number[8 - width..].iter().copied());
        }
        _ => {
            let other = &seeds[rng.usize(..seeds.len())];
            let from = rng.usize(..=other.len());
            let to = (from + rng.usize(1..200)).min(other.len());
            input.splice(at..end, other[from..to].iter().copied());
        }
    }
}
