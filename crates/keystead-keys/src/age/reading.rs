//! Opens what [`super::age_file`] wrote, and what other tools write for the same recipients.

use aws_lc_rs::hmac;
use base64::Engine as _;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut as _, ChaCha20Poly1305, KeyInit as _};
use keystead_base::Secret;

use super::{
    AgeError, BASE64, END, FILE_KEY_BYTES, MAX_CHUNK_BYTES, NONCE_BYTES, STANZA, STANZA_INFO, VERSION,
    derived,
};
use crate::{Encapsulated, RecipientKey, TAG_BYTES};

/// What an age file of one chunk holds for this recipient.
///
/// # Errors
///
/// [`AgeError`] says whether it is no such file, is for others, or was altered.
pub fn age_open(file: &[u8], key: &RecipientKey) -> Result<Secret<Vec<u8>>, AgeError> {
    let (header, tag, payload) = parts(file).ok_or(AgeError::File)?;
    let text = std::str::from_utf8(header).map_err(|_| AgeError::File)?;
    let stanzas = stanzas(text).ok_or(AgeError::File)?;
    let file_key = stanzas.iter().find_map(|it| unwrapped(it, key)).ok_or(AgeError::NotFor)?;
    // INVARIANT K4: nobody added or took a recipient.
    let mac = derived(&file_key, &[], b"header")?;
    let mac = hmac::Key::new(hmac::HMAC_SHA256, mac.expose());
    hmac::verify(&mac, header, &tag).map_err(|_| AgeError::Altered)?;
    chunk(&file_key, payload)
}

/// The header up to and with its end mark, the tag over that, and the payload.
fn parts(file: &[u8]) -> Option<(&[u8], Vec<u8>, &[u8])> {
    let mark = format!("\n{END} ");
    let at = file.windows(mark.len()).take(MAX_HEADER_BYTES).position(|it| it == mark.as_bytes())?;
    let (header, rest) = file.split_at_checked(at + mark.len() - 1)?;
    let line = rest.iter().position(|byte| *byte == b'\n')?;
    let (tag, payload) = rest.split_at_checked(line)?;
    let tag = BASE64.decode(tag.get(1..)?).ok()?;
    Some((header, tag, payload.get(1..)?))
}

/// The arguments and the body of each stanza.
fn stanzas(header: &str) -> Option<Vec<(Vec<&str>, Vec<u8>)>> {
    let mut lines = header.lines();
    if lines.next()? != VERSION {
        return None;
    }
    let mut all = Vec::new();
    loop {
        let line = lines.next()?;
        if line == END {
            return Some(all);
        }
        let arguments = line.strip_prefix("-> ")?.split(' ').collect();
        let mut body = String::new();
        loop {
            let line = lines.next()?;
            body.push_str(line);
            if line.len() < COLUMNS {
                break;
            }
        }
        all.push((arguments, BASE64.decode(body).ok()?));
    }
}

fn unwrapped(
    (arguments, body): &(Vec<&str>, Vec<u8>),
    key: &RecipientKey,
) -> Option<Secret<[u8; FILE_KEY_BYTES]>> {
    let [STANZA, encapsulated] = arguments.as_slice() else { return None };
    let (wrapped, tag) = body.split_at_checked(FILE_KEY_BYTES)?;
    let tag: [u8; TAG_BYTES] = tag.try_into().ok()?;
    let from = Encapsulated { key: BASE64.decode(encapsulated).ok()?.try_into().ok()?, tag };
    let mut file_key = Secret::new(<[u8; FILE_KEY_BYTES]>::try_from(wrapped).ok()?);
    key.open(STANZA_INFO, &from, &[], file_key.expose_mut())?;
    Some(file_key)
}

fn chunk(file_key: &Secret<[u8; FILE_KEY_BYTES]>, payload: &[u8]) -> Result<Secret<Vec<u8>>, AgeError> {
    let (salt, sealed) = payload.split_at_checked(NONCE_BYTES).ok_or(AgeError::File)?;
    let length = sealed.len().checked_sub(TAG_BYTES).ok_or(AgeError::File)?;
    if length > MAX_CHUNK_BYTES {
        return Err(AgeError::Length { limit: MAX_CHUNK_BYTES, found: length });
    }
    let (sealed, tag) = sealed.split_at(length);
    let tag: [u8; TAG_BYTES] = tag.try_into().map_err(|_| AgeError::File)?;
    let key = derived(file_key, salt, b"payload")?;
    let cipher = ChaCha20Poly1305::new_from_slice(key.expose()).map_err(|_| AgeError::Library)?;
    let mut plain = Secret::new(sealed.to_vec());
    let buffer = InOutBuf::from(plain.expose_mut().as_mut_slice());
    cipher
        .decrypt_inout_detached(&super::last_nonce().into(), &[], buffer, &tag.into())
        .map_err(|_| AgeError::Altered)?;
    Ok(plain)
}

/// Sixteen recipients have less.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Of a body's line; a shorter one ends it.
const COLUMNS: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::age_file;
    use super::*;
    use keystead_base::Coded as _;

    fn key(byte: u8) -> RecipientKey {
        RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap()
    }

    #[test]
    fn k4_every_flipped_bit_of_a_file_is_noticed_and_nobody_else_reads_it() {
        let people = [key(1).public(), key(2).public()];
        let file = age_file(&Secret::new(b"words".to_vec()), &people, &mut |bytes| bytes.fill(9)).unwrap();
        for byte in [1, 2] {
            assert_eq!(age_open(&file, &key(byte)).unwrap().expose(), b"words");
        }
        assert_eq!(age_open(&file, &key(3)).unwrap_err().code(), "age.not_for");
        // Of the two long keys a sample: each try opens one or two stanzas.
        for at in (0..file.len()).filter(|at| *at < 80 || at % 97 == 0 || *at > file.len() - 180) {
            let mut flipped = file.clone();
            flipped[at] ^= 1;
            assert!(age_open(&flipped, &key(2)).is_err(), "byte {at}");
        }
        for length in [0, 21, 100, file.len() - 1] {
            assert!(age_open(&file[..length], &key(1)).is_err(), "{length} bytes");
        }
    }
}
