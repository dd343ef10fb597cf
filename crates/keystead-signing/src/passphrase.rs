//! The passphrase of the process: read once, stretched, and wiped.

use std::io::{self, Read};

use aws_lc_rs::hmac;
use keystead_base::Secret;
use keystead_keys::{
    Kdf, MAX_PASSPHRASE_BYTES, MemberError, MemberKey, MemberKeyFile, SealError, SealingKey,
};

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

    /// Wipes it; from now on it is empty, which no file opens with.
    pub(crate) fn forget(&mut self) {
        self.bytes.expose_mut().fill(0);
        self.length = 0;
    }

    fn text(&self) -> &[u8] {
        self.bytes.expose().split_at(self.length).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
