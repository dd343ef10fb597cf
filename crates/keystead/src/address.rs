//! Addresses as people write them on a command line.

use alloy_primitives::Address;

/// `0x` and 40 hexadecimal digits; where small and capital letters are mixed, they are a checksum (EIP-55) and
/// have to fit.
///
/// # Errors
///
/// A sentence that says what was expected, for the parser of the command line.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let address: Address = text
        .parse()
        .map_err(|_| format!("expected 0x and 40 hexadecimal digits, found {} characters", digits.len()))?;
    let has = |is: fn(&char) -> bool| digits.chars().any(|it| is(&it));
    let is_mixed = has(char::is_ascii_lowercase) && has(char::is_ascii_uppercase);
    match is_mixed && address.to_checksum(None) != format!("0x{digits}") {
        true => {
            Err("its capital letters are a checksum (EIP-55) that does not fit: a digit is wrong".to_owned())
        }
        false => Ok(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_address_is_refused() {
        let good = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
        for right in [good.to_owned(), good.to_lowercase(), good.replace("0x", "")] {
            assert!(address(&right).is_ok(), "{right}");
        }
        for (wrong, word) in [
            ("exchange", "found 8 characters"),
            (&good[..41], "found 39 characters"),
            ("0x70997970C51812dc3A010C7d01b50e0d17dc79C9", "checksum"),
            ("0x70997970c51812dc3A010C7d01b50e0d17dc79C8", "checksum"),
        ] {
            assert!(address(wrong).unwrap_err().contains(word), "{wrong}: {:?}", address(wrong));
        }
    }
}
