//! The chain under test: real signatures, real bytecode, a real socket.

mod execution;
mod rpc;

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

use crate::{Devnet, Receipt};

const CHAIN: u64 = 31_337;
const GENESIS_SECONDS: u64 = 1_795_464_902;
const ETHER: u128 = 1_000_000_000_000_000_000;
const GWEI: u128 = 1_000_000_000;

struct Account {
    key: SecretKey,
    address: Address,
}

impl Account {
    fn new(byte: u8) -> Self {
        let key = SecretKey::from_byte_array([byte; 32]).unwrap();
        let public = PublicKey::from_secret_key(&Secp256k1::signing_only(), &key).serialize_uncompressed();
        Self { key, address: Address::from_slice(&keccak256(&public[1..])[12..]) }
    }

    fn sign_hash(&self, hash: B256) -> Signature {
        let signature =
            Secp256k1::signing_only().sign_ecdsa_recoverable(Message::from_digest(hash.0), &self.key);
        let (id, bytes) = signature.serialize_compact();
        Signature::from_bytes_and_parity(&bytes, i32::from(id) == 1)
    }

    fn sign<T: SignableTransaction<Signature>>(&self, tx: T) -> Vec<u8>
    where
        TxEnvelope: From<alloy_consensus::Signed<T>>,
    {
        let signature = self.sign_hash(tx.signature_hash());
        TxEnvelope::from(tx.into_signed(signature)).encoded_2718()
    }
}

fn funded() -> (Devnet, Account) {
    let (mut chain, account) = (Devnet::new(CHAIN, GENESIS_SECONDS), Account::new(7));
    chain.fund(account.address, U256::from(10 * ETHER));
    (chain, account)
}

fn transfer(nonce: u64, to: Address, wei: u128) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: TxKind::Call(to),
        value: U256::from(wei),
        ..TxEip1559::default()
    }
}

fn send(chain: &mut Devnet, raw: &[u8]) -> Receipt {
    chain.execute_raw(raw).unwrap()
}

/// Init code that returns `runtime`.
fn init(runtime: &[u8]) -> Bytes {
    let length = u8::try_from(runtime.len()).unwrap();
    // PUSH1 length, DUP1, PUSH1 11, PUSH1 0, CODECOPY, PUSH1 0, RETURN (11 bytes), runtime.
    [&[0x60, length, 0x80, 0x60, 11, 0x60, 0, 0x39, 0x60, 0, 0xf3], runtime].concat().into()
}
