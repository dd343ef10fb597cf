//! A withdrawal without a chain id is paid again on every other chain (S8).
//!
//! Ethereum Classic, July 2016: after the split a transaction was valid on both chains. Customers of
//! exchanges withdrew ether, replayed the exchange's own signed transaction on the other chain, and were
//! paid a second time there. EIP-155 put the chain id under the signature.
//!
//! The customer asks for the old six fields first, and then for an ordinary withdrawal. The first has no
//! form here: [`Unsigned`] cannot exist without the configured chain id, so no twin could let it through
//! by leaving out a check. The twin has another idea of what the digest of the second is: that of the
//! six fields, as wallets computed it before EIP-155.

use alloy_consensus::{SignableTransaction as _, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718 as _;
use alloy_primitives::{B256, Signature, TxKind, U256};
use alloy_rlp::Decodable as _;
use keystead_base::{Digest, RequestId};
use keystead_chain::{Payload, Unsigned};
use keystead_decision::{Controls, Outcome};
use keystead_devnet::Devnet;
use keystead_quorum::Strict;

use crate::Loot;
use crate::fixture::{BIRTH, CHAIN, ETHER, FRIEND};
use crate::theft::STRICT_CHECKS;
use crate::world::World;

/// Plays it. The customer is the friend of the address book.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::new(controls);
    let bare = withdrawal(None).encoded_for_signing();
    let (_, first) = world.ask("desk", world.raw(bare));
    let ordinary = withdrawal(Some(CHAIN.0)).encoded_for_signing();
    let (id, second) = world.ask("desk", world.raw(ordinary));
    let Outcome::Allow(_) = second else { return Loot::decided(&second) };
    let signature = match sign_with_its_digest(&mut world, &id) {
        Ok(signature) => signature,
        Err(refused) => return refused,
    };
    let paid = replay(&world, signature);
    if paid.is_zero() { Loot::decided(&first) } else { Loot::stolen(paid, "wei on the other chain") }
}

/// Signs what the product takes for the digest of these bytes, under the certificate for it.
pub(crate) fn sign_with_its_digest<C: Controls>(
    world: &mut World<C>,
    id: &RequestId,
) -> Result<(B256, B256, bool), Loot> {
    let certificate = world.certificate(id).expect("a decision has a certificate");
    let digest = world.controls().granted_digest(&world.unsigned(id));
    let now = world.now();
    let permit = world.light.permit_signing(&certificate, &digest, now);
    let grant = permit.map_err(|error| Loot::refused_for(&error))?.into_grant();
    Ok(world.sign_digest(grant.account.index, &digest))
}

/// A chain with the same account, rich there too.
pub(crate) fn other_chain<C: Controls>(world: &World<C>) -> Devnet {
    let mut other = Devnet::new(ETHEREUM_CLASSIC, BIRTH.seconds());
    other.fund(world.account(), U256::from(1_000 * ETHER));
    other
}

/// Sends the signature to the other chain, in both readings.
fn replay<C: Controls>(world: &World<C>, (r, s, odd_y): (B256, B256, bool)) -> U256 {
    let mut other = other_chain(world);
    let signature = Signature::new(U256::from_be_bytes(r.0), U256::from_be_bytes(s.0), odd_y);
    for chain_id in [None, Some(CHAIN.0)] {
        let raw = TxEnvelope::from(withdrawal(chain_id).into_signed(signature)).encoded_2718();
        drop(other.execute_raw(&raw));
    }
    other.balance(FRIEND)
}

fn withdrawal(chain_id: Option<u64>) -> TxLegacy {
    TxLegacy {
        chain_id,
        nonce: 0,
        gas_price: 2_000_000_000,
        gas_limit: 21_000,
        to: TxKind::Call(FRIEND),
        value: U256::from(ETHER / 2),
        input: Default::default(),
    }
}

const ETHEREUM_CLASSIC: u64 = 61;

/// Controls that take the digest of a legacy transaction without its chain id.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutChainId;

impl Controls for WithoutChainId {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn granted_digest(&self, unsigned: &Unsigned) -> Digest {
        match unsigned.payload() {
            Payload::Transaction(bytes) => {
                let legacy = TxLegacy::decode(&mut bytes.as_ref()).expect("the withdrawal");
                Digest(TxLegacy { chain_id: None, ..legacy }.signature_hash().0)
            }
            _ => unsigned.signing_digest(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use keystead_base::Coded as _;
    use keystead_intent::ChainId;

    use super::*;

    #[test]
    fn s08_bytes_without_the_configured_chain_id_have_no_form() {
        let chainless = alloy_eips::eip7702::Authorization {
            chain_id: U256::ZERO,
            address: Address::repeat_byte(1),
            nonce: 0,
        };
        let mut authorization = vec![0x05];
        alloy_rlp::Encodable::encode(&chainless, &mut authorization);
        for (payload, chain, code) in [
            (Payload::Transaction(withdrawal(None).encoded_for_signing().into()), CHAIN, "build.no_chain_id"),
            (
                Payload::Transaction(withdrawal(Some(1)).encoded_for_signing().into()),
                CHAIN,
                "build.wrong_chain",
            ),
            (Payload::Authorization(authorization.clone().into()), CHAIN, "build.wrong_chain"),
            (Payload::Authorization(authorization.into()), ChainId(0), "build.chain_zero"),
        ] {
            let error = Unsigned::parse(Address::ZERO, chain, payload).unwrap_err();
            assert_eq!(error.code(), code);
        }
    }
}
