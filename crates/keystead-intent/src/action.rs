//! The kinds of request, each with exactly the fields that its bytes are built from.

use alloy_primitives::{Address, Bytes};
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Amount, Name, RequestId};
use serde::{Deserialize, Serialize};

/// The longest payload of any one request.
pub const MAX_PAYLOAD_BYTES: usize = 256 * 1024;

/// An EIP-155 chain id, or one of those beyond them that Bitcoin's and NEAR's networks and Solana's clusters have. Zero is not a
/// chain.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(transparent)]
pub struct ChainId(pub u64);

impl std::fmt::Display for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.bitcoin(), self.solana(), self.near()) {
            (Some(network), _, _) => write!(f, "bitcoin:{network}"),
            (None, Some(cluster), _) => write!(f, "solana:{cluster}"),
            (None, None, Some(network)) => write!(f, "near:{network}"),
            (None, None, None) => write!(f, "eip155:{}", self.0),
        }
    }
}

/// One account: a key by name and the last step of `m/44'/60'/0'/0/index` (BIP-44); on Bitcoin the account, the third
/// step of `m/84'/0'/index'` and its like.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(deny_unknown_fields)]
pub struct AccountRef {
    /// The key's name.
    pub key: Name,
    /// The address index, below 2^31.
    pub index: u32,
}

/// What moves: the chain's own coin, or the token contract at an address.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Asset {
    /// The chain's own coin; its unit is wei, on Bitcoin satoshi, on Solana lamport, on NEAR yoctoNEAR.
    Native,
    /// A token contract; its unit is the token's base unit.
    Token(Address),
}

/// Where in the account's sequence the transaction stands, and what it may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GasTerms {
    /// The account's nonce.
    pub nonce: u64,
    /// Gas limit, in gas.
    pub gas_limit: u64,
    /// Ceiling per gas, in wei (EIP-1559).
    pub max_fee_per_gas: u128,
    /// Tip per gas, in wei (EIP-1559).
    pub max_priority_fee_per_gas: u128,
}

/// Moves an amount of one asset to one address.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Who pays.
    pub account: AccountRef,
    /// On which chain.
    pub chain: ChainId,
    /// What moves.
    pub asset: Asset,
    /// Who receives.
    pub to: Address,
    /// How much, in the asset's smallest unit.
    pub amount: Amount,
    /// Nonce and fee.
    pub gas: GasTerms,
}

/// Calls a contract with raw calldata.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContractCall {
    /// Who calls.
    pub account: AccountRef,
    /// On which chain.
    pub chain: ChainId,
    /// The contract.
    pub to: Address,
    /// Wei sent along.
    pub value: Amount,
    /// Selector and arguments.
    pub data: Bytes,
    /// Nonce and fee.
    pub gas: GasTerms,
}

/// Signs EIP-712 typed data, given as its JSON text.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypedData {
    /// Who signs.
    pub account: AccountRef,
    /// The chain that the domain must name (S8).
    pub chain: ChainId,
    /// The document, as `eth_signTypedData_v4` takes it.
    pub json: String,
}

/// Signs an EIP-191 personal message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Who signs.
    pub account: AccountRef,
    /// The chain whose policy applies; the message itself carries none.
    pub chain: ChainId,
    /// The message, before the EIP-191 prefix.
    pub bytes: Bytes,
}

/// Signs a transaction or an EIP-7702 authorization given as the very bytes whose Keccak-256 is signed.
///
/// Legacy with EIP-155 (`rlp` of nine fields), `0x01` EIP-2930, `0x02` EIP-1559, `0x03` EIP-4844,
/// `0x04` EIP-7702, and `0x05 || rlp([chain, address, nonce])` for an authorization.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEthereum {
    /// Who signs.
    pub account: AccountRef,
    /// The chain that the bytes must name (S8).
    pub chain: ChainId,
    /// The signing preimage.
    pub preimage: Bytes,
}

/// Puts another transaction into the slot of an earlier one (S4).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replacement {
    /// The request whose slot is taken.
    pub replaces: RequestId,
    /// The transaction that takes it: same account, chain and nonce.
    pub transaction: RawEthereum,
}
