//! Known-answer tests of what this crate computes with, by its own code where there is such.

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use chacha20poly1305::AeadInOut as _;
use keystead_base::{Secret, SelfTest};

use crate::seal::cipher;
use crate::{ChannelSecret, HdRoot, Mnemonic, RecipientKey, Slip10Key, Slip39Share, slip39_combine};

/// Those of what seals files of keys.
pub const SEAL_SELF_TESTS: &[SelfTest] = &[
    // RFC 9106, 5.3.
    SelfTest {
        name: "argon2id",
        compute: argon2id,
        answer: "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659",
    },
    // draft-irtf-cfrg-xchacha-03, A.3.1: the ciphertext and its tag, and whether an altered tag opens it.
    SelfTest {
        name: "xchacha20_poly1305",
        compute: xchacha,
        answer: "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
                 731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
                 2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
                 21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780a\
                 cf4900",
    },
];

/// Those of the others: backups, words, derivation, shares of a seed.
pub const KEYS_SELF_TESTS: &[SelfTest] = &[
    // Our own vector (X-Wing, HKDF-SHA-256, ChaCha20-Poly1305): hash of the key, hash of the encapsulation, tag, ciphertext; then
    // what comes out of it, and whether an altered tag opens it.
    SelfTest {
        name: "hpke_x_wing",
        compute: hpke,
        answer: "160ce0c22f27e86cec73cdb62e5cec29a01b8eb0b6d383cbc4b9555ccb45d627\
                 bcaa876dce88e28e328e2af1dafe6575dd63aa3c03ddfc5c2d584685e385da8d\
                 84027864ed3b586b7dfc5b1f407225b230cb9745633031147e24013b9dc1bd7a\
                 746ca17503a7662834245f49356864385a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\
                 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a00",
    },
    // RFC 5869 and RFC 8439 by other code: the ciphertext and its tag, what comes out of it, and whether an altered tag opens it.
    SelfTest {
        name: "channel_letter",
        compute: letter,
        answer: "f76d4656ee991aef7b3127ed862c722f3bb36368fd9258dc2e73656c662d7465737400",
    },
    // BIP-39's second vector: the words, and the seed under its passphrase (PBKDF2 with HMAC-SHA-512).
    SelfTest {
        name: "bip_39",
        compute: bip39,
        answer: "6c6567616c2077696e6e6572207468616e6b2079656172207761766520736175\
                 7361676520776f7274682075736566756c206c6567616c2077696e6e65722074\
                 68616e6b2079656c6c6f772e8905819b8723fe2c1d161860e5ee1830318dbf49\
                 a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069be3a3a5bd38\
                 1ee6260e8d9739fce1f607",
    },
    // BIP-32, test vector 2, at m/0/2147483647'.
    SelfTest {
        name: "bip_32",
        compute: || {
            let root = HdRoot::from_seed(&Secret::new(BIP_32_SEED)).ok()?;
            let child = root.descend(&[0, u32::MAX]).ok()?;
            Some(child.scalar().expose().to_vec())
        },
        answer: "877c779ad9687164e9c2f4f0f4ff0340814392330693ce95a58fe18fd52e6e93",
    },
    // SLIP-10, test vector 1 for Ed25519, at m/0'/1'.
    SelfTest {
        name: "slip_10",
        compute: || {
            let seed: [u8; 16] = std::array::from_fn(|at| at as u8);
            Some(Slip10Key::master(&seed).child(0).child(1).seed().to_vec())
        },
        answer: "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2",
    },
    // SLIP-39's vector of two shares (PBKDF2 with HMAC-SHA-256).
    SelfTest { name: "slip_39", compute: slip39, answer: "b43ceb7e57a0ea8766221624d01b0864" },
];

fn argon2id() -> Option<Vec<u8>> {
    let mut params = ParamsBuilder::new();
    let params =
        params.m_cost(32).t_cost(3).p_cost(4).data(AssociatedData::new(&[4; 12]).ok()?).output_len(32);
    let argon2 =
        Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params.build().ok()?).ok()?;
    let mut out = vec![0; 32];
    argon2.hash_password_into(&[1; 32], &[2; 16], &mut out).ok()?;
    Some(out)
}

fn xchacha() -> Option<Vec<u8>> {
    let (key, nonce): ([u8; 32], [u8; 24]) =
        (std::array::from_fn(|at| 0x80 + at as u8), std::array::from_fn(|at| 0x40 + at as u8));
    let cipher = cipher(&Secret::new(key));
    let mut text = XCHACHA_TEXT.to_vec();
    let tag = cipher.encrypt_inout_detached(&nonce.into(), XCHACHA_DATA, text.as_mut_slice().into()).ok()?;
    let (mut altered, mut twin) = (tag, text.clone());
    altered.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    let opened = cipher
        .decrypt_inout_detached(&nonce.into(), XCHACHA_DATA, twin.as_mut_slice().into(), &altered)
        .is_ok();
    let mut back = text.clone();
    cipher.decrypt_inout_detached(&nonce.into(), XCHACHA_DATA, back.as_mut_slice().into(), &tag).ok()?;
    (back == XCHACHA_TEXT).then(|| [text.as_slice(), tag.as_slice(), &[u8::from(opened)]].concat())
}

fn hpke() -> Option<Vec<u8>> {
    let key = RecipientKey::from_seed(&Secret::new([7; 32]))?;
    let mut secret = [0x5a; 32];
    let mut sealed = key.public().seal(b"self-test", b"place", &mut secret, &mut |bytes| bytes.fill(9))?;
    let mut opened = secret;
    key.open(b"self-test", &sealed, b"place", &mut opened)?;
    let encapsulated = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &sealed.key);
    let known =
        [key.public().fingerprint().as_bytes().as_slice(), encapsulated.as_ref(), &sealed.tag].concat();
    sealed.tag.iter_mut().take(1).for_each(|byte| *byte ^= 1);
    let altered = key.open(b"self-test", &sealed, b"place", &mut secret.clone()).is_some();
    Some([known.as_slice(), &secret, &opened, &[u8::from(altered)]].concat())
}

fn letter() -> Option<Vec<u8>> {
    let secret = ChannelSecret::new(Secret::new([7; 32]));
    let sealed = secret.seal(b"place", &Secret::new(b"self-test".to_vec()))?;
    let opened = secret.open(b"place", &sealed)?;
    let mut bent = sealed.clone();
    bent.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
    let altered = secret.open(b"place", &bent).is_some();
    Some([sealed.as_slice(), opened.expose(), &[u8::from(altered)]].concat())
}

fn bip39() -> Option<Vec<u8>> {
    let mnemonic = Mnemonic::from_entropy(&[0x7f; 16]).ok()?;
    let words = mnemonic.words();
    let again = Mnemonic::from_words(words.expose()).ok()?;
    Some([words.expose().as_bytes(), again.seed("TREZOR").expose()].concat())
}

fn slip39() -> Option<Vec<u8>> {
    let shares: Vec<_> =
        SLIP_39_SHARES.iter().map(|it| Slip39Share::from_words(it)).collect::<Result<_, _>>().ok()?;
    Some(slip39_combine(&shares, b"TREZOR").ok()?.expose().clone())
}

const XCHACHA_TEXT: &[u8] =
    b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for \
    the future, sunscreen would be it.";
const XCHACHA_DATA: &[u8] = &[0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
const BIP_32_SEED: [u8; 64] = [
    0xff, 0xfc, 0xf9, 0xf6, 0xf3, 0xf0, 0xed, 0xea, 0xe7, 0xe4, 0xe1, 0xde, 0xdb, 0xd8, 0xd5, 0xd2, 0xcf,
    0xcc, 0xc9, 0xc6, 0xc3, 0xc0, 0xbd, 0xba, 0xb7, 0xb4, 0xb1, 0xae, 0xab, 0xa8, 0xa5, 0xa2, 0x9f, 0x9c,
    0x99, 0x96, 0x93, 0x90, 0x8d, 0x8a, 0x87, 0x84, 0x81, 0x7e, 0x7b, 0x78, 0x75, 0x72, 0x6f, 0x6c, 0x69,
    0x66, 0x63, 0x60, 0x5d, 0x5a, 0x57, 0x54, 0x51, 0x4e, 0x4b, 0x48, 0x45, 0x42,
];
const SLIP_39_SHARES: [&str; 2] = [
    "shadow pistol academic always adequate wildlife fancy gross oasis cylinder mustang wrist rescue view short owner flip making coding armed",
    "shadow pistol academic acid actress prayer class unknown daughter sweater depict flip twice unkind craft early superior advocate guest smoking",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s07_every_answer_is_given_and_one_flipped_bit_of_it_is_noticed() {
        let all = || SEAL_SELF_TESTS.iter().chain(KEYS_SELF_TESTS);
        let found = all().map(|test| (test.name, const_hex::encode((test.compute)().unwrap())));
        let answers = all().map(|test| (test.name, test.answer.to_owned()));
        assert_eq!(found.collect::<Vec<_>>(), answers.collect::<Vec<_>>());
        for test in all() {
            test.run(&|_, _| {}).unwrap();
            test.run(&|_, found| found.iter_mut().take(1).for_each(|byte| *byte ^= 1)).unwrap_err();
        }
    }
}
