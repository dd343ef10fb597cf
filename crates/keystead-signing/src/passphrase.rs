//! The passphrase of the process: read once, stretched, and wiped.

use std::io::{self, Read};

use keystead_base::{PublicAccount, Secret};
use keystead_keys::{
    HdRoot, Kdf, MAX_PASSPHRASE_BYTES, MemberError, MemberKey, MemberKeyFile, Mnemonic, SealError, SealingKey,
};
use secp256k1::{PublicKey, Secp256k1, SecretKey};

use crate::EnclaveError;

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

    /// The sealing key of these parameters.
    pub(crate) fn stretch(&self, kdf: Kdf) -> Result<SealingKey, SealError> {
        SealingKey::derive(self.text(), kdf)
    }

    /// Opens a member's key file.
    pub(crate) fn open(&self, file: &MemberKeyFile) -> Result<MemberKey, MemberError> {
        file.open(self.text())
    }

    /// The whole key that stands in the file of a scratch enclave: BIP-39 words, whose accounts are at `m/44'/60'/0'/0`, or a
    /// raw key of 32 bytes in hexadecimal, which is its own one account.
    pub(crate) fn whole_key(&self) -> Result<Whole, EnclaveError> {
        let text = std::str::from_utf8(self.text()).map_err(|_| EnclaveError::Secret)?.trim();
        if text.contains(' ') {
            let mnemonic = Mnemonic::from_words(text)?;
            let node = HdRoot::from_seed(&mnemonic.seed(""))?.ethereum()?;
            return Ok(Whole { secret: node.scalar(), account: node.public(), drawn: mnemonic.entropy() });
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

/// A key that is whole in one place.
pub(crate) struct Whole {
    /// The root's scalar.
    pub(crate) secret: Secret<[u8; 32]>,
    /// What its addresses derive from.
    pub(crate) account: PublicAccount,
    /// What was drawn when it was made.
    pub(crate) drawn: Secret<Vec<u8>>,
}

#[cfg(test)]
mod tests {
    use super::*;

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
