//! A Solidity struct as the EIP-712 document that wallets exchange: the nodes read it, so they need all of it.

use alloy_dyn_abi::eip712::{Resolver, TypedData};
use alloy_dyn_abi::{DynSolValue, Error};
use alloy_primitives::hex;
use alloy_sol_types::{Eip712Domain, SolStruct, SolType};
use serde_json::{Map, Value};

/// The document whose hash is `payload.eip712_signing_hash(domain)`.
pub(crate) fn of<T: SolStruct>(payload: &T, domain: &Eip712Domain) -> Result<TypedData, Error> {
    let mut resolver = Resolver::from_struct::<T>();
    let kind = resolver.resolve(T::NAME)?;
    let message = json(&kind.abi_decode(&encoded::<T>(payload))?);
    resolver.ingest_string(domain.encode_type())?;
    Ok(TypedData { domain: domain.clone(), resolver, primary_type: T::NAME.to_owned(), message })
}

/// A struct is its own Rust type, which the compiler sees where both have names of their own.
fn encoded<T: SolType>(value: &T::RustType) -> Vec<u8> {
    T::abi_encode(value)
}

/// Numbers as decimal strings: JSON's own end at 53 bits for some.
fn json(value: &DynSolValue) -> Value {
    match value {
        DynSolValue::Bool(it) => Value::Bool(*it),
        DynSolValue::Int(it, _) => Value::String(it.to_string()),
        DynSolValue::Uint(it, _) => Value::String(it.to_string()),
        DynSolValue::FixedBytes(it, size) => bytes(it.get(..*size).unwrap_or_default()),
        DynSolValue::Address(it) => Value::String(it.to_string()),
        DynSolValue::Function(it) => bytes(it.as_slice()),
        DynSolValue::Bytes(it) => bytes(it),
        DynSolValue::String(it) => Value::String(it.clone()),
        DynSolValue::Array(items) | DynSolValue::FixedArray(items) | DynSolValue::Tuple(items) => {
            items.iter().map(json).collect()
        }
        DynSolValue::CustomStruct { prop_names, tuple, .. } => {
            let fields = prop_names.iter().cloned().zip(tuple.iter().map(json));
            Value::Object(fields.collect::<Map<_, _>>())
        }
    }
}

fn bytes(bytes: &[u8]) -> Value {
    Value::String(hex::encode_prefixed(bytes))
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256, Bytes, I256, U256, aliases::I24};
    use alloy_sol_types::{eip712_domain, sol};

    use super::*;

    sol! {
        struct Leg { address to; uint256 amount; bytes data; }
        struct Order { Leg[] legs; int24 tick; bytes32 salt; bytes4 selector; bool live; string note; int256 low; Leg[2] both; }
    }

    #[test]
    fn s02_a_struct_and_its_document_have_one_hash() {
        let leg = |byte| Leg {
            to: Address::repeat_byte(byte),
            amount: U256::MAX - U256::from(byte),
            data: Bytes::from(vec![byte; 40]),
        };
        let order = Order {
            legs: vec![leg(1), leg(2)],
            tick: I24::MINUS_ONE,
            salt: B256::repeat_byte(7),
            selector: [1, 2, 3, 4].into(),
            live: true,
            note: "Grüße".to_owned(),
            low: I256::MIN,
            both: [leg(3), leg(4)],
        };
        let domain = eip712_domain! { name: "Desk", version: "1", chain_id: 31337, verifying_contract: Address::ZERO, };
        let document = of(&order, &domain).unwrap();
        assert_eq!(document.eip712_signing_hash().unwrap(), order.eip712_signing_hash(&domain));
        let again: TypedData = serde_json::from_str(&serde_json::to_string(&document).unwrap()).unwrap();
        assert_eq!(again.eip712_signing_hash().unwrap(), order.eip712_signing_hash(&domain));
    }
}
