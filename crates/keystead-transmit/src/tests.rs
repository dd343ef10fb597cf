//! Against real chains over real sockets: honest ones, one that lies, and some that are broken.

mod broken;
mod coins;
mod honest;
mod lying;
mod refusing;
mod scan;
mod state_at;
mod tls;

use std::sync::Arc;

use alloy_consensus::{SignableTransaction as _, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use keystead_base::{Amount, Coded as _};
use keystead_devnet::{Devnet, DevnetServer};
use secp256k1::{Message, PublicKey, Secp256k1, SecretKey};

use crate::*;

const CHAIN: u64 = 31_337;
const GENESIS_SECONDS: u64 = 1_795_464_902;
const ETHER: u64 = 1_000_000_000_000_000_000;
const GWEI: u128 = 1_000_000_000;
const TO: Address = Address::repeat_byte(0xaa);

fn key() -> SecretKey {
    SecretKey::from_byte_array([7; 32]).unwrap()
}

fn account() -> Address {
    let public = PublicKey::from_secret_key(&Secp256k1::signing_only(), &key()).serialize_uncompressed();
    Address::from_slice(&keccak256(&public[1..])[12..])
}

/// A signed transfer and what to watch.
fn transfer(nonce: u64, wei: u64) -> (Vec<u8>, Watched) {
    let tx = TxEip1559 {
        chain_id: CHAIN,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 3 * GWEI,
        max_priority_fee_per_gas: GWEI,
        to: TxKind::Call(TO),
        value: U256::from(wei),
        ..TxEip1559::default()
    };
    let message = Message::from_digest(tx.signature_hash().0);
    let (id, bytes) = Secp256k1::signing_only().sign_ecdsa_recoverable(message, &key()).serialize_compact();
    let signature = Signature::from_bytes_and_parity(&bytes, i32::from(id) == 1);
    let raw = TxEnvelope::from(tx.into_signed(signature)).encoded_2718();
    let hash = keccak256(&raw);
    (raw, Watched { hash, account: account(), nonce })
}

fn genesis() -> Devnet {
    let mut chain = Devnet::new(CHAIN, GENESIS_SECONDS);
    chain.fund(account(), U256::from(ETHER));
    chain
}

async fn serve(chain: Devnet) -> DevnetServer {
    let clock = Arc::new(|| GENESIS_SECONDS + 1000);
    DevnetServer::start(([127, 0, 0, 1], 0).into(), chain, clock).await.unwrap()
}

/// Nodes of one chain.
struct Nodes(Vec<DevnetServer>);

impl Nodes {
    async fn start(chains: impl IntoIterator<Item = Devnet>) -> Self {
        let mut nodes = Vec::new();
        for chain in chains {
            nodes.push(serve(chain).await);
        }
        Self(nodes)
    }

    fn view(&self, agree: usize, finality: Finality) -> ChainView {
        let urls = self.0.iter().map(DevnetServer::url).collect::<Vec<_>>();
        view(&urls, agree, finality)
    }

    fn mine(&self, blocks: usize) {
        for node in &self.0 {
            for _ in 0..blocks {
                node.chain().mine();
            }
        }
    }
}

fn view(urls: &[String], agree: usize, finality: Finality) -> ChainView {
    ChainView::new(CHAIN, endpoints(urls, Limits::default()), agree, finality).unwrap()
}

fn endpoints(urls: &[String], limits: Limits) -> Vec<Endpoint> {
    let name = |index: usize| format!("node-{index}").parse().unwrap();
    urls.iter()
        .enumerate()
        .map(|(index, url)| Endpoint::new(name(index), url, limits, &Roots::System).unwrap())
        .collect()
}
