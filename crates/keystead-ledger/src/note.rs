//! Signed notes (C2SP signed-note) with hybrid keys: two lines for each signer, both must verify (Q1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keystead_base::{HybridPublicKey, HybridSignature, HybridSigner, KeyError};
use signed_note::{Note, Signature, is_key_name_valid, key_id};

use crate::LogError;

/// What a pair of lines states: the log's own signature, or a witness's cosignature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// The standard Ed25519 line (type 0x01), and its ML-DSA-65 twin.
    Log,
    /// The timestamped cosignature/v1 line (type 0x04), and its ML-DSA-65 twin.
    Cosignature,
}

impl Statement {
    fn ed25519_type(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    /// No type of signature is assigned to ML-DSA-65, so these are 0xff with a name.
    fn ml_dsa_65_type(self) -> &'static [u8] {
        match self {
            Self::Log => b"\xffkeystead-ml-dsa-65",
            Self::Cosignature => b"\xffkeystead-ml-dsa-65-cosignature-v1",
        }
    }

    /// The key ids of the two lines.
    fn key_ids(self, name: &str, key: &HybridPublicKey) -> (u32, u32) {
        let ed25519 = [&[self.ed25519_type()], key.ed25519().as_slice()].concat();
        let ml_dsa_65 = [self.ml_dsa_65_type(), key.ml_dsa_65().as_slice()].concat();
        (key_id(name, &ed25519), key_id(name, &ml_dsa_65))
    }
}

/// A text with signature lines, of which nothing is verified yet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lines {
    pub(crate) text: String,
    signatures: Vec<Signature>,
}

impl Lines {
    pub(crate) fn new(text: String) -> Self {
        Self { text, signatures: Vec::new() }
    }

    pub(crate) fn parse(note: &str) -> Result<Self, LogError> {
        let malformed = |_| LogError::Malformed { reason: "not a signed note" };
        if note.len() > MAX_NOTE_BYTES {
            return Err(LogError::Malformed { reason: "longer than any note" });
        }
        let parsed = Note::from_bytes(note.as_bytes()).map_err(malformed)?;
        let text = String::from_utf8_lossy(parsed.text()).into_owned();
        let lines = note.get(text.len() + 1..).unwrap_or_default().lines();
        let signatures = lines
            .map(|line| Signature::from_bytes(line.as_bytes()).map_err(malformed))
            .collect::<Result<_, _>>()?;
        Ok(Self { text, signatures })
    }

    /// How many signature lines there are.
    pub(crate) fn count(&self) -> usize {
        self.signatures.len()
    }

    pub(crate) fn to_note(&self) -> String {
        format!("{}\n{}", self.text, self.lines_of(|_| true))
    }

    /// The signature lines under this name, as they stand in the note.
    pub(crate) fn lines_under(&self, name: &str) -> String {
        self.lines_of(|signature| signature.name() == name)
    }

    fn lines_of(&self, keep: impl Fn(&Signature) -> bool) -> String {
        let kept = self.signatures.iter().filter(|it| keep(it)).flat_map(Signature::to_bytes);
        String::from_utf8_lossy(&kept.collect::<Vec<_>>()).into_owned()
    }

    /// Signs `message` and adds two lines, each with `prefix` before the signature. Lines of the same key are replaced.
    pub(crate) fn sign(
        &mut self,
        statement: Statement,
        name: &str,
        key: &HybridSigner,
        message: &[u8],
        prefix: &[u8],
    ) -> Result<(), SignError> {
        if !is_key_name_valid(name) {
            return Err(SignError::Name { found: name.to_owned() });
        }
        let (ed25519, ml_dsa_65) = statement.key_ids(name, key.public());
        let signature = key.sign(message)?;
        self.signatures.retain(|it| it.name() != name || ![ed25519, ml_dsa_65].contains(&it.id()));
        for (id, half) in
            [(ed25519, signature.ed25519().as_slice()), (ml_dsa_65, signature.ml_dsa_65().as_slice())]
        {
            let line = Signature::new(name.to_owned(), id, [prefix, half].concat());
            self.signatures.push(line.map_err(|_| SignError::Name { found: name.to_owned() })?);
        }
        Ok(())
    }

    /// The bytes of the two lines of a key: none, both, or an error when one is missing.
    pub(crate) fn halves(
        &self,
        statement: Statement,
        name: &str,
        key: &HybridPublicKey,
    ) -> Result<Option<Halves<'_>>, LogError> {
        let (ed25519, ml_dsa_65) = statement.key_ids(name, key);
        match (self.signature(name, ed25519), self.signature(name, ml_dsa_65)) {
            (Some(first), Some(second)) => Ok(Some((first, second))),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => Err(LogError::Half { node: name.to_owned() }),
        }
    }

    fn signature(&self, name: &str, id: u32) -> Option<&[u8]> {
        self.signatures.iter().find(|it| it.name() == name && it.id() == id).map(Signature::signature)
    }
}

/// What stands in the Ed25519 line and in the ML-DSA-65 line.
pub(crate) type Halves<'l> = (&'l [u8], &'l [u8]);

/// Puts the two halves of a signature together.
pub(crate) fn hybrid(ed25519: &[u8], ml_dsa_65: &[u8]) -> Option<HybridSignature> {
    let ml_dsa_65 = ml_dsa_65.to_vec().into_boxed_slice().try_into().ok()?;
    Some(HybridSignature::from_parts(ed25519.try_into().ok()?, ml_dsa_65))
}

/// The verifier key of the Ed25519 half as other programs for such logs take it (C2SP signed-note, "vkey").
#[must_use]
pub fn verifier_key(name: &str, key: &HybridPublicKey) -> String {
    let typed = [&[Statement::Log.ed25519_type()], key.ed25519().as_slice()].concat();
    format!("{name}+{:08x}+{}", key_id(name, &typed), STANDARD.encode(&typed))
}

/// Why a note is not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A name that no signature line can carry.
    #[error("`{found}` cannot name a key in a signature line")]
    Name {
        /// The name.
        found: String,
    },
    /// The library failed to sign.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl keystead_base::Coded for SignError {
    fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "note.name",
            Self::Key(error) => error.code(),
        }
    }

    fn blame(&self) -> keystead_base::Blame {
        keystead_base::Blame::Environment
    }
}

/// The longest note: a hundred hybrid signers fit.
pub const MAX_NOTE_BYTES: usize = 500_000;
