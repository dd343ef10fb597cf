//! Documents that may be longer than a single one is allowed to be: states, and all entries of a block.

use keystead_base::{CanonError, Canonical};
use keystead_decision::{Entry, MAX_BLOCK_ENTRIES};

use crate::record::{Documents, MAX_ENTRIES_BYTES};

/// Parses a document of at most `limit` bytes.
pub(crate) fn parse_long<T: Canonical>(document: &[u8], limit: usize) -> Result<T, CanonError> {
    if document.len() > limit {
        return Err(CanonError::TooLong { limit, found: document.len() });
    }
    let length = u8::try_from(T::DOMAIN.len()).unwrap_or(u8::MAX);
    let header = [&[length], T::DOMAIN.as_bytes()].concat();
    let mut body = document.strip_prefix(header.as_slice()).ok_or_else(|| {
        let found = document.get(1..header.len()).unwrap_or_default();
        CanonError::Domain { expected: T::DOMAIN, found: String::from_utf8_lossy(found).into_owned() }
    })?;
    let value = T::deserialize(&mut body)
        .map_err(|error| CanonError::Body { domain: T::DOMAIN, reason: error.to_string() })?;
    if !body.is_empty() {
        return Err(CanonError::TrailingBytes { domain: T::DOMAIN, found: body.len() });
    }
    Ok(value)
}

/// Parses the entries of one block.
pub(crate) fn parse_entries(document: &[u8]) -> Result<Vec<Entry>, CanonError> {
    let Documents(documents) = parse_long(document, MAX_ENTRIES_BYTES)?;
    if documents.len() > MAX_BLOCK_ENTRIES {
        let reason = format!("a block has at most {MAX_BLOCK_ENTRIES} entries, found {}", documents.len());
        return Err(CanonError::Body { domain: Documents::DOMAIN, reason });
    }
    documents.iter().map(|it| Entry::from_document(it)).collect()
}

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;

    #[test]
    fn long_documents_are_parsed_like_short_ones() {
        let document = Documents(vec![Entry::Tick.to_document()]).to_document();
        assert_eq!(parse_entries(&document), Ok(vec![Entry::Tick]));
        let longer = [document.as_slice(), &[0]].concat();
        let other = [&[document[0], document[1] ^ 1], &document[2..]].concat();
        for (bytes, code) in [
            (longer.as_slice(), "canon.trailing_bytes"),
            (other.as_slice(), "canon.domain"),
            (&document[..document.len() - 1], "canon.body"),
            (&[], "canon.domain"),
        ] {
            assert_eq!(parse_entries(bytes).unwrap_err().code(), code);
        }
        let error = parse_long::<Documents>(&document, document.len() - 1).unwrap_err();
        assert_eq!(error.code(), "canon.too_long");
    }

    #[test]
    fn a_block_with_too_many_entries_is_refused() {
        let document = Documents(vec![Entry::Tick.to_document(); MAX_BLOCK_ENTRIES + 1]).to_document();
        assert_eq!(parse_entries(&document).unwrap_err().code(), "canon.body");
    }
}
