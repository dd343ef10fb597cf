//! Values that are neither amounts nor addresses, as people read them: dates, durations, units, chains.

use alloy_primitives::{Address, U256, keccak256};
use keystead_base::Amount;
use keystead_chain::moment;
use keystead_speech::{Language, Phrase};

use crate::value::Value;

/// The longest byte string that is shown as it is; of a longer one its hash is.
const MAX_SHOWN_BYTES: usize = 128;
/// The most elements of a list that are shown.
const MAX_SHOWN_ITEMS: usize = 64;
/// SI prefixes by powers of a thousand.
const PREFIXES: [&str; 9] = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
/// Chains by their EIP-155 number, as their own documents call them.
const CHAINS: [(u64, &str); 9] = [
    (1, "Ethereum Mainnet"),
    (10, "OP Mainnet"),
    (56, "BNB Smart Chain Mainnet"),
    (100, "Gnosis"),
    (137, "Polygon Mainnet"),
    (8453, "Base"),
    (42161, "Arbitrum One"),
    (43114, "Avalanche C-Chain"),
    (59144, "Linea"),
];

/// A moment in Unix seconds; none where no calendar has it.
pub(crate) fn date(seconds: U256) -> Option<String> {
    moment(Amount(seconds)).map(|it| it.to_string())
}

/// Seconds as `HH:MM:SS`, with as many hours as there are.
pub(crate) fn duration(seconds: U256) -> String {
    let sixty = U256::from(60);
    let (minutes, second) = seconds.div_rem(sixty);
    let (hours, minute) = minutes.div_rem(sixty);
    format!("{:0>2}:{:0>2}:{:0>2}", hours.to_string(), minute.to_string(), second.to_string())
}

/// `value / 10^decimals` and its unit, with an SI prefix where one is wanted and fits.
pub(crate) fn unit(value: U256, base: &str, decimals: u8, prefix: bool) -> String {
    let plain = format!("{}{base}", Amount(value).with_decimals(decimals));
    let digits = value.to_string().len();
    let whole = digits.saturating_sub(usize::from(decimals));
    let power = whole.saturating_sub(1) / 3;
    if !prefix || value.is_zero() || power == 0 {
        return plain;
    }
    // Of a value beyond the last prefix the number grows.
    let power = power.min(PREFIXES.len().saturating_sub(1));
    let shifted = u8::try_from(power.saturating_mul(3)).unwrap_or(u8::MAX).saturating_add(decimals);
    let name = PREFIXES.get(power).copied().unwrap_or_default();
    format!("{}{name}{base}", Amount(value).with_decimals(shifted))
}

/// A chain by its name, and by its number where it has none here.
pub(crate) fn chain(number: U256) -> String {
    let known = CHAINS.iter().find(|(known, _)| U256::from(*known) == number);
    known.map_or_else(|| format!("eip155:{number}"), |(_, name)| (*name).to_owned())
}

/// Bytes in hex; of long ones their length and hash.
pub(crate) fn bytes(bytes: &[u8], language: Language) -> String {
    let (count, hash) = (bytes.len().to_string(), keccak256(bytes).to_string());
    match bytes.len() > MAX_SHOWN_BYTES {
        true => language.say(&Phrase::LongBytes { count: &count, hash: &hash }),
        false => const_hex::encode_prefixed(bytes),
    }
}

/// A text in quotes, so that it passes for nothing else.
pub(crate) fn text(text: &str, language: Language) -> String {
    let (count, hash) = (text.len().to_string(), keccak256(text).to_string());
    match text.len() > MAX_SHOWN_BYTES {
        true => language.say(&Phrase::LongText { count: &count, hash: &hash }),
        false => format!("{text:?}"),
    }
}

/// Any value as it is; addresses are the caller's.
pub(crate) fn raw(value: &Value, language: Language, address: &dyn Fn(Address) -> String) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Address(value) => address(*value),
        Value::Uint(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Bytes(value) => bytes(value, language),
        Value::Text(value) => text(value, language),
        Value::List(items) if items.len() > MAX_SHOWN_ITEMS => {
            language.say(&Phrase::LongList { count: &items.len().to_string() })
        }
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(|item| raw(item, language, address)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Struct(parts) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|(name, value)| format!("{name}: {}", raw(value, language, address)))
                .collect();
            format!("{{{}}}", parts.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard's own examples, and the edges beside them.
    #[test]
    fn values_read_as_the_standard_shows_them() {
        let number = |it: u64| U256::from(it);
        for (said, expected) in [
            (date(number(1_709_191_632)).unwrap(), "2024-02-29 07:27:12.000 UTC"),
            (duration(number(8250)), "02:17:30"),
            (duration(number(59)), "00:00:59"),
            (duration(number(360_000)), "100:00:00"),
            (unit(number(10), "h", 0, false), "10h"),
            (unit(number(15), "d", 1, false), "1.5d"),
            (unit(number(36_000), "s", 0, true), "36ks"),
            (unit(number(999), "s", 0, true), "999s"),
            (unit(number(1_500_000), "W", 3, true), "1.5kW"),
            (unit(number(0), "%", 4, true), "0%"),
            (unit(number(3000), "%", 4, false), "0.3%"),
            (chain(number(1)), "Ethereum Mainnet"),
            (chain(number(31_337)), "eip155:31337"),
            (bytes(&[0x12, 0x34], Language::English), "0x1234"),
            (text("a \"b\"\n", Language::English), "\"a \\\"b\\\"\\n\""),
        ] {
            assert_eq!(said, expected);
        }
        assert_eq!(date(U256::MAX), None);
        assert!(duration(U256::MAX).ends_with(":15"));
        assert!(unit(U256::MAX, "B", 0, true).ends_with("YB"));
        assert!(bytes(&[7; 129], Language::English).starts_with("129 bytes with Keccak-256 0x"));
    }
}
