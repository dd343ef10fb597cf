//! The passphrase of the process: read once, stretched, and wiped.

use std::io::{self, Read};

use aws_lc_rs::hmac;
use keystead_base::{PublicAccount, Secret};
use keystead_keys::{
    HdRoot, Kdf, MAX_PASSPHRASE_BYTES, MemberError, MemberKey, MemberKeyFile, Mnemonic, SealError, SealingKey,
};
use keystead_threshold::{ed25519_public, ed25519_scalar};
use secp256k1::{PublicKey, Secp256k1, SecretKey};

use crate::EnclaveError;
use crate::protocol::TaprootAccount;

/// A passphrase; wiped when it is forgotten or dropped.
pub(crate) struct Passphrase {
    bytes: Secret<[u8; MAX_PASSPHRASE_BYTES + 1]>,
    length: usize,
}

impl Passphrase {
    /// Reads a credential file to its end; one line break at its end is not part of the passphrase.
    pub(crate) fn read(mut file: impl Read) -> io::Result<Self> {
        let mut this = Self { bytes: Secret::new([0; MAX_PASSPHRASE_BYTES + 1]), length: 0 };
        loop {
            let (_, rest) = this.bytes.expose_mut().split_at_mut(this.length);
            match file.read(rest)? {
                0 => break,
                count => this.length += count,
            }
        }
        if this.length > MAX_PASSPHRASE_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the passphrase is too long"));
        }
        if this.text().ends_with(b"\n") {
            this.length -= 1;
        }
        Ok(this)
    }

    /// From now on the passphrase is HMAC-SHA-512 of what it was, under a root that a token decrypted: both are needed
    /// (specs/keys.md, "Seals").
    pub(crate) fn join(&mut self, root: &Secret<Vec<u8>>) {
        let key = hmac::Key::new(hmac::HMAC_SHA512, root.expose());
        let joined = hmac::sign(&key, self.text());
        self.bytes.expose_mut().fill(0);
        self.bytes.expose_mut().iter_mut().zip(joined.as_ref()).for_each(|(to, from)| *to = *from);
        self.length = joined.as_ref().len();
    }

    /// The sealing key of these parameters.
    pub(crate) fn stretch(&self, kdf: Kdf) -> Result<SealingKey, SealError> {
        SealingKey::derive(self.text(), kdf)
    }

    /// Opens a member's key file.
    pub(crate) fn open(&self, file: &MemberKeyFile) -> Result<MemberKey, MemberError> {
        file.open(self.text())
    }

    /// The whole key that stands in the file of a scratch enclave: BIP-39 words, whose accounts are at `m/44'/60'/0'/0`, or a
    /// raw key of 32 bytes in hexadecimal, which is its own one account, or a key of Ed25519 as `solana-keygen` writes it. Of
    /// words it may be a taproot wallet, too.
    pub(crate) fn whole_key(&self, taproot: Option<TaprootAccount>) -> Result<Whole, EnclaveError> {
        let text = std::str::from_utf8(self.text()).map_err(|_| EnclaveError::Secret)?.trim();
        if taproot.is_none() && text.starts_with('[') {
            return keypair(text).ok_or(EnclaveError::Secret);
        }
        if taproot.is_some() || text.contains(' ') {
            return wallet(text, taproot);
        }
        let mut secret = Secret::new([0; 32]);
        let digits = text.strip_prefix("0x").unwrap_or(text);
        const_hex::decode_to_slice(digits, secret.expose_mut()).map_err(|_| EnclaveError::Secret)?;
        let mut key = SecretKey::from_byte_array(*secret.expose()).map_err(|_| EnclaveError::Secret)?;
        let account = PublicAccount::lone(PublicKey::from_secret_key(&Secp256k1::new(), &key).serialize());
        key.non_secure_erase();
        let drawn = Secret::new(secret.expose().to_vec());
        Ok(Whole { secret, account, drawn })
    }

    /// Wipes it; from now on it is empty, which no file opens with.
    pub(crate) fn forget(&mut self) {
        self.bytes.expose_mut().fill(0);
        self.length = 0;
    }

    fn text(&self) -> &[u8] {
        self.bytes.expose().split_at(self.length).0
    }
}

/// The account of words: Ethereum's, or that of a taproot wallet, whose addresses are two steps below it, none of them hardened.
fn wallet(words: &str, taproot: Option<TaprootAccount>) -> Result<Whole, EnclaveError> {
    let mnemonic = Mnemonic::from_words(words)?;
    let root = HdRoot::from_seed(&mnemonic.seed(""))?;
    let hardened = |step: u32| (step < HARDENED).then_some(step | HARDENED).ok_or(EnclaveError::Secret);
    let (node, account) = match taproot {
        None => {
            let node = root.ethereum()?;
            let account = node.public();
            (node, account)
        }
        Some(TaprootAccount { coin, account }) => {
            let node = root.descend(&[hardened(TAPROOT_PURPOSE)?, hardened(coin)?, hardened(account)?])?;
            let public = node.public();
            (node, PublicAccount::taproot(public.compressed(), public.chain_code.0))
        }
    };
    Ok(Whole { secret: node.scalar(), account, drawn: mnemonic.entropy() })
}

/// A key that is whole in one place.
pub(crate) struct Whole {
    /// The scalar that signs: the root's, where the key has children.
    pub(crate) secret: Secret<[u8; 32]>,
    /// What its addresses derive from.
    pub(crate) account: PublicAccount,
    /// What was drawn when it was made.
    pub(crate) drawn: Secret<Vec<u8>>,
}

/// 64 numbers in brackets: the seed of RFC 8032, and the public key that it must have.
fn keypair(text: &str) -> Option<Whole> {
    let numbers = text.strip_prefix('[')?.strip_suffix(']')?.split(',');
    let mut bytes = Secret::new([0_u8; 64]);
    let mut places = bytes.expose_mut().iter_mut();
    for number in numbers {
        *places.next()? = number.trim().parse().ok()?;
    }
    if places.next().is_some() {
        return None;
    }
    let (seed, public) = bytes.expose().split_first_chunk::<32>()?;
    let seed = Secret::new(*seed);
    let secret = ed25519_scalar(&seed)?;
    let key = ed25519_public(&secret).filter(|key| key.as_slice() == public)?;
    let drawn = Secret::new(seed.expose().to_vec());
    Some(Whole { secret, account: PublicAccount::ed25519(key), drawn })
}

const HARDENED: u32 = 1 << 31;
/// BIP-86.
const TAPROOT_PURPOSE: u32 = 86;

#[cfg(test)]
mod tests {
    use super::*;

    /// The account of the vectors of BIP-86, and none of what is no words.
    #[test]
    fn k04_words_are_the_taproot_wallet_that_they_are_elsewhere() {
        let words =
            "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about";
        let whole = |text: &str, coin, account| {
            Passphrase::read(text.as_bytes()).unwrap().whole_key(Some(TaprootAccount { coin, account }))
        };
        let key = whole(words, 0, 0).unwrap();
        // xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ.
        let public = "03418278a2885c8bb98148158d1474634097a179c642f23cf1cc04da629ac6f0fb";
        assert_eq!(const_hex::encode(key.account.compressed()), public);
        assert_eq!(key.drawn.expose(), &[0; 16]);
        let secret = SecretKey::from_byte_array(*key.secret.expose()).unwrap();
        assert_eq!(const_hex::encode(secret.public_key(&Secp256k1::new()).serialize()), public);
        assert!(key.account.is_taproot());
        for other in [whole(words, 1, 0), whole(words, 0, 1)] {
            assert_ne!(other.unwrap().account, key.account);
        }
        assert!(matches!(whole(words, 1 << 31, 0).err(), Some(EnclaveError::Secret)));
        assert!(whole(&"7".repeat(64), 0, 0).is_err(), "a raw key has no accounts");
    }

    /// The seed of RFC 8032, section 7.1, test 1, and its public key, as `solana-keygen` writes them.
    #[test]
    fn k04_a_key_of_ed25519_is_read_with_the_public_key_that_it_has() {
        let seed =
            const_hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let public =
            const_hex::decode("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").unwrap();
        let whole = |numbers: &[u8]| {
            let numbers: Vec<_> = numbers.iter().map(u8::to_string).collect();
            let text = format!("[{}]\n", numbers.join(", "));
            Passphrase::read(text.as_bytes()).unwrap().whole_key(None)
        };
        let both = [seed.clone(), public.clone()].concat();
        let key = whole(&both).unwrap();
        assert_eq!(key.account.ed25519_key().unwrap().as_slice(), public);
        assert_eq!((key.drawn.expose(), ed25519_public(&key.secret)), (&seed, key.account.ed25519_key()));
        let mut other = both.clone();
        other[63] ^= 1;
        for wrong in [&both[..63], &[&both[..], &[0]].concat(), &other, &seed] {
            assert!(matches!(whole(wrong).err(), Some(EnclaveError::Secret)));
        }
    }

    /// Neither alone is the other, and the order of the two matters.
    #[test]
    fn k05_a_passphrase_with_a_root_is_that_of_rfc_4231_and_neither_alone() {
        // RFC 4231, test case 2.
        let mut passphrase = Passphrase::read(b"what do ya want for nothing?".as_slice()).unwrap();
        passphrase.join(&Secret::new(b"Jefe".to_vec()));
        let expected = "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
                        9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737";
        assert_eq!(const_hex::encode(passphrase.text()), expected);
        passphrase.forget();
        assert_eq!(passphrase.text(), b"");
    }

    #[test]
    fn one_line_break_is_dropped_and_length_is_limited() {
        for (file, text) in [("secret\n", "secret"), ("secret", "secret"), ("a\n\n", "a\n"), ("", "")] {
            let mut passphrase = Passphrase::read(file.as_bytes()).unwrap();
            assert_eq!(passphrase.text(), text.as_bytes());
            passphrase.forget();
            assert_eq!(passphrase.text(), b"");
        }
        assert!(Passphrase::read([7; MAX_PASSPHRASE_BYTES].as_slice()).is_ok());
        assert!(Passphrase::read([7; MAX_PASSPHRASE_BYTES + 1].as_slice()).is_err());
    }
}
