//! What FROST's two kinds of keys compute with, written out again: their groups' orders, hashes and encodings (RFC 9591, 6.1
//! and 6.5; BIP-340).

use alloy_primitives::U256;
use keystead_threshold::{Bip340, Ed25519, Suite};
use sha2::{Digest as _, Sha256, Sha512};

/// A kind of key, as the thieves compute with it.
pub trait Curve: Suite {
    /// The order of the group.
    const ORDER: U256;
    /// Bytes of a point.
    const POINT: usize;

    /// A scalar as it is sent and kept.
    fn read(scalar: &[u8]) -> U256;
    /// The number of a holder, as a scalar's bytes.
    fn index(index: u8) -> [u8; 32];
    /// The challenge over the nonce's point as a signature has it.
    fn challenged(nonce: &[u8], key: &[u8], text: &[u8]) -> U256;
    /// H4 and H5: what is hashed under a label.
    fn labelled(label: &str, bytes: &[u8]) -> Vec<u8>;
    /// H1: a binding factor.
    fn rho(input: &[u8]) -> U256;
}

impl Curve for Ed25519 {
    const ORDER: U256 =
        U256::from_limbs([0x5812_631a_5cf5_d3ed, 0x14de_f9de_a2f7_9cd6, 0, 0x1000_0000_0000_0000]);
    const POINT: usize = 32;

    fn read(scalar: &[u8]) -> U256 {
        U256::from_le_slice(scalar)
    }

    fn index(index: u8) -> [u8; 32] {
        U256::from(index).to_le_bytes()
    }

    fn challenged(nonce: &[u8], key: &[u8], text: &[u8]) -> U256 {
        let hash = Sha512::digest([nonce, key, text].concat());
        reduced(&hash.iter().rev().copied().collect::<Vec<u8>>(), Self::ORDER)
    }

    fn labelled(label: &str, bytes: &[u8]) -> Vec<u8> {
        Sha512::digest([ED25519, label.as_bytes(), bytes].concat()).to_vec()
    }

    fn rho(input: &[u8]) -> U256 {
        let hash = Self::labelled("rho", input);
        reduced(&hash.iter().rev().copied().collect::<Vec<u8>>(), Self::ORDER)
    }
}

impl Curve for Bip340 {
    const ORDER: U256 =
        U256::from_limbs([0xbfd2_5e8c_d036_4141, 0xbaae_dce6_af48_a03b, 0xffff_ffff_ffff_fffe, u64::MAX]);
    const POINT: usize = 33;

    fn read(scalar: &[u8]) -> U256 {
        U256::from_be_slice(scalar)
    }

    fn index(index: u8) -> [u8; 32] {
        U256::from(index).to_be_bytes()
    }

    fn challenged(nonce: &[u8], key: &[u8], text: &[u8]) -> U256 {
        let tag = Sha256::digest("BIP0340/challenge");
        let hash = Sha256::digest([&tag[..], &tag, nonce, &key[1..], text].concat());
        reduced(&hash, Self::ORDER)
    }

    fn labelled(label: &str, bytes: &[u8]) -> Vec<u8> {
        Sha256::digest([BIP340, label.as_bytes(), bytes].concat()).to_vec()
    }

    /// RFC 9380, 5.3.1: 48 bytes, of two blocks. The key is hashed as the one whose point is even.
    fn rho(input: &[u8]) -> U256 {
        let mut input = input.to_vec();
        input[0] = 2;
        let label = [BIP340, b"rho"].concat();
        let label = [&label[..], &[u8::try_from(label.len()).expect("a short label")]].concat();
        let zero = Sha256::digest([&[0_u8; 64][..], &input, &[0, 48, 0], &label].concat());
        let one = Sha256::digest([&zero[..], &[1], &label].concat());
        let both: Vec<u8> = zero.iter().zip(&one).map(|(a, b)| a ^ b).collect();
        let two = Sha256::digest([&both[..], &[2], &label].concat());
        reduced(&[&one[..], &two[..16]].concat(), Self::ORDER)
    }
}

/// Up to 64 bytes by the order, the highest first.
fn reduced(bytes: &[u8], order: U256) -> U256 {
    let (high, low) = bytes.split_at(bytes.len() - 32);
    // 2^256 by the order, which is not a power of two.
    let shift = (U256::MAX % order).add_mod(U256::from(1), order);
    U256::from_be_slice(high).mul_mod(shift, order).add_mod(U256::from_be_slice(low), order)
}

const ED25519: &[u8] = b"FROST-ED25519-SHA512-v1";
const BIP340: &[u8] = b"FROST-secp256k1-SHA256-TR-v1";
