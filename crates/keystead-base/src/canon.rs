//! The one canonical encoding: a self-describing document around Borsh (specs/canonical.md).

use borsh::{BorshDeserialize, BorshSerialize};

use crate::{Blame, Coded, Digest};

/// The longest document that is parsed, of most types. A longer one is refused before its first byte is read.
pub const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// A type that is hashed or signed: a domain with a version, and exactly one encoding.
///
/// The document of a value is `u8 length || DOMAIN || borsh(value)`, and its digest is
/// `SHA-256(document)`. Two types never share a domain; a change of layout is a new version in it.
pub trait Canonical: BorshSerialize + BorshDeserialize {
    /// For instance `keystead/intent/v1`; at most 255 bytes.
    const DOMAIN: &'static str;

    /// The longest document of this type that is parsed, in bytes.
    const MAX_BYTES: usize = MAX_DOCUMENT_BYTES;

    /// The document's bytes.
    fn to_document(&self) -> Vec<u8> {
        // Most documents fit without their vector growing.
        let mut bytes = Vec::with_capacity(USUAL_DOCUMENT_BYTES);
        self.write_document(&mut bytes);
        bytes
    }

    /// Appends the document's bytes, for whoever makes room for them and wipes them.
    fn write_document(&self, bytes: &mut Vec<u8>) {
        write_header(Self::DOMAIN, bytes);
        // Writing to a vector fails only when a length exceeds u32, which the parsers' limits forbid.
        let written = self.serialize(bytes);
        assert!(written.is_ok(), "a value within its limits always encodes");
    }

    /// The digest of the document.
    fn digest(&self) -> Digest {
        use sha2::{Digest as _, Sha256};
        Digest(Sha256::digest(self.to_document()).into())
    }

    /// Parses a document: the domain must be this type's, and no byte may be left over.
    ///
    /// # Errors
    ///
    /// [`CanonError`] says what was expected and what was found.
    fn from_document(bytes: &[u8]) -> Result<Self, CanonError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(CanonError::TooLong { limit: Self::MAX_BYTES, found: bytes.len() });
        }
        let body = bytes.split_first().filter(|(length, _)| usize::from(**length) == Self::DOMAIN.len());
        let mut body = body
            .and_then(|(_, rest)| rest.strip_prefix(Self::DOMAIN.as_bytes()))
            .ok_or_else(|| CanonError::Domain { expected: Self::DOMAIN, found: domain_of(bytes) })?;
        let value = Self::deserialize(&mut body)
            .map_err(|error| CanonError::Body { domain: Self::DOMAIN, reason: error.to_string() })?;
        if !body.is_empty() {
            return Err(CanonError::TrailingBytes { domain: Self::DOMAIN, found: body.len() });
        }
        Ok(value)
    }
}

fn write_header(domain: &str, bytes: &mut Vec<u8>) {
    let length = u8::try_from(domain.len());
    assert!(length.is_ok(), "domains are constants shorter than 256 bytes");
    bytes.push(length.unwrap_or(u8::MAX));
    bytes.extend_from_slice(domain.as_bytes());
}

/// A document is written many times on a request's way.
const USUAL_DOCUMENT_BYTES: usize = 512;

fn domain_of(bytes: &[u8]) -> String {
    let Some((length, rest)) = bytes.split_first() else {
        return "nothing".to_owned();
    };
    match rest.get(..usize::from(*length)) {
        Some(domain) => String::from_utf8_lossy(domain).into_owned(),
        None => format!("{} bytes without a domain", bytes.len()),
    }
}

/// Why bytes are not a document of the expected type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonError {
    /// More bytes than any document may have.
    #[error("a document has at most {limit} bytes, found {found}")]
    TooLong {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// Another type's document, or none.
    #[error("expected a document `{expected}`, found `{found}`")]
    Domain {
        /// The domain this type has.
        expected: &'static str,
        /// The domain the bytes have.
        found: String,
    },
    /// The domain is right and the body is not.
    #[error("the body of `{domain}` does not parse: {reason}")]
    Body {
        /// The domain.
        domain: &'static str,
        /// What Borsh says.
        reason: String,
    },
    /// Bytes after the last field.
    #[error("`{domain}` ends, but {found} bytes follow")]
    TrailingBytes {
        /// The domain.
        domain: &'static str,
        /// How many bytes are left over.
        found: usize,
    },
}

impl Coded for CanonError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "canon.too_long",
            Self::Domain { .. } => "canon.domain",
            Self::Body { .. } => "canon.body",
            Self::TrailingBytes { .. } => "canon.trailing_bytes",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, BorshSerialize, BorshDeserialize)]
    struct Sample {
        number: u32,
    }

    impl Canonical for Sample {
        const DOMAIN: &'static str = "keystead/sample/v1";
    }

    #[test]
    fn a_document_reads_back_and_nothing_else_does() {
        let document = Sample { number: 7 }.to_document();
        assert_eq!(Sample::from_document(&document), Ok(Sample { number: 7 }));

        let mut longer = document.clone();
        longer.push(0);
        assert_eq!(Sample::from_document(&longer).unwrap_err().code(), "canon.trailing_bytes");
        assert_eq!(Sample::from_document(&document[..document.len() - 1]).unwrap_err().code(), "canon.body");
        let mut other = document;
        other[3] ^= 1;
        assert_eq!(Sample::from_document(&other).unwrap_err().code(), "canon.domain");
        assert_eq!(Sample::from_document(&[]).unwrap_err().code(), "canon.domain");
    }
}
