//! What people bring to a seed: a die, a coin, or a file of another machine's generator.

use keystead_base::Secret;
use keystead_entropy::{EntropyError, SALT_BYTES, Samples, Source, Symbols};

use super::kernel_random;
use crate::protocol::Brought;

/// One source that people brought, read and judged, and the salt of its commitment.
pub(crate) struct Contribution {
    source: Source,
    samples: Secret<Vec<u8>>,
    salt: Secret<[u8; SALT_BYTES]>,
}

impl Contribution {
    /// INVARIANT E1: at least one source, each once, in their order. What chance hardly makes is refused, and not mended by the
    /// machine's part.
    pub(crate) fn read(brought: &[Brought]) -> Result<Vec<Self>, EntropyError> {
        if brought.is_empty() {
            let (source_name, needed) = (Source::Dice, Source::Dice.claim().fewest);
            return Err(EntropyError::TooFew { source_name, found: 0, needed });
        }
        let mut pairs = brought.iter().zip(brought.iter().skip(1));
        if let Some((_, next)) = pairs.find(|(one, next)| one.source >= next.source) {
            return Err(EntropyError::Order { source_name: next.source });
        }
        brought.iter().map(Self::of).collect()
    }

    fn of(it: &Brought) -> Result<Self, EntropyError> {
        let samples = match it.source {
            Source::File => from_hexadecimal(Source::File, &it.text)?,
            by_hand => {
                let mut symbols = Symbols::new(by_hand)?;
                symbols.take(&it.text)?;
                Secret::new(symbols.judged()?.expose().clone())
            }
        };
        let mut salt = Secret::new([0; SALT_BYTES]);
        kernel_random(salt.expose_mut());
        let contribution = Self { source: it.source, samples, salt };
        // Here already, so that what people brought fails alone: it says nothing of the machine.
        contribution.tested()?;
        Ok(contribution)
    }

    pub(super) fn tested(&self) -> Result<Samples<'_>, EntropyError> {
        Samples::tested(self.source, self.samples.expose(), self.salt.expose())
    }

    pub(crate) fn salt(&self) -> (Source, &[u8; SALT_BYTES]) {
        (self.source, self.salt.expose())
    }
}

/// What the machine's TPM gave. It is tested with the machine's other sources.
pub(crate) fn of_tpm(it: &Brought) -> Result<Secret<Vec<u8>>, EntropyError> {
    match it.source {
        Source::Tpm => from_hexadecimal(Source::Tpm, &it.text),
        source_name => Err(EntropyError::Order { source_name }),
    }
}

fn from_hexadecimal(source_name: Source, text: &str) -> Result<Secret<Vec<u8>>, EntropyError> {
    let text = text.trim_ascii_end().as_bytes();
    let wrong = |position| EntropyError::Symbol { source_name, position };
    if let Some(at) = text.iter().position(|it| !it.is_ascii_hexdigit()) {
        return Err(wrong(at + 1));
    }
    let mut bytes = Secret::new(vec![0; text.len() / 2]);
    const_hex::decode_to_slice(text, bytes.expose_mut()).map_err(|_| wrong(text.len()))?;
    Ok(bytes)
}
