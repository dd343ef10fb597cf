//! EIP-712 typed data as policy and people see it: where it is valid, what it is, and its fields.

use std::fmt;

use alloy_primitives::{Address, B256, Bytes, I256};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::Amount;
use serde::{Deserialize, Serialize};

/// The most fields of one document that are listed; a document with more is opaque.
pub const MAX_TYPED_FIELDS: usize = 256;
/// The longest text or byte string that is listed as it is, in bytes; a longer one is listed by its hash.
pub const MAX_TYPED_VALUE_BYTES: usize = 256;

/// A typed document beside its effects: rules name it, people read it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedForm {
    /// The struct that is signed.
    pub primary_type: String,
    /// Where the signature is valid.
    pub domain: TypedDomain,
    /// Every value of the message, in the order of the types; at most [`MAX_TYPED_FIELDS`].
    pub fields: Vec<TypedField>,
}

/// The parts of an EIP-712 domain; what is absent is no part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedDomain {
    /// The protocol's name.
    pub name: Option<String>,
    /// The protocol's version.
    pub version: Option<String>,
    /// The EIP-155 chain id.
    pub chain: Option<Amount>,
    /// The contract that verifies the signature.
    pub verifying_contract: Option<Address>,
    /// A last resort to tell domains apart.
    pub salt: Option<B256>,
}

/// One value of the message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedField {
    /// Where it stands: `details.token`, `orders[0].maker`; `orders.length` counts a list's elements.
    pub path: String,
    /// What stands there.
    pub value: TypedValue,
}

/// A value that is neither list nor struct.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TypedValue {
    /// `bool`.
    Bool(bool),
    /// `address`.
    Address(Address),
    /// `uint8` to `uint256`, and the length of a list.
    Uint(Amount),
    /// `int8` to `int256`, in two's complement.
    Int(B256),
    /// `bytes1` to `bytes32`, and `bytes` of at most [`MAX_TYPED_VALUE_BYTES`].
    Bytes(Bytes),
    /// `string` of at most [`MAX_TYPED_VALUE_BYTES`].
    Text(String),
    /// Keccak-256 of a longer string or byte string.
    Hashed(B256),
}

impl TypedValue {
    /// The value as a number that holds at both ends of 64 bits; 0 for what is no number.
    #[must_use]
    pub fn held_in_64_bits(&self) -> i64 {
        match self {
            Self::Uint(number) => i64::try_from(number.0).unwrap_or(i64::MAX),
            Self::Int(word) => {
                let number = I256::from_be_bytes(word.0);
                let end = if number.is_negative() { i64::MIN } else { i64::MAX };
                i64::try_from(number).unwrap_or(end)
            }
            Self::Bool(_) | Self::Address(_) | Self::Bytes(_) | Self::Text(_) | Self::Hashed(_) => 0,
        }
    }
}

/// As rules compare it: numbers in decimal, addresses and bytes in lower-case hex with `0x`.
impl fmt::Display for TypedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => write!(f, "{value}"),
            Self::Address(address) => f.write_str(&const_hex::encode_prefixed(address)),
            Self::Uint(number) => write!(f, "{}", number.0),
            Self::Int(word) => write!(f, "{}", I256::from_be_bytes(word.0)),
            Self::Bytes(bytes) => f.write_str(&const_hex::encode_prefixed(bytes)),
            Self::Text(text) => f.write_str(text),
            Self::Hashed(hash) => write!(f, "keccak256:{}", const_hex::encode_prefixed(hash)),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::U256;

    use super::*;

    #[test]
    fn values_read_as_rules_compare_them() {
        let int = |number: I256| TypedValue::Int(B256::from(number.into_raw()));
        for (value, text, number) in [
            (TypedValue::Bool(true), "true", 0),
            (TypedValue::Address(Address::repeat_byte(0xab)), &format!("0x{}", "ab".repeat(20)), 0),
            (TypedValue::Uint(Amount::from(7_u64)), "7", 7),
            (TypedValue::Uint(Amount(U256::from(i64::MAX))), "9223372036854775807", i64::MAX),
            (TypedValue::Uint(Amount(U256::from(1) << 63)), "9223372036854775808", i64::MAX),
            (int(I256::MINUS_ONE), "-1", -1),
            (int(I256::MIN), &I256::MIN.to_string(), i64::MIN),
            (int(I256::MAX), &I256::MAX.to_string(), i64::MAX),
            (TypedValue::Bytes(Bytes::from_static(&[0xAB, 1])), "0xab01", 0),
            (TypedValue::Text("7".to_owned()), "7", 0),
            (TypedValue::Hashed(B256::ZERO), &format!("keccak256:0x{}", "00".repeat(32)), 0),
        ] {
            assert_eq!((value.to_string().as_str(), value.held_in_64_bits()), (text, number));
        }
    }
}
