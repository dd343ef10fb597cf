//! BIP-39: entropy to words, words to seed.

use keystead_base::{Blame, Coded, Secret};

/// The words of one seed, in English; wiped on drop.
pub struct Mnemonic(bip39::Mnemonic);

impl Mnemonic {
    /// The words of 16, 20, 24, 28 or 32 bytes of entropy.
    ///
    /// # Errors
    ///
    /// [`MnemonicError::EntropyLength`] for any other length.
    pub fn from_entropy(entropy: &[u8]) -> Result<Self, MnemonicError> {
        bip39::Mnemonic::from_entropy(entropy)
            .map(Self)
            .map_err(|_| MnemonicError::EntropyLength { found: entropy.len() })
    }

    /// Reads words as a person wrote them down: any white space between them, letter case as in the list.
    ///
    /// # Errors
    ///
    /// [`MnemonicError`] says which word, or that the checksum is wrong.
    pub fn from_words(words: &str) -> Result<Self, MnemonicError> {
        use bip39::Error;
        bip39::Mnemonic::parse_in_normalized(bip39::Language::English, words).map(Self).map_err(|error| {
            match error {
                Error::UnknownWord(at) => MnemonicError::UnknownWord { position: at + 1 },
                Error::BadWordCount(found) => MnemonicError::WordCount { found },
                Error::InvalidChecksum => MnemonicError::Checksum,
                Error::BadEntropyBitCount(bits) => MnemonicError::EntropyLength { found: bits / 8 },
                Error::AmbiguousLanguages(_) => MnemonicError::Checksum,
            }
        })
    }

    /// The words, joined by single spaces: for the paper of an export ceremony, nothing else.
    #[must_use]
    pub fn words(&self) -> Secret<String> {
        // Reserved at once, so that no half-written copy stays behind in a buffer that grew.
        let mut text = String::with_capacity(MAX_WORDS_BYTES);
        for word in self.0.words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        Secret::new(text)
    }

    /// The 64-byte seed under a passphrase, which must be plain ASCII (no Unicode normalization).
    #[must_use]
    pub fn seed(&self, passphrase: &str) -> Secret<[u8; 64]> {
        Secret::new(self.0.to_seed_normalized(passphrase))
    }

    /// The entropy, 16 to 32 bytes.
    #[must_use]
    pub fn entropy(&self) -> Secret<Vec<u8>> {
        let (bytes, length) = self.0.to_entropy_array();
        let bytes = Secret::new(bytes);
        Secret::new(bytes.expose().split_at_checked(length).map_or(Vec::new(), |(it, _)| it.to_vec()))
    }

    /// The entropy of a mnemonic of 24 words.
    ///
    /// # Errors
    ///
    /// [`MnemonicError::WordCount`] for a shorter one.
    pub fn entropy_256(&self) -> Result<Secret<[u8; 32]>, MnemonicError> {
        let (bytes, length) = self.0.to_entropy_array();
        let bytes = Secret::new(bytes);
        let mut entropy = Secret::new([0; 32]);
        match bytes.expose().split_at_checked(32) {
            Some((first, _)) if length == 32 => entropy.expose_mut().copy_from_slice(first),
            _ => return Err(MnemonicError::WordCount { found: self.0.word_count() }),
        }
        Ok(entropy)
    }
}

/// Twenty-four words of at most eight letters, and the spaces.
const MAX_WORDS_BYTES: usize = 24 * 9;

/// Why words or entropy do not make a mnemonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MnemonicError {
    /// BIP-39 knows 128 to 256 bits, in steps of 32.
    #[error("a mnemonic has 16, 20, 24, 28 or 32 bytes of entropy, found {found}")]
    EntropyLength {
        /// The bytes found.
        found: usize,
    },
    /// A number of words that is not accepted here.
    #[error("{found} words are not a mnemonic of the accepted length")]
    WordCount {
        /// The words found.
        found: usize,
    },
    /// A word outside the list. The word itself is not shown: it may be a secret mistyped.
    #[error("word {position} is not in the English list of BIP-39")]
    UnknownWord {
        /// Its place, from one.
        position: usize,
    },
    /// All words are in the list, and one is wrong or misplaced.
    #[error("the checksum does not fit: a word is wrong or out of place")]
    Checksum,
}

impl Coded for MnemonicError {
    fn code(&self) -> &'static str {
        match self {
            Self::EntropyLength { .. } => "mnemonic.entropy_length",
            Self::WordCount { .. } => "mnemonic.word_count",
            Self::UnknownWord { .. } => "mnemonic.unknown_word",
            Self::Checksum => "mnemonic.checksum",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_bip39_hold() {
        let mut count = 0;
        for line in include_str!("../tests/vectors/bip39.txt").lines().filter(|l| !l.starts_with('#')) {
            let [entropy, words, seed] = line.split(" | ").collect::<Vec<_>>().try_into().unwrap();
            let entropy = const_hex::decode(entropy).unwrap();
            let mnemonic = Mnemonic::from_entropy(&entropy).unwrap();
            assert_eq!(mnemonic.words().expose(), words);
            assert_eq!(const_hex::encode(mnemonic.seed("TREZOR").expose()), seed);
            let again = Mnemonic::from_words(words).unwrap();
            assert_eq!(*again.entropy().expose(), entropy);
            if entropy.len() == 32 {
                assert_eq!(again.entropy_256().unwrap().expose().as_slice(), entropy);
            } else {
                assert!(again.entropy_256().is_err());
            }
            count += 1;
        }
        assert_eq!(count, 24);
    }

    #[test]
    fn wrong_words_are_named_by_their_place_only() {
        let good = "abandon ".repeat(11) + "about";
        for (words, code) in [
            (good.replace("about", "abandon"), "mnemonic.checksum"),
            (good.replace("about", "aboot"), "mnemonic.unknown_word"),
            ("abandon about".to_owned(), "mnemonic.word_count"),
        ] {
            let error = Mnemonic::from_words(&words).map(|_| ()).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(!error.to_string().contains("aboot"));
        }
        assert_eq!(
            Mnemonic::from_entropy(&[0; 15]).map(|_| ()).unwrap_err().code(),
            "mnemonic.entropy_length"
        );
    }
}
