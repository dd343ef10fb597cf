//! The files of an enrolment: what a witness asks and keeps, and what a holder answers.

use std::path::{Path, PathBuf};

use clap::Args;
use keystead_attest::tpm::{Credential, CredentialChallenge, Endorsement};
use keystead_attest::{EnrolmentChallenge, EvidenceError, FidoAttestation, Makers, TokenTestimony};
use keystead_base::{Canonical as _, Digest, HybridPublicKey, Signed, Timestamp};
use keystead_policy::{Enrolment, Holder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::{Advise as _, Failure};
use crate::outside;

/// Whose devices are trusted.
#[derive(Debug, Args)]
pub(crate) struct MakerArgs {
    /// A root certificate of a maker, in PEM or DER.
    #[arg(long = "root", value_name = "FILE")]
    roots: Vec<PathBuf>,
    /// Certificates between a root and a device's.
    #[arg(long = "between", value_name = "FILE")]
    between: Vec<PathBuf>,
    /// A list of certificates that a maker revoked, in DER.
    #[arg(long = "revoked", value_name = "FILE")]
    revoked: Vec<PathBuf>,
}

impl MakerArgs {
    pub(crate) fn read(&self) -> Result<Makers, Failure> {
        let certificates = |files: &[PathBuf]| -> Result<Vec<Vec<u8>>, Failure> {
            let read = |file: &PathBuf| Ok::<_, Failure>(Makers::certificates(&outside::read(file)?)?);
            Ok(files.iter().map(read).collect::<Result<Vec<_>, _>>()?.concat())
        };
        let revocations = self.revoked.iter().map(|file| outside::read(file)).collect::<Result<_, _>>()?;
        Ok(Makers {
            roots: certificates(&self.roots)?,
            intermediates: certificates(&self.between)?,
            revocations,
        })
    }
}

/// What `keystead tpm identity --json` prints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TpmOffer {
    #[serde(with = "const_hex")]
    public: Vec<u8>,
    #[serde(with = "const_hex")]
    certificate: Vec<u8>,
}

/// What the witness keeps: from its random bytes follows what only the right TPM finds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    challenge: EnrolmentChallenge,
    tpm: Option<TpmOffer>,
    token: Option<TokenTestimony>,
    #[serde(with = "const_hex")]
    random: [u8; 64],
}

/// What the holder is handed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    pub(crate) challenge: EnrolmentChallenge,
    /// The challenge's digest, for authenticators.
    pub(crate) binds: Digest,
    pub(crate) credential: Option<CredentialForm>,
    /// The token that is to answer.
    pub(crate) token: Option<TokenTestimony>,
}

/// A credential in hex.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialForm {
    #[serde(with = "const_hex")]
    blob: Vec<u8>,
    #[serde(with = "const_hex")]
    secret: Vec<u8>,
}

impl From<CredentialForm> for Credential {
    fn from(CredentialForm { blob, secret }: CredentialForm) -> Self {
        Self { blob, secret }
    }
}

/// What the holder answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    /// By the holder's own key.
    pub(crate) word: Signed<EnrolmentChallenge>,
    pub(crate) key: HybridPublicKey,
    pub(crate) shown: Shown,
}

/// By the device.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Shown {
    /// What stood in the credential, and a quote over the challenge.
    Tpm {
        #[serde(with = "const_hex")]
        found: Vec<u8>,
        #[serde(with = "const_hex")]
        evidence: Vec<u8>,
    },
    Fido(FidoAttestation),
    /// By the token's key over the challenge.
    Token {
        #[serde(with = "const_hex")]
        signature: Vec<u8>,
    },
}

/// What was shown before the question: the identity key of a TPM, or a token that the witness opened.
pub(crate) type Before = (Option<TpmOffer>, Option<TokenTestimony>);

impl Kept {
    pub(crate) fn new(holder: Holder, key: Digest, (tpm, token): Before) -> Self {
        let (mut nonce, mut random) = ([0; 32], [0; 64]);
        outside::fill(&mut nonce);
        outside::fill(&mut random);
        Self { challenge: EnrolmentChallenge { holder, key, nonce: Digest(nonce) }, tpm, token, random }
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    pub(crate) fn asked(&self, makers: &Makers) -> Result<Asked, Failure> {
        let challenge = self.challenge.clone();
        let credential = match &self.tpm {
            Some(offer) => {
                let (_, credential) = self.credential(&endorsed(offer, makers, outside::now())?, offer)?;
                Some(CredentialForm { blob: credential.blob, secret: credential.secret })
            }
            None => None,
        };
        Ok(Asked { binds: challenge.digest(), challenge, credential, token: self.token.clone() })
    }

    /// The record, where the answer is by this very device and by the holder's key.
    pub(crate) fn check(
        &self,
        answer: &Answer,
        makers: &Makers,
        now: Timestamp,
    ) -> Result<Enrolment, Failure> {
        let proof = match (&answer.shown, &self.tpm, &self.token) {
            (Shown::Fido(attestation), None, None) => self.challenge.fido(makers, attestation, now)?,
            (Shown::Token { signature }, None, Some(seen)) => self.challenge.token(seen, signature)?,
            (Shown::Tpm { found, evidence }, Some(offer), None) => {
                let endorsement = endorsed(offer, makers, now)?;
                let (challenge, _) = self.credential(&endorsement, offer)?;
                self.challenge.tpm(&endorsement, challenge.complete(found)?, evidence, now)?
            }
            _ => {
                let what = "the answer is by another kind of device than was asked for";
                return Err(Failure::new(
                    "device.kind",
                    what,
                    "ask anew: with --tpm FILE for a TPM, --token LABEL for a token, without both for an authenticator",
                ));
            }
        };
        proof.check()?;
        Ok(self.challenge.record(proof, &answer.word, &answer.key)?)
    }

    /// The same each time: a credential's secret bytes come from what was kept.
    fn credential(
        &self,
        endorsement: &Endorsement,
        offer: &TpmOffer,
    ) -> Result<(CredentialChallenge, Credential), EvidenceError> {
        let mut random = self.random.chunks_exact(32);
        let mut fill = |bytes: &mut [u8]| {
            let next = random.next().filter(|it| it.len() == bytes.len());
            assert!(next.is_some(), "a credential takes two times 32 bytes");
            bytes.copy_from_slice(next.unwrap_or_default());
        };
        CredentialChallenge::new(endorsement, &offer.public, &mut fill)
    }
}

fn endorsed(offer: &TpmOffer, makers: &Makers, now: Timestamp) -> Result<Endorsement, Failure> {
    Endorsement::new(makers, &offer.certificate, now)
        .advise("name the maker's certificates with --root and --between; they are on the maker's site")
}

/// NODE, or PERSON/DEVICE.
pub(crate) fn holder(text: &str) -> Result<Holder, String> {
    let name = |text: &str| text.parse().map_err(|error| format!("{text:?}: {error}"));
    match text.split_once('/') {
        Some((person, device)) => Ok(Holder::Approver { person: name(person)?, device: name(device)? }),
        None => name(text).map(Holder::Node),
    }
}

pub(crate) fn json_file<T: DeserializeOwned>(path: impl AsRef<Path>) -> Result<T, Failure> {
    let path = path.as_ref();
    serde_json::from_slice(&outside::read(path)?).map_err(|error| {
        let what = format!("{}: {error}", path.display());
        Failure::new("device.file", what, "hand over what the command before printed with --json, unchanged")
    })
}
