//! The checksum of descriptors (BIP-380, "Checksum"): eight letters that find any four mistyped ones.

/// The checksum of a descriptor's text; none when the text has a letter that descriptors cannot have.
pub(crate) fn checksum(text: &str) -> Option<String> {
    let mut state = 1;
    let mut group = 0;
    let mut held = 0;
    for letter in text.bytes() {
        let value = u64::try_from(LETTERS.iter().position(|it| *it == letter)?).ok()?;
        state = step(state, value & 31);
        group = group * 3 + (value >> 5);
        held += 1;
        if held == 3 {
            state = step(state, group);
            (group, held) = (0, 0);
        }
    }
    if held > 0 {
        state = step(state, group);
    }
    let state = (0..LENGTH).fold(state, |state, _| step(state, 0)) ^ 1;
    (0..LENGTH).map(|at| digit(state, at)).collect()
}

/// Multiplies by x and reduces, in the field that the BIP chose.
fn step(state: u64, value: u64) -> u64 {
    let top = state >> 35;
    let shifted = ((state & 0x7_ffff_ffff) << 5) ^ value;
    let reductions = GENERATOR.iter().enumerate().filter(|(at, _)| (top >> at) & 1 == 1);
    reductions.fold(shifted, |state, (_, term)| state ^ term)
}

fn digit(state: u64, at: usize) -> Option<char> {
    let five_bits = (state >> (5 * (LENGTH - 1 - at))) & 31;
    usize::try_from(five_bits).ok().and_then(|it| DIGITS.get(it)).copied().map(char::from)
}

/// The letters of a checksum.
pub(crate) const LENGTH: usize = 8;
const LETTERS: &[u8] =
    b"0123456789()[],'/*abcdefgh@:$%{}IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~ijklmnopqrstuvwxyzABCDEFGH`#\"\\ ";
const DIGITS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATOR: [u64; 5] = [0xf5_dee5_1989, 0xa9_fdca_3312, 0x1b_ab10_e32d, 0x37_06b1_677a, 0x64_4d62_6ffd];

#[cfg(test)]
mod tests {
    use super::*;

    /// BIP-380, "Test Vectors": the one valid checksum there.
    #[test]
    fn the_vector_of_bip_380() {
        assert_eq!(checksum("raw(deadbeef)").as_deref(), Some("89f8spxm"));
        assert_eq!(checksum("raw(deedbeef)").as_deref().map(|it| it == "89f8spxm"), Some(false));
        assert_eq!(checksum("raw(Ü)"), None);
    }
}
