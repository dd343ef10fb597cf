//! As much of DER as finds an extension of a certificate (RFC 5280, section 4.1).

/// The value of the extension with this object identifier, if the certificate has it once and did not mark it critical.
pub fn extension<'a>(certificate: &'a [u8], identifier: &[u8]) -> Option<&'a [u8]> {
    let (certificate, _) = item(certificate, SEQUENCE)?;
    let (mut fields, _) = item(certificate, SEQUENCE)?;
    let extensions = loop {
        let (tag, content, rest) = any(fields)?;
        fields = rest;
        if tag == EXTENSIONS {
            break content;
        }
    };
    let (mut list, _) = item(extensions, SEQUENCE)?;
    let mut found = None;
    while !list.is_empty() {
        let (extension, rest) = item(list, SEQUENCE)?;
        list = rest;
        let (named, value) = item(extension, OBJECT_IDENTIFIER)?;
        if named == identifier {
            let (value, rest) = item(value, OCTET_STRING)?;
            if found.is_some() || !rest.is_empty() {
                return None;
            }
            found = Some(value);
        }
    }
    found
}

/// The content of an item of this kind, and what stands behind it.
pub(crate) fn item(bytes: &[u8], expected: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = any(bytes)?;
    (tag == expected).then_some((content, rest))
}

fn any(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest
            .split_first_chunk::<2>()
            .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `[3]`, explicit.
const EXTENSIONS: u8 = 0xa3;
