//! Files of the age format (C2SP, age-encryption.org/v1) for its post-quantum recipients: what leaves is read by
//! standard tools.

mod bech32;
mod reading;

use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::{AeadInOut as _, ChaCha20Poly1305, KeyInit as _};
use keystead_base::{Blame, Coded, Secret};

use crate::{Fill, RecipientPublicKey};
pub use reading::age_open;

/// The key of a recipient that `age-keygen -pq` writes: Bech32 (BIP-173, of any length) of an X-Wing public key.
///
/// # Errors
///
/// [`AgeError::Recipient`].
pub fn age_recipient(text: &str) -> Result<RecipientPublicKey, AgeError> {
    let bytes = bech32::decode(RECIPIENT_PREFIX, text).ok_or(AgeError::Recipient)?;
    RecipientPublicKey::from_bytes(&bytes).ok_or(AgeError::Recipient)
}

/// An age file that each of the recipients opens alone.
///
/// # Errors
///
/// [`AgeError`] when there is nobody, a key is none, or the secret is longer than a chunk.
pub fn age_file(
    secret: &Secret<Vec<u8>>,
    recipients: &[RecipientPublicKey],
    fill: Fill<'_>,
) -> Result<Vec<u8>, AgeError> {
    if recipients.is_empty() {
        return Err(AgeError::Recipient);
    }
    if secret.expose().len() > MAX_CHUNK_BYTES {
        return Err(AgeError::Length { limit: MAX_CHUNK_BYTES, found: secret.expose().len() });
    }
    let mut file_key = Secret::new([0; FILE_KEY_BYTES]);
    fill(file_key.expose_mut());
    let mut header = format!("{VERSION}\n");
    for recipient in recipients {
        header.push_str(&stanza(recipient, &file_key, fill)?);
    }
    header.push_str(END);
    let mut file = header.into_bytes();
    let tag = tag(&file_key, &file)?;
    file.extend_from_slice(format!(" {}\n", BASE64.encode(tag)).as_bytes());
    payload(&file_key, secret, &mut file, fill)?;
    Ok(file)
}

/// The file's key, for one recipient.
fn stanza(
    recipient: &RecipientPublicKey,
    file_key: &Secret<[u8; FILE_KEY_BYTES]>,
    fill: Fill<'_>,
) -> Result<String, AgeError> {
    let mut body = Secret::new(*file_key.expose());
    let sealed = recipient.seal(STANZA_INFO, &[], body.expose_mut(), fill).ok_or(AgeError::Recipient)?;
    let wrapped = [body.expose().as_slice(), &sealed.tag].concat();
    Ok(format!("-> {STANZA} {}\n{}\n", BASE64.encode(sealed.key), BASE64.encode(wrapped)))
}

/// Over the header, so that nobody adds or takes a recipient.
fn tag(file_key: &Secret<[u8; FILE_KEY_BYTES]>, header: &[u8]) -> Result<Vec<u8>, AgeError> {
    let key = derived(file_key, &[], b"header")?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose());
    Ok(hmac::sign(&key, header).as_ref().to_vec())
}

/// Of the one chunk, which is the last: a counter of zero and a flag.
fn last_nonce() -> [u8; 12] {
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
}

/// The one chunk.
fn payload(
    file_key: &Secret<[u8; FILE_KEY_BYTES]>,
    secret: &Secret<Vec<u8>>,
    file: &mut Vec<u8>,
    fill: Fill<'_>,
) -> Result<(), AgeError> {
    let mut salt = [0; NONCE_BYTES];
    fill(&mut salt);
    let key = derived(file_key, &salt, b"payload")?;
    let cipher = ChaCha20Poly1305::new_from_slice(key.expose()).map_err(|_| AgeError::Library)?;
    let mut chunk = Secret::new(secret.expose().clone());
    let tag = cipher
        .encrypt_inout_detached(&last_nonce().into(), &[], InOutBuf::from(chunk.expose_mut().as_mut_slice()))
        .map_err(|_| AgeError::Library)?;
    file.extend_from_slice(&salt);
    file.extend_from_slice(chunk.expose());
    file.extend_from_slice(&tag);
    Ok(())
}

/// 32 bytes of HKDF-SHA-256.
fn derived(
    file_key: &Secret<[u8; FILE_KEY_BYTES]>,
    salt: &[u8],
    info: &[u8],
) -> Result<Secret<[u8; 32]>, AgeError> {
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(file_key.expose());
    let info = [info];
    let expanded = extracted.expand(&info, hkdf::HKDF_SHA256).map_err(|_| AgeError::Library)?;
    let mut key = Secret::new([0; 32]);
    expanded.fill(key.expose_mut()).map_err(|_| AgeError::Library)?;
    Ok(key)
}

/// Why no age file is written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// Not a post-quantum recipient.
    #[error("a recipient is not of the form age1pq1…, as `age-keygen -pq` writes it")]
    Recipient,
    /// Not a file of this format.
    #[error("this is no age file of one chunk (age-encryption.org/v1)")]
    File,
    /// For others.
    #[error("this age file is for other recipients than this key")]
    NotFor,
    /// It was for this key, and its header or its payload is another one.
    #[error("this age file was altered")]
    Altered,
    /// More than one chunk.
    #[error("a file takes at most {limit} bytes, found {found}")]
    Length {
        /// The most bytes.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A library refuses, which it does not for these lengths.
    #[error("the cryptographic library refused")]
    Library,
}

impl Coded for AgeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Recipient => "age.recipient",
            Self::File => "age.file",
            Self::NotFor => "age.not_for",
            Self::Altered => "age.altered",
            Self::Length { .. } => "age.length",
            Self::Library => "age.library",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Recipient | Self::File | Self::NotFor | Self::Length { .. } => Blame::Caller,
            Self::Altered | Self::Library => Blame::Environment,
        }
    }
}

const VERSION: &str = "age-encryption.org/v1";
const STANZA: &str = "mlkem768x25519";
const STANZA_INFO: &[u8] = b"age-encryption.org/mlkem768x25519";
const RECIPIENT_PREFIX: &str = "age1pq";
const END: &str = "---";
const FILE_KEY_BYTES: usize = 16;
const NONCE_BYTES: usize = 16;
/// Of plain text.
const MAX_CHUNK_BYTES: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Encapsulated, RecipientKey};

    fn key(byte: u8) -> RecipientKey {
        RecipientKey::from_seed(&Secret::new([byte; 32])).unwrap()
    }

    /// What `age -d` does, of the header alone; the whole is opened by an age of others in the tests of nodes.
    fn file_key(file: &[u8], key: &RecipientKey) -> Option<Secret<[u8; FILE_KEY_BYTES]>> {
        let text = String::from_utf8_lossy(file).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let stanza = |pair: &[&str]| {
            let argument = pair[0].strip_prefix("-> mlkem768x25519 ")?;
            let body = BASE64.decode(pair[1]).ok()?;
            let from = Encapsulated {
                key: BASE64.decode(argument).ok()?.try_into().ok()?,
                tag: body[FILE_KEY_BYTES..].try_into().ok()?,
            };
            let mut secret: [u8; FILE_KEY_BYTES] = body[..FILE_KEY_BYTES].try_into().ok()?;
            key.open(STANZA_INFO, &from, &[], &mut secret)?;
            Some(Secret::new(secret))
        };
        lines.windows(2).find_map(stanza)
    }

    #[test]
    fn k04_a_share_leaves_for_each_recipient_and_nobody_else() {
        let secret = Secret::new(b"{\"share\":\"00\"}".to_vec());
        let people = [key(1).public(), key(2).public()];
        let file = age_file(&secret, &people, &mut |bytes| bytes.fill(9)).unwrap();
        assert!(file.starts_with(b"age-encryption.org/v1\n-> mlkem768x25519 "));
        assert!(!file.windows(8).any(|it| it == b"\"share\":"));
        for byte in [1, 2] {
            assert_eq!(file_key(&file, &key(byte)).unwrap().expose(), &[9; 16]);
        }
        assert!(file_key(&file, &key(3)).is_none());
    }

    #[test]
    fn what_is_no_recipient_gets_nothing() {
        let text = bech32::tests::encode(RECIPIENT_PREFIX, key(1).public().as_bytes());
        assert_eq!(age_recipient(&text).unwrap(), key(1).public());
        let other = if text.ends_with('q') { "p" } else { "q" };
        let altered = format!("{}{other}", &text[..text.len() - 1]);
        let short = bech32::tests::encode(RECIPIENT_PREFIX, &[7; 32]);
        let classical = bech32::tests::encode("age", &[7; 32]);
        for wrong in [altered.as_str(), &short, &classical, &text.to_uppercase(), "", "age1pq1"] {
            assert_eq!(age_recipient(wrong).unwrap_err().code(), "age.recipient", "{wrong}");
        }
        let nobody = age_file(&Secret::new(vec![1]), &[], &mut |bytes| bytes.fill(9));
        assert_eq!(nobody.unwrap_err().code(), "age.recipient");
    }
}
