//! From the bytes whose Keccak-256 a caller wants signed to what they mean, or a refusal.
//!
//! web3signer signs whatever it is given. Here nothing is signed that is not one of the forms that have a meaning: a
//! transaction, an authorization, a message with its prefix, or typed data that is shown along with its hashes.

use alloy_consensus::TxEip1559;
use alloy_primitives::{Address, Bytes, TxKind};
use keystead_base::{Amount, Blame, Coded};
use keystead_chain::{BuildError, Transaction, Unsigned, build};
use keystead_intent::{
    AccountRef, Action, Asset, ChainId, ContractCall, GasTerms, Message, RawEthereum, Transfer, TypedData,
};

/// Whose signature is asked for, and where.
#[derive(Clone, Debug)]
pub(super) struct Signer {
    pub(super) account: AccountRef,
    pub(super) address: Address,
    pub(super) chain: ChainId,
}

/// Reads `data`. The action that comes back signs these very bytes and no others.
pub(super) fn read(
    data: &[u8],
    typed_data: Option<String>,
    signer: &Signer,
) -> Result<(Action, Unsigned), Unread> {
    let action = match data {
        [0x19, 0x01, ..] => typed(typed_data.ok_or(Unread::TypedDataMissing)?, signer),
        [0x19, ..] => message(data, signer)?,
        _ => transaction(data, signer)?,
    };
    let unsigned = build(&action, signer.address)?;
    // INVARIANT S2: the node builds the bytes from the action; they have to be the ones that were asked for.
    match unsigned.signing_preimage() == data {
        true => Ok((action, unsigned)),
        false => Err(Unread::OtherBytes),
    }
}

fn typed(json: String, signer: &Signer) -> Action {
    Action::TypedData(TypedData { account: signer.account.clone(), chain: signer.chain, json })
}

/// EIP-191, version `0x45`: the prefix, the length in decimal, and so many bytes.
fn message(data: &[u8], signer: &Signer) -> Result<Action, Unread> {
    let rest = data.strip_prefix(PREFIX).ok_or(Unread::Message)?;
    let digits =
        (1..=MAX_LENGTH_DIGITS).find(|digits| says_the_rest(rest, *digits)).ok_or(Unread::Message)?;
    let bytes = Bytes::copy_from_slice(rest.get(digits..).unwrap_or_default());
    Ok(Action::Message(Message { account: signer.account.clone(), chain: signer.chain, bytes }))
}

/// Whether the first `digits` letters are the number of bytes behind them. At most one number of digits fits: one digit
/// more makes the number larger and the rest shorter.
fn says_the_rest(rest: &[u8], digits: usize) -> bool {
    let Some((number, message)) = rest.split_at_checked(digits) else { return false };
    number == message.len().to_string().as_bytes()
}

/// A transfer or a call where it is one, so that the same rules hold as for JSON-RPC; the raw bytes otherwise.
fn transaction(data: &[u8], signer: &Signer) -> Result<Action, Unread> {
    let preimage = Bytes::copy_from_slice(data);
    let raw =
        Action::RawEthereum(RawEthereum { account: signer.account.clone(), chain: signer.chain, preimage });
    let plain = match build(&raw, signer.address)?.transaction() {
        Some(Transaction::Eip1559(transaction)) if transaction.access_list.0.is_empty() => {
            typed_action(transaction, signer)
        }
        Some(_) | None => None,
    };
    Ok(plain.unwrap_or(raw))
}

fn typed_action(transaction: &TxEip1559, signer: &Signer) -> Option<Action> {
    let TxKind::Call(to) = transaction.to else { return None };
    let (account, chain, value) = (signer.account.clone(), signer.chain, Amount(transaction.value));
    let gas = GasTerms {
        nonce: transaction.nonce,
        gas_limit: transaction.gas_limit,
        max_fee_per_gas: transaction.max_fee_per_gas,
        max_priority_fee_per_gas: transaction.max_priority_fee_per_gas,
    };
    Some(match transaction.input.is_empty() {
        true => Action::Transfer(Transfer { account, chain, asset: Asset::Native, to, amount: value, gas }),
        false => {
            let data = transaction.input.clone();
            Action::ContractCall(ContractCall { account, chain, to, value, data, gas })
        }
    })
}

/// Why nobody knows what the bytes mean.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// Two hashes say nothing.
    #[error(
        "`data` begins with 0x1901: of typed data it holds hashes alone, and nobody sees what they stand for; send the \
         document along as `typed_data`, or use eth_signTypedData_v4"
    )]
    TypedDataMissing,
    /// Neither of the two forms of EIP-191.
    #[error(
        "`data` begins with 0x19 and is no EIP-191 message: expected its prefix, its length, and so many bytes"
    )]
    Message,
    /// What is sent along is something else.
    #[error("`data` is not what the typed data that came along hashes to")]
    OtherBytes,
    /// No transaction either.
    #[error("`data` is no payload that has a meaning: {0}")]
    Build(#[from] BuildError),
}

impl Coded for Unread {
    fn code(&self) -> &'static str {
        match self {
            Self::TypedDataMissing => "web3signer.typed_data_missing",
            Self::Message => "web3signer.message",
            Self::OtherBytes => "web3signer.other_bytes",
            Self::Build(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

const PREFIX: &[u8] = b"\x19Ethereum Signed Message:\n";
/// A payload is shorter than a million bytes.
const MAX_LENGTH_DIGITS: usize = 6;

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction as _, TxLegacy};
    use alloy_primitives::U256;

    use super::*;

    fn signer() -> Signer {
        let account = AccountRef { key: "hot".parse().unwrap(), index: 0 };
        Signer { account, address: Address::repeat_byte(1), chain: ChainId(31337) }
    }

    fn code(data: &[u8], typed: Option<&str>) -> Result<&'static str, &'static str> {
        let found = read(data, typed.map(str::to_owned), &signer());
        found.map(|(action, _)| action.kind().as_str()).map_err(|error| error.code())
    }

    fn eip1559(input: &'static [u8]) -> TxEip1559 {
        TxEip1559 {
            chain_id: 31337,
            gas_limit: 21_000,
            to: TxKind::Call(Address::repeat_byte(9)),
            input: Bytes::from_static(input),
            ..TxEip1559::default()
        }
    }

    const NOTE: &str = r#"{"types":{"EIP712Domain":[{"name":"chainId","type":"uint256"}],"Note":[{"name":"text",
        "type":"string"}]},"primaryType":"Note","domain":{"chainId":31337},"message":{"text":"x"}}"#;

    #[test]
    fn s02_bytes_are_read_or_refused() {
        let hashes = build(&typed(NOTE.to_owned(), &signer()), Address::ZERO).unwrap().signing_preimage();
        let created = TxEip1559 { to: TxKind::Create, ..eip1559(b"") };
        let other_chain = TxEip1559 { chain_id: 1, ..eip1559(b"") };
        let legacy = |chain_id| TxLegacy { chain_id, to: TxKind::Call(Address::ZERO), ..TxLegacy::default() };
        for (data, typed, found) in [
            (eip1559(b"").encoded_for_signing(), None, Ok("transfer")),
            (eip1559(b"\x12\x34\x56\x78").encoded_for_signing(), None, Ok("contract_call")),
            (created.encoded_for_signing(), None, Ok("raw_ethereum")),
            (legacy(Some(31337)).encoded_for_signing(), None, Ok("raw_ethereum")),
            (legacy(None).encoded_for_signing(), None, Err("build.no_chain_id")),
            (other_chain.encoded_for_signing(), None, Err("build.wrong_chain")),
            (b"\x19Ethereum Signed Message:\n5hello".to_vec(), None, Ok("message")),
            (b"\x19Ethereum Signed Message:\n2123".to_vec(), None, Err("web3signer.message")),
            (b"\x19Ethereum Signed Message:\n05hello".to_vec(), None, Err("web3signer.message")),
            (b"\x19Ethereum Signed Message:\n0".to_vec(), None, Ok("message")),
            (b"\x19\x00".to_vec(), None, Err("web3signer.message")),
            (hashes.clone(), None, Err("web3signer.typed_data_missing")),
            (hashes.clone(), Some(NOTE), Ok("typed_data")),
            (hashes, Some(&*NOTE.replace("\"x\"", "\"y\"")), Err("web3signer.other_bytes")),
            (vec![7; 32], None, Err("build.unknown_form")),
            (b"Hello, world!".to_vec(), None, Err("build.unknown_form")),
        ] {
            assert_eq!(code(&data, typed), found, "{}", const_hex::encode(data));
        }
    }

    #[test]
    fn s02_a_transfer_that_is_read_signs_the_same_bytes() {
        let transaction = TxEip1559 { value: U256::from(7), nonce: 3, ..eip1559(b"") };
        let (_, unsigned) = read(&transaction.encoded_for_signing(), None, &signer()).unwrap();
        assert_eq!(unsigned.signing_digest().0, transaction.signature_hash().0);
    }
}
