//! What the commitments of a receipt open to, as text for other software (specs/entropy.md).

use keystead_base::Secret;
use keystead_entropy::{SALT_BYTES, Source};

use super::MachineDraw;

impl MachineDraw {
    /// Secret: the machine's samples with their salts, and of what people brought the salts alone: they have it on paper. JSON, in
    /// one line.
    #[must_use]
    pub fn openings_for<'a>(
        &'a self,
        brought: impl IntoIterator<Item = (Source, &'a [u8; SALT_BYTES])>,
    ) -> Secret<String> {
        // Reserved at once, so that no copy stays behind in a buffer that grew.
        let mut text = Secret::new(String::with_capacity(MOST_BYTES));
        let out = text.expose_mut();
        let own = self.openings().map(|(source, salt, samples)| (source, salt, Some(samples)));
        let others = brought.into_iter().map(|(source, salt)| (source, salt, None));
        let mut all: Vec<_> = own.chain(others).collect();
        all.sort_by_key(|(source, ..)| *source);
        out.push('[');
        for (at, (source, salt, samples)) in all.into_iter().enumerate() {
            out.push_str(if at == 0 { "" } else { "," });
            out.push_str("{\"source\":\"");
            out.push_str(&source.to_string().replace(' ', "_"));
            field(out, "\",\"salt\":\"", salt);
            if let Some(samples) = samples {
                field(out, ",\"samples\":\"", samples);
            }
            out.push('}');
        }
        out.push(']');
        text
    }
}

fn field(out: &mut String, before: &str, bytes: &[u8]) {
    out.push_str(before);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            out.extend(char::from_digit(nibble.into(), 16));
        }
    }
    out.push('"');
}

/// More than the samples and salts of all sources take.
const MOST_BYTES: usize = 8 * 1024;
