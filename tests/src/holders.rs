//! A key that three nodes hold in shares, born among machines of the product, in the log and on the chain.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use alloy_primitives::{Address, B256, U256};
use keystead_base::{ClusterId, Digest, Name, PublicAccount, RequestId, Secret};
use keystead_chain::{Unsigned, assemble, build};
use keystead_decision::{KeyState, KeyStep, LightError, Strict};
use keystead_intent::{AccountRef, Action, Asset, Transfer};
use keystead_threshold::{
    Abort, Ceremony, Dkls23, EcdsaEngine, EcdsaShare, EcdsaSignature, Holders, Journal, Kept, Purpose,
    Scheme, Session,
};

use crate::circle::{birth, dealt, five, nodes, treasury};
use crate::fixture::{CHAIN, ETHER};
use crate::table::{Table, seated};
use crate::theft::add_rule;
use crate::world::{World, gas};

/// What signs with a share.
pub(crate) type Signing = <Dkls23 as EcdsaEngine>::Sign;

/// The key `treasury` of `node-1`, `node-2` and `node-3`, of which any two sign.
pub(crate) struct Circle {
    /// The log that lets it sign.
    pub(crate) world: World<Strict>,
    /// Its first address, with 1,000 ether.
    pub(crate) address: Address,
    tries: u64,
}

impl Circle {
    pub(crate) fn born() -> Self {
        let (mut world, address) = (log(), account().address(0).expect("an address"));
        world.chain.fund(address, U256::from(1_000 * ETHER));
        Self { world, address, tries: 0 }
    }

    /// A payment of its first account.
    pub(crate) fn ether(&self, to: Address, wei: u128, nonce: u64) -> Action {
        ether(to, wei, nonce)
    }

    /// The bytes of a payment.
    pub(crate) fn unsigned(&self, action: &Action) -> Unsigned {
        build(action, self.address).expect("a payment")
    }

    /// What the enclave of an honest holder does before its first message: it asks the log.
    pub(crate) fn permitted(&mut self, request: &RequestId, digest: &Digest) -> Result<Digest, LightError> {
        let (certificate, now) = (self.world.certified(request), self.world.now());
        let permit = self.world.light.permit_signing(&certificate, digest, now)?;
        Ok(permit.into_grant().signing_digest)
    }

    /// A run of these two, never the same one twice.
    pub(crate) fn session(&mut self, signers: &[Name], digest: Digest) -> Session {
        self.tries += 1;
        session(self.world.state.cluster(), signers, digest, self.tries)
    }

    /// Both begin, and nobody lies.
    pub(crate) fn sign(&mut self, signers: &[Name], digest: Digest) -> Result<EcdsaSignature, Abort> {
        signed(seated(&self.session(signers, digest), signs))
    }

    /// The chain takes what was signed.
    pub(crate) fn cash(&mut self, unsigned: &Unsigned, made: &EcdsaSignature) {
        let (r, s) = (B256::from(made.r), B256::from(made.s));
        let signed = assemble(unsigned, r, s, made.recovery_id == 1).expect("a signature of this account");
        let receipt = self.world.chain.execute_raw(&signed.raw).expect("the chain takes it");
        assert!(receipt.outcome.is_success(), "{:?}", receipt.outcome);
    }
}

/// A part of a signature, by the holder's share.
pub(crate) fn signs(me: &Name) -> Signing {
    Dkls23::sign(share(me))
}

/// What the first of the signers ends with.
pub(crate) fn signed(mut table: Table<Signing>) -> Result<EcdsaSignature, Abort> {
    table.run(|_, _| {});
    let (_, end) = table.ends().into_iter().next().expect("a signer");
    end.expect("an end").map(|(_, signature)| signature)
}

/// A payment of the key's first account.
fn ether(to: Address, wei: u128, nonce: u64) -> Action {
    let account = AccountRef { key: treasury(), index: 0 };
    let (asset, amount) = (Asset::Native, wei.into());
    Action::Transfer(Transfer { account, chain: CHAIN, asset, to, amount, gas: gas(nonce) })
}

/// Another log in which the same key was born.
pub(crate) fn log() -> World<Strict> {
    let mut world = World::of(five(), Strict::default(), |policy| {
        let desk_moves = r#"permit(principal in Role::"desk", action in Action::"sign", resource == Key::"treasury")
                            when { context.class == "transfer" };"#;
        add_rule(policy, "desk-moves-treasury", desk_moves);
    });
    let (request, _) = world.allow(birth());
    world.take_seats(request, &[1, 2, 3], 100);
    for node in [1, 2, 3] {
        world.says(node, dealt(request, 1, account(), public_shares()));
    }
    for (node, other) in [(1, 2), (2, 3), (3, 1)] {
        let session = session(world.state.cluster(), &nodes(&[node, other]), world.challenge_for(node), 0);
        let made = signed(seated(&session, signs)).expect("a signature");
        let proof = [made.r, made.s].concat();
        world.says(node, KeyStep::Proven { request, attempt: 1, proof });
    }
    assert_eq!(world.state.key(&treasury()).map(|it| it.state), Some(KeyState::Active));
    world
}

fn session(cluster: ClusterId, signers: &[Name], digest: Digest, attempt: u64) -> Session {
    let purpose = Purpose::Sign { signers: signers.to_vec(), digest, path: vec![0] };
    of_the_key(cluster, purpose, attempt)
}

fn of_the_key(cluster: ClusterId, purpose: Purpose, attempt: u64) -> Session {
    Session {
        cluster,
        key: treasury(),
        scheme: Scheme::EcdsaDkls23,
        epoch: 0,
        holders: Holders::new(2, nodes(&[1, 2, 3])).expect("holders"),
        policy_version: 0,
        purpose,
        attempt: keystead_base::tagged_hash("keystead/test-attempt", &attempt.to_be_bytes()),
    }
}

/// A copy of a holder's share, from the seals of one birth: a set-up takes seconds.
pub(crate) fn share(me: &Name) -> EcdsaShare<Dkls23> {
    match EcdsaShare::from_secret(&seals()[me]) {
        Some(Kept::Whole(share)) => share,
        _ => panic!("a share of this engine"),
    }
}

fn seals() -> &'static BTreeMap<Name, Secret<Vec<u8>>> {
    static SEALS: OnceLock<BTreeMap<Name, Secret<Vec<u8>>>> = OnceLock::new();
    SEALS.get_or_init(|| {
        let cluster = ClusterId(Digest([1; 32]));
        let mut table =
            seated(&of_the_key(cluster, Purpose::Generate, 0), |_| Ceremony::<Dkls23>::generate());
        table.run(|_, _| {});
        let sealed = |share: EcdsaShare<Dkls23>| share.to_secret().expect("a share's bytes");
        let done = table.ends().into_iter().map(|(name, end)| match end {
            Some(Ok(Some(share))) => (name, sealed(share)),
            _ => panic!("a share"),
        });
        done.collect()
    })
}

fn account() -> PublicAccount {
    let share = share(&nodes(&[1])[0]);
    let root = share.share().public().key.as_slice().try_into().expect("33 bytes");
    PublicAccount::new(root, *share.chain_code())
}

fn public_shares() -> Vec<Vec<u8>> {
    share(&nodes(&[1])[0]).share().public().shares.clone()
}

/// A journal that nothing was written to.
pub(crate) fn empty() -> Journal {
    Journal::default()
}
