//! Where a token is, and its PIN.

use std::io::{self, Read};
use std::path::PathBuf;

use cryptoki::types::AuthPin;
use keystead_base::Secret;

/// A token: a module, and a label in it. Slots have no names, and some modules number them anew at each start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPlace {
    /// The vendor's shared library.
    pub module: PathBuf,
    /// The token's label.
    pub label: String,
}

/// A PIN, wiped when it is dropped.
pub struct Pin(Secret<Vec<u8>>);

impl Pin {
    /// Reads a credential file to its end; one line break at its end is not part of the PIN.
    ///
    /// # Errors
    ///
    /// What the file says; `InvalidData` for an empty one, a long one, or one that is no UTF-8.
    pub fn read(file: impl Read) -> io::Result<Self> {
        let mut bytes = Secret::new(Vec::with_capacity(MAX_PIN_BYTES + 2));
        file.take(MAX_PIN_BYTES as u64 + 2).read_to_end(bytes.expose_mut())?;
        if bytes.expose().ends_with(b"\n") {
            bytes.expose_mut().pop();
        }
        let length = bytes.expose().len();
        let text = std::str::from_utf8(bytes.expose()).is_ok();
        if !text || !(1..=MAX_PIN_BYTES).contains(&length) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a PIN has 1 to 255 bytes of UTF-8"));
        }
        Ok(Self(bytes))
    }

    /// As the module's interface takes it; that copy is wiped, too.
    pub(crate) fn auth(&self) -> AuthPin {
        let text: Box<str> = String::from_utf8_lossy(self.0.expose()).into_owned().into_boxed_str();
        AuthPin::new(text)
    }
}

const MAX_PIN_BYTES: usize = 255;
