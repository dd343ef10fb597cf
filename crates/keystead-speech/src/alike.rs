//! Addresses that people take for one another: they compare a few characters at both ends.

/// Whether two addresses begin and end alike and are not the same: nobody who compares the first and the last four
/// hex digits tells them apart, and one that ends so can be made in hours.
#[must_use]
pub fn look_alike(one: &[u8; 20], other: &[u8; 20]) -> bool {
    let ends = |it: &[u8; 20]| (it.first_chunk::<2>().copied(), it.last_chunk::<2>().copied());
    one != other && ends(one) == ends(other)
}

/// The same for addresses that are written in letters and digits: four characters behind what all of a network have in
/// common, and the last four.
#[must_use]
pub fn texts_look_alike(one: &str, other: &str) -> bool {
    let ends = |it: &str| {
        let own = own_part(it);
        let first: String = own.chars().take(COMPARED).collect();
        let last: String = own.chars().rev().take(COMPARED).collect();
        (it.len().saturating_sub(own.len()), first.to_lowercase(), last.to_lowercase())
    };
    !one.eq_ignore_ascii_case(other) && ends(one) == ends(other)
}

/// Behind the prefix and the version of a Bech32 address (`bc1q`), or behind the first character of a Base58 one.
fn own_part(address: &str) -> &str {
    let bech32 = ["bc1", "tb1", "bcrt1"]
        .into_iter()
        .find(|it| address.get(..it.len()).is_some_and(|start| start.eq_ignore_ascii_case(it)));
    address.get(bech32.map_or(1, |it| it.len().saturating_add(1))..).unwrap_or_default()
}

const COMPARED: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_addresses_with_the_same_ends_look_alike() {
        let known: [u8; 20] = std::array::from_fn(|at| 0xd0 + at as u8);
        let with = |at: usize, byte: u8| {
            let mut other = known;
            other[at] = byte;
            other
        };
        for (other, alike) in [
            (known, false),
            (with(9, 0), true),
            (with(0, 0), false),
            (with(1, 0), false),
            (with(18, 0), false),
            (with(19, 0), false),
        ] {
            assert_eq!(look_alike(&known, &other), alike, "{other:x?}");
        }
    }

    #[test]
    fn s12_texts_with_the_same_ends_look_alike() {
        let segwit = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
        for (other, alike) in [
            (segwit, false),
            ("BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4", false),
            ("bc1qw508aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaf3t4", true),
            ("bc1qw500d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", false),
            ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", false),
            ("tb1qw508aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaf3t4", true),
            ("bcrt1qw508aaaaaaaaaaaaaaaaaaaaaaaaaaaaf3t4", false),
        ] {
            assert_eq!(texts_look_alike(segwit, other), alike, "{other}");
        }
        let legacy = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
        assert!(texts_look_alike(legacy, "1A1zPaaaaaaaaaaaaaaaaaaaaaaaaivfNa"));
        assert!(!texts_look_alike(legacy, "1B1zPaaaaaaaaaaaaaaaaaaaaaaaaivfNa"));
        assert!(!texts_look_alike("", legacy));
    }
}
