//! A scanner that looks for known secrets in bytes of any kind, in each form in which they could be written.

use std::collections::BTreeSet;
use std::path::Path;

/// Known secrets, each in every form that is looked for.
#[derive(Debug, Default)]
pub struct Canaries {
    needles: Vec<Needle>,
}

#[derive(Debug)]
struct Needle {
    secret: String,
    form: &'static str,
    bytes: Vec<u8>,
}

impl Canaries {
    /// Adds a secret: as it is, in hex of either case, and in base64 wherever it may begin.
    ///
    /// # Panics
    ///
    /// For a secret so short that it is found by chance.
    pub fn add(&mut self, secret: &str, bytes: &[u8]) {
        assert!(bytes.len() >= SHORTEST, "{secret} is too short to look for");
        let hex = hex(bytes);
        let mut forms = vec![
            ("raw", bytes.to_vec()),
            ("HEX", hex.to_uppercase().into_bytes()),
            ("hex", hex.into_bytes()),
        ];
        forms.extend((0..3).map(|offset| ("base64", base64_inside(bytes, offset))));
        let needles =
            forms.into_iter().map(|(form, bytes)| Needle { secret: secret.to_owned(), form, bytes });
        self.needles.extend(needles);
    }

    /// Adds the words of a secret, as a person would copy them: any six in a row give it away.
    pub fn add_words(&mut self, secret: &str, words: &str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        for part in words.chunks_exact(6) {
            let bytes = part.join(" ").into_bytes();
            self.needles.push(Needle { secret: secret.to_owned(), form: "words", bytes });
        }
    }

    /// What stands somewhere in these bytes: secret and form.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<String> {
        let mut by_start: Vec<Vec<&Needle>> = (0..256).map(|_| Vec::new()).collect();
        for needle in &self.needles {
            by_start[usize::from(needle.bytes[0])].push(needle);
        }
        let mut found = BTreeSet::new();
        for (at, byte) in bytes.iter().enumerate() {
            for needle in &by_start[usize::from(*byte)] {
                if bytes[at..].starts_with(&needle.bytes) {
                    found.insert(format!("{} ({})", needle.secret, needle.form));
                }
            }
        }
        found
    }

    /// The files below a folder that hold a secret, but for those where secrets live. Also says how many bytes
    /// were looked at, so that a scan of nothing does not pass for a clean one.
    #[must_use]
    pub fn found_below(&self, folder: &Path, home: &dyn Fn(&Path) -> bool) -> (Vec<String>, usize) {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        for entry in folder.read_dir().into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                let (inner, bytes) = self.found_below(&path, home);
                found.extend(inner);
                looked_at += bytes;
            } else if !home(&path) {
                // A socket or a file that went away holds nothing.
                let bytes = std::fs::read(&path).unwrap_or_default();
                looked_at += bytes.len();
                found.extend(self.found_in(&bytes).iter().map(|it| format!("{}: {it}", path.display())));
            }
        }
        (found, looked_at)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The characters that the secret alone decides, when so many bytes stand before it.
fn base64_inside(bytes: &[u8], before: usize) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
    let whole = padded.len() / 3 * 4;
    let text = base64(&padded);
    let first = if before == 0 { 0 } else { 4 };
    text[first..whole].to_vec()
}

/// Base64 without its last, unfinished group.
fn base64(bytes: &[u8]) -> Vec<u8> {
    let groups = bytes.chunks_exact(3);
    groups
        .flat_map(|group| {
            let bits = u32::from(group[0]) << 16 | u32::from(group[1]) << 8 | u32::from(group[2]);
            [18, 12, 6, 0].map(|shift| ALPHABET[(bits >> shift & 63) as usize])
        })
        .collect()
}

const SHORTEST: usize = 16;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    /// A leak that is planted in each form is found, wherever it begins: the scanner looks.
    #[test]
    fn k1_a_planted_secret_is_found_in_each_form() {
        let secret: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(73) ^ 0xa5).collect();
        let words = "one two three four five six seven eight nine ten eleven twelve";
        let mut canaries = Canaries::default();
        canaries.add("seed", &secret);
        canaries.add_words("seed", words);
        let wrapped = |inner: &[u8]| [b"a line: ".as_slice(), inner, b"\n"].concat();
        for (form, bytes) in [
            ("raw", secret.clone()),
            ("hex", hex(&secret).into_bytes()),
            ("HEX", hex(&secret).to_uppercase().into_bytes()),
            ("words", words.as_bytes()[4..].to_vec()),
        ] {
            assert!(canaries.found_in(&wrapped(&bytes)).contains(&format!("seed ({form})")), "{form}");
        }
        for before in 0..6 {
            let text = base64(&[vec![7; before], secret.clone(), vec![9; 5]].concat());
            assert!(canaries.found_in(&wrapped(&text)).contains("seed (base64)"), "after {before} bytes");
        }
        assert!(canaries.found_in(&wrapped(&secret[..31])).is_empty());
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        std::fs::write(folder.path().join("log/trace"), wrapped(&secret)).unwrap();
        assert_eq!(canaries.found_below(folder.path(), &|_| false).0.len(), 1);
        assert!(canaries.found_below(folder.path(), &|path| path.ends_with("trace")).0.is_empty());
    }
}
