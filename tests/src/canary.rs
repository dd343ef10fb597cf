//! A scanner that looks for known secrets in bytes of any kind, in each form in which they could be written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;

/// Known secrets, each in every form that is looked for.
#[derive(Debug, Default)]
pub struct Canaries {
    needles: Vec<Needle>,
    /// Made of all needles when something is searched first.
    automaton: OnceLock<AhoCorasick>,
}

#[derive(Debug)]
struct Needle {
    secret: String,
    form: &'static str,
    bytes: Vec<u8>,
}

impl Canaries {
    /// Adds a secret: as it is, in hex of either case, in base64 of either alphabet wherever it may begin, in base58, and in bech32
    /// of either case.
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
        for text in (0..3).map(|offset| base64_inside(bytes, offset)) {
            let other = text.iter().map(|it| match it {
                b'+' => b'-',
                b'/' => b'_',
                it => *it,
            });
            forms.push(("base64url", other.collect()));
            forms.push(("base64", text));
        }
        forms.push(("base58", bs58::encode(bytes).into_vec()));
        let bech32 = bech32_inside(bytes);
        forms.push(("BECH32", bech32.to_ascii_uppercase()));
        forms.push(("bech32", bech32));
        forms.into_iter().for_each(|(form, bytes)| self.look_for(secret, form, bytes));
    }

    fn look_for(&mut self, secret: &str, form: &'static str, bytes: Vec<u8>) {
        self.needles.push(Needle { secret: secret.to_owned(), form, bytes });
        self.automaton = OnceLock::new();
    }

    /// Adds a secret scalar, and the text in which wallets of Bitcoin's keep one (WIF, of either kind of point).
    pub fn add_scalar(&mut self, secret: &str, bytes: &[u8]) {
        self.add(secret, bytes);
        for tail in [&[][..], &[1]] {
            self.look_for(secret, "wif", checked(&[&[0x80], bytes, tail].concat()));
        }
    }

    /// How many secrets there are, and in how many forms they are looked for.
    #[must_use]
    pub fn counted(&self) -> (usize, usize) {
        let secrets: BTreeSet<_> = self.needles.iter().map(|it| it.secret.as_str()).collect();
        (secrets.len(), self.needles.len())
    }

    /// Adds the words of a secret, as a person would copy them: any six in a row give it away.
    pub fn add_words(&mut self, secret: &str, words: &str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        for part in words.windows(6) {
            self.look_for(secret, "words", part.join(" ").into_bytes());
        }
    }

    /// What stands somewhere in these bytes: secret and form.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> BTreeSet<String> {
        let automaton = self.automaton.get_or_init(|| {
            let needles = self.needles.iter().map(|it| &it.bytes);
            AhoCorasick::new(needles).expect("some thousand needles at most")
        });
        let found = automaton.find_overlapping_iter(bytes).map(|it| it.pattern());
        let found = found.map(|it| &self.needles[it.as_usize()]);
        found.map(|it| format!("{} ({})", it.secret, it.form)).collect()
    }

    /// The files below a folder that hold a secret, but for those where secrets live. Also says how many bytes
    /// were looked at, so that a scan of nothing does not pass for a clean one.
    #[must_use]
    pub fn found_below(&self, folder: &Path, home: &dyn Fn(&Path) -> bool) -> (Vec<String>, usize) {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        for path in files_below(folder).into_iter().filter(|path| !home(path)) {
            // A socket or a file that went away holds nothing.
            let bytes = std::fs::read(&path).unwrap_or_default();
            looked_at += bytes.len();
            found.extend(self.found_in(&bytes).iter().map(|it| format!("{}: {it}", path.display())));
        }
        (found, looked_at)
    }
}

/// All files below a folder.
#[must_use]
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().into_iter().flatten().flatten().map(|it| it.path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Base58 with the checksum of Bitcoin's.
fn checked(bytes: &[u8]) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    let sum = Sha256::digest(Sha256::digest(bytes));
    bs58::encode([bytes, &sum[..4]].concat()).into_vec()
}

/// Five bits a character (BIP-173), without the last one where the secret alone does not decide it.
fn bech32_inside(bytes: &[u8]) -> Vec<u8> {
    let bit = |at: usize| usize::from(bytes[at / 8] >> (7 - at % 8) & 1);
    let groups =
        (0..bytes.len() * 8 / 5).map(|group| (0..5).fold(0, |sum, at| sum << 1 | bit(group * 5 + at)));
    groups.map(|it| BECH32[it]).collect()
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
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    /// BIP-173's own example of a program: 20 bytes and their 32 characters.
    #[test]
    fn the_forms_are_those_of_others() {
        let program: Vec<u8> =
            (0..20).map(|at| u8::from_str_radix(&PROGRAM[2 * at..2 * at + 2], 16).unwrap()).collect();
        assert_eq!(bech32_inside(&program), b"w508d6qejxtdg4y5r3zarvary0c5xw7k");
        let mut one = [0; 32];
        one[31] = 1;
        let wif = checked(&[&[0x80], one.as_slice(), &[1]].concat());
        assert_eq!(wif, b"KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn");
    }

    const PROGRAM: &str = "751e76e8199196d454941c45d1b3a323f1433bd6";

    /// A leak that is planted in each form is found, wherever it begins: the scanner looks.
    #[test]
    fn k1_a_planted_secret_is_found_in_each_form() {
        let secret: Vec<u8> = (0..32_u8).map(|n| n.wrapping_mul(73) ^ 0xa5).collect();
        let words = "one two three four five six seven eight nine ten eleven twelve";
        let mut canaries = Canaries::default();
        canaries.add_scalar("seed", &secret);
        canaries.add_words("seed", words);
        let wrapped = |inner: &[u8]| [b"a line: ".as_slice(), inner, b"\n"].concat();
        for (form, bytes) in [
            ("raw", secret.clone()),
            ("hex", hex(&secret).into_bytes()),
            ("HEX", hex(&secret).to_uppercase().into_bytes()),
            ("words", words.as_bytes()[4..].to_vec()),
            ("words", b"four five six seven eight nine".to_vec()),
            ("base58", bs58::encode(&secret).into_vec()),
            ("wif", checked(&[&[0x80], secret.as_slice(), &[1]].concat())),
            ("bech32", [b"age-secret-key-1".as_slice(), &bech32_inside(&secret), b"qqqqqqq"].concat()),
            (
                "BECH32",
                [b"AGE-SECRET-KEY-1".as_slice(), &bech32_inside(&secret).to_ascii_uppercase()].concat(),
            ),
        ] {
            assert!(canaries.found_in(&wrapped(&bytes)).contains(&format!("seed ({form})")), "{form}");
        }
        for before in 0..6 {
            let text = base64(&[vec![7; before], secret.clone(), vec![9; 5]].concat());
            assert!(canaries.found_in(&wrapped(&text)).contains("seed (base64)"), "after {before} bytes");
            let url: Vec<u8> = text.iter().map(|it| if *it == b'/' { b'_' } else { *it }).collect();
            let url: Vec<u8> = url.iter().map(|it| if *it == b'+' { b'-' } else { *it }).collect();
            assert!(canaries.found_in(&wrapped(&url)).contains("seed (base64url)"), "after {before} bytes");
        }
        assert_eq!(canaries.counted().0, 1);
        assert!(canaries.found_in(&wrapped(&secret[..31])).is_empty());
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("log")).unwrap();
        std::fs::write(folder.path().join("log/trace"), wrapped(&secret)).unwrap();
        assert_eq!(canaries.found_below(folder.path(), &|_| false).0.len(), 1);
        assert!(canaries.found_below(folder.path(), &|path| path.ends_with("trace")).0.is_empty());
    }
}
