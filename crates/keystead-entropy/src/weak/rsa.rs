//! ROCA (CVE-2017-15361): RSA keys of certified chips whose primes have a structure that the modulus shows.

/// Whether a modulus (big-endian) has the fingerprint of the library: modulo each of these primes it is a power of 65,537. A
/// sound modulus has it about once in 2^27.
///
/// Source: Nemec, Sys, Svenda, Klinec, Matyas, "The Return of Coppersmith's Attack", CCS 2017, section 2.3.
#[must_use]
pub fn is_roca(modulus: &[u8]) -> bool {
    let is_zero = modulus.iter().all(|byte| *byte == 0);
    !is_zero && PRIMES.iter().all(|prime| is_power(rest(modulus, *prime), *prime))
}

fn rest(modulus: &[u8], prime: u32) -> u32 {
    modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn is_power(rest: u32, prime: u32) -> bool {
    let generator = 65_537 % prime;
    std::iter::successors(Some(1), |power| Some(power * generator % prime))
        .take(prime as usize)
        .any(|power| power == rest)
}

/// The primes at which powers of 65,537 are few.
const PRIMES: [u32; 17] = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
