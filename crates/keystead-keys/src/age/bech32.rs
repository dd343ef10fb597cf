//! Bech32 (BIP-173) of any length, as age writes its keys.

/// The bytes behind a prefix in small letters; none where prefix, alphabet, checksum or padding do not fit.
pub(super) fn decode(prefix: &str, text: &str) -> Option<Vec<u8>> {
    let data = text.strip_prefix(prefix)?.strip_prefix('1')?;
    let values = data.bytes().map(value).collect::<Option<Vec<u8>>>()?;
    if checksum(prefix, &values) != 1 {
        return None;
    }
    let (data, _) = values.split_at_checked(values.len().checked_sub(CHECKSUM_VALUES)?)?;
    bytes(data)
}

fn value(character: u8) -> Option<u8> {
    u8::try_from(ALPHABET.iter().position(|it| *it == character)?).ok()
}

/// 1 for a whole that holds.
fn checksum(prefix: &str, values: &[u8]) -> u32 {
    let high = prefix.bytes().map(|it| it >> 5);
    let low = prefix.bytes().map(|it| it & 31);
    high.chain([0]).chain(low).chain(values.iter().copied()).fold(1, step)
}

fn step(sum: u32, value: u8) -> u32 {
    let top = sum >> 25;
    let shifted = ((sum & 0x1ff_ffff) << 5) ^ u32::from(value);
    let taps = GENERATORS.iter().enumerate().filter(|(bit, _)| (top >> bit) & 1 == 1);
    taps.fold(shifted, |sum, (_, generator)| sum ^ generator)
}

/// Eight bits of five; what is left over is less than five, and zero.
fn bytes(values: &[u8]) -> Option<Vec<u8>> {
    let (mut kept, mut bits, mut out) = (0_u16, 0_u32, Vec::with_capacity(values.len() * 5 / 8));
    for value in values {
        kept = (kept << 5) | u16::from(*value);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(kept >> bits).ok()?);
            kept &= (1 << bits) - 1;
        }
    }
    (bits < 5 && kept == 0).then_some(out)
}

const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
const GENERATORS: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
const CHECKSUM_VALUES: usize = 6;

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The other way round.
    pub(crate) fn encode(prefix: &str, bytes: &[u8]) -> String {
        let (mut kept, mut bits, mut values) = (0_u32, 0, Vec::new());
        for byte in bytes {
            kept = ((kept << 8) | u32::from(*byte)) & 0xfff;
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                values.push(u8::try_from((kept >> bits) & 31).unwrap());
            }
        }
        if bits > 0 {
            values.push(u8::try_from((kept << (5 - bits)) & 31).unwrap());
        }
        let sum = checksum(prefix, &[values.as_slice(), &[0; CHECKSUM_VALUES]].concat()) ^ 1;
        values.extend((0..6).map(|it| u8::try_from((sum >> (5 * (5 - it))) & 31).unwrap()));
        let data: String = values.iter().map(|it| char::from(ALPHABET[usize::from(*it)])).collect();
        format!("{prefix}1{data}")
    }

    #[test]
    fn the_vectors_of_bip_173_read_as_they_say() {
        let split = "abcdef";
        let bytes = decode(split, "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw");
        assert_eq!(const_hex::encode(bytes.unwrap()), "00443214c74254b635cf84653a56d7c675be77df");
        assert_eq!(decode("a", "a12uel5l"), Some(Vec::new()));
        for (prefix, wrong) in
            [("a", "a12uel5m"), ("b", "a12uel5l"), ("a", "a12UEL5L"), ("a", "a1"), ("", "")]
        {
            assert_eq!(decode(prefix, wrong), None, "{wrong}");
        }
    }
}
