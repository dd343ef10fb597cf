//! SLIP-10 for Ed25519: hardened steps only, one HMAC each.

use aws_lc_rs::hmac;
use keystead_base::Secret;

/// An Ed25519 seed somewhere in a tree.
pub struct Slip10Key(Secret<[u8; 64]>);

impl Slip10Key {
    /// The master key of a BIP-39 seed.
    #[must_use]
    pub fn master(seed: &[u8]) -> Self {
        Self::step(b"ed25519 seed", &[seed])
    }

    /// The hardened child at `index`; the hardened bit is set here.
    #[must_use]
    pub fn child(&self, index: u32) -> Self {
        let number = (index | 1 << 31).to_be_bytes();
        Self::step(self.chain_code(), &[&[0], self.seed(), &number])
    }

    /// The 32-byte seed of RFC 8032.
    #[must_use]
    pub fn seed(&self) -> &[u8] {
        self.0.expose().split_at(32).0
    }

    fn chain_code(&self) -> &[u8] {
        self.0.expose().split_at(32).1
    }

    fn step(key: &[u8], parts: &[&[u8]]) -> Self {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA512, key));
        parts.iter().for_each(|part| context.update(part));
        let mut both = Secret::new([0; 64]);
        both.expose_mut().copy_from_slice(context.sign().as_ref());
        Self(both)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_slip10_hold() {
        let mut count = 0;
        for line in include_str!("../tests/vectors/slip10.txt").lines().filter(|l| !l.starts_with('#')) {
            let [seed, path, chain_code, secret] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
            let steps = path.split('/').filter(|step| *step != "m").map(|step| step.parse::<u32>().unwrap());
            let master = Slip10Key::master(&const_hex::decode(seed).unwrap());
            let key = steps.fold(master, |key, step| key.child(step));
            assert_eq!(const_hex::encode(key.chain_code()), chain_code);
            assert_eq!(const_hex::encode(key.seed()), secret);
            count += 1;
        }
        assert_eq!(count, 12);
    }
}
