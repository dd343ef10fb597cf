//! The exact bytes that a key would sign, checked once and kept beside their parsed form.

use alloy_primitives::{Address, Bytes, keccak256};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest};
use keystead_intent::{ChainId, MAX_PAYLOAD_BYTES};

use crate::transaction::{self, Authorization, Transaction};
use crate::typed_data::Document;
use crate::{BuildError, build};

/// One account's payload on one chain. It cannot exist unless the bytes are canonical and name that chain:
/// only [`Unsigned::parse`] makes one, from a document of bytes too.
///
/// ```compile_fail
/// let payload = keystead_chain::Payload::Message(Default::default());
/// keystead_chain::Unsigned { account: Default::default(), chain: keystead_intent::ChainId(1), payload, form: todo!() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    account: Address,
    chain: ChainId,
    payload: Payload,
    form: Form,
}

/// The bytes, by the form that they have.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Payload {
    /// The signing preimage of a transaction.
    Transaction(Bytes),
    /// The signing preimage of an EIP-7702 authorization: `0x05 || rlp([chain, address, nonce])`.
    Authorization(Bytes),
    /// An EIP-191 message, before its prefix.
    Message(Bytes),
    /// EIP-712 typed data, as JSON text.
    TypedData(String),
}

/// What the payload parses to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Transaction(Box<Transaction>),
    Authorization(Authorization),
    Message,
    TypedData(Box<Document>),
}

impl Unsigned {
    /// Parses a payload strictly, and holds it to its chain.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what was expected and what was found.
    pub fn parse(account: Address, chain: ChainId, payload: Payload) -> Result<Self, BuildError> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(BuildError::TooLong { limit: MAX_PAYLOAD_BYTES, found: payload.len() });
        }
        let form = match &payload {
            Payload::Transaction(bytes) => Form::Transaction(Box::new(transaction::parse(bytes)?)),
            Payload::Authorization(bytes) => Form::Authorization(transaction::parse_authorization(bytes)?),
            Payload::Message(_) => Form::Message,
            Payload::TypedData(json) => Form::TypedData(Box::new(Document::parse(json)?)),
        };
        build::hold_to_chain(&form, chain)?;
        Ok(Self { account, chain, payload, form })
    }

    /// The account that would sign.
    #[must_use]
    pub fn account(&self) -> Address {
        self.account
    }

    /// The chain that the bytes name; for a message, the chain whose policy applies.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// The bytes.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The bytes whose Keccak-256 is signed: the EIP-2718 preimage, the EIP-191 prefixed message,
    /// or `0x1901 || domain separator || struct hash` (EIP-712).
    #[must_use]
    pub fn signing_preimage(&self) -> Vec<u8> {
        match (&self.payload, &self.form) {
            (Payload::TypedData(_), Form::TypedData(document)) => document.signing_preimage().to_vec(),
            (Payload::TypedData(text), _) => text.as_bytes().to_vec(),
            (Payload::Message(message), _) => prefixed(message),
            (Payload::Transaction(bytes) | Payload::Authorization(bytes), _) => bytes.to_vec(),
        }
    }

    /// Keccak-256 of the preimage: the 32 bytes that the key signs.
    #[must_use]
    pub fn signing_digest(&self) -> Digest {
        Digest(keccak256(self.signing_preimage()).0)
    }

    /// The transaction, where the bytes are one.
    #[must_use]
    pub fn transaction(&self) -> Option<&Transaction> {
        match &self.form {
            Form::Transaction(transaction) => Some(transaction),
            Form::Authorization(_) | Form::Message | Form::TypedData(_) => None,
        }
    }

    /// The typed data, where the bytes are such.
    #[must_use]
    pub fn typed_data(&self) -> Option<&Document> {
        match &self.form {
            Form::TypedData(document) => Some(document),
            Form::Transaction(_) | Form::Authorization(_) | Form::Message => None,
        }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }
}

impl Payload {
    fn len(&self) -> usize {
        match self {
            Self::Transaction(bytes) | Self::Authorization(bytes) | Self::Message(bytes) => bytes.len(),
            Self::TypedData(json) => json.len(),
        }
    }
}

impl Canonical for Unsigned {
    const DOMAIN: &'static str = "keystead/unsigned/v1";
}

impl BorshSerialize for Unsigned {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        (&self.account, &self.chain, &self.payload).serialize(writer)
    }
}

impl BorshDeserialize for Unsigned {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let (account, chain, payload) = <(Address, ChainId, Payload)>::deserialize_reader(reader)?;
        Self::parse(account, chain, payload)
            .map_err(|error| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error))
    }
}

/// EIP-191, version `0x45`.
fn prefixed(message: &[u8]) -> Vec<u8> {
    let mut bytes = format!("\x19Ethereum Signed Message:\n{}", message.len()).into_bytes();
    bytes.extend_from_slice(message);
    bytes
}

#[cfg(test)]
mod tests {
    use alloy_primitives::eip191_hash_message;

    use super::*;

    #[test]
    fn s02_a_message_is_signed_with_its_prefix_and_reads_back() {
        let payload = Payload::Message(Bytes::from_static(b"hello"));
        let unsigned = Unsigned::parse(Address::repeat_byte(1), ChainId(1), payload).unwrap();
        assert_eq!(unsigned.signing_digest().0, eip191_hash_message(b"hello").0);
        assert_eq!(Unsigned::from_document(&unsigned.to_document()), Ok(unsigned));
    }

    /// The page prints what this code computes.
    #[test]
    fn the_vectors_of_the_specification() {
        let page = include_str!("../../../specs/ethereum.md");
        let eip155 =
            "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080";
        for payload in [
            Payload::Message(Bytes::from_static(b"hello")),
            Payload::Transaction(const_hex::decode(eip155).unwrap().into()),
        ] {
            let unsigned = Unsigned::parse(Address::repeat_byte(0x11), ChainId(1), payload).unwrap();
            let (document, digest) = (const_hex::encode(unsigned.to_document()), unsigned.signing_digest());
            assert!(page.contains(&format!("`{document}` | `{digest}`")), "{document} {digest}");
        }
    }

    #[test]
    fn s02_a_document_with_a_payload_that_does_not_parse_is_refused() {
        for payload in [
            Payload::Transaction(Bytes::from_static(b"\x02\xc0")),
            Payload::Authorization(Bytes::new()),
            Payload::TypedData("{}".into()),
        ] {
            let mut document = vec![20];
            document.extend_from_slice(Unsigned::DOMAIN.as_bytes());
            document.extend(borsh::to_vec(&(Address::ZERO, ChainId(1), payload)).unwrap());
            assert!(Unsigned::from_document(&document).is_err());
        }
    }
}
