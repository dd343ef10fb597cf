//! Known-answer tests of how a seed is derived, and of the health tests: one that never fails is worth nothing.

use keystead_base::{Coded as _, SelfTest};

use crate::{Health, Source, expand};

/// All of them.
pub const ENTROPY_SELF_TESTS: &[SelfTest] = &[
    // The input of RFC 5869's first test case with SHA-512.
    SelfTest {
        name: "hkdf_sha_512",
        compute: || {
            let mut out = vec![0; 42];
            expand(&PRK, &[0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9], &mut out).ok()?;
            Some(out)
        },
        answer: "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb",
    },
    // What each source's tests say of samples that are well, stuck and biased.
    SelfTest {
        name: "health_tests",
        compute: || Some(Source::ALL.into_iter().flat_map(verdicts).collect()),
        answer: "000102000102000102000102000102000102000102000102",
    },
];

/// 0 for well, 1 for stuck, 2 for biased.
fn verdicts(source: Source) -> [u8; 3] {
    let well: Vec<u8> = (0..=255).collect();
    // Broken off just before it is stuck, over and over.
    let run = source.claim().repetitions;
    let biased: Vec<u8> = (1..=4096_u32).map(|at| if at % run == 0 { 8 } else { 7 }).collect();
    [well, vec![7; 4096], biased].map(|samples| match Health::new(source).take(&samples) {
        Ok(()) => 0,
        Err(error) if error.code() == "entropy.stuck" => 1,
        Err(_) => 2,
    })
}

const PRK: [u8; 64] = [
    0x66, 0x57, 0x99, 0x82, 0x37, 0x37, 0xde, 0xd0, 0x4a, 0x88, 0xe4, 0x7e, 0x54, 0xa5, 0x89, 0x0b, 0xb2,
    0xc3, 0xd2, 0x47, 0xc7, 0xa4, 0x25, 0x4a, 0x8e, 0x61, 0x35, 0x07, 0x23, 0x59, 0x0a, 0x26, 0xc3, 0x62,
    0x38, 0x12, 0x7d, 0x86, 0x61, 0xb8, 0x8c, 0xf8, 0x0e, 0xf8, 0x02, 0xd5, 0x7e, 0x2f, 0x7c, 0xeb, 0xcf,
    0x1e, 0x00, 0xe0, 0x83, 0x84, 0x8b, 0xe1, 0x99, 0x29, 0xc6, 0x1b, 0x42, 0x37,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_every_answer_is_given_and_one_flipped_bit_of_it_is_noticed() {
        let found =
            ENTROPY_SELF_TESTS.iter().map(|test| (test.name, const_hex::encode((test.compute)().unwrap())));
        let answers = ENTROPY_SELF_TESTS.iter().map(|test| (test.name, test.answer.to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), answers.collect::<Vec<_>>());
        for test in ENTROPY_SELF_TESTS {
            test.run(&|_, _| {}).unwrap();
            test.run(&|_, found| found.iter_mut().take(1).for_each(|byte| *byte ^= 1)).unwrap_err();
        }
    }
}
