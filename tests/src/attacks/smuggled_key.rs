//! One action more behind a payment (S2, S9).
//!
//! A transaction of NEAR's has up to a hundred actions on one account, and all of them happen. Whoever shows the payment and not the
//! rest gets more signed than was read.
//!
//! The desk asks for a transfer of our account to itself, which moves nothing; the second action lets the thief's key do everything
//! with that account. The twin reads the transfers and takes them for the whole.

use alloy_primitives::U256;
use keystead_decision::{Controls, Outcome};
use keystead_intent::{AssetIndex, EffectKind, Effects};
use keystead_near::{Action, Permission, PublicKey, Unsigned};
use keystead_quorum::Strict;

use crate::Loot;
use crate::circle::five;
use crate::near::{NEAR, NETWORK, US, account_of, asks, lists_near, make_near_key, transaction};
use crate::theft::{STRICT_CHECKS, add_rule};
use crate::world::World;

/// The thief's.
const THIEF: PublicKey = PublicKey::Ed25519([0xba; 32]);

/// Plays it.
pub fn attack<C: Controls>(controls: C) -> Loot {
    let mut world = World::of(five(), controls, |policy| {
        lists_near(policy, NEAR);
        let rule = r#"permit(principal in Role::"desk", action == Action::"near", resource == Key::"vera")
                      when { context.class == "transfer" };"#;
        add_rule(policy, "desk-moves-near", rule);
    });
    let key = make_near_key(&mut world, "vera", 9);
    let smuggled = Action::AddKey { key: THIEF, nonce: 0, permission: Permission::FullAccess };
    let bytes = transaction(&key, 1, US, vec![Action::Transfer { deposit: 1 }, smuggled]);
    let (_, outcome) = world.ask("desk", asks("vera", bytes.clone()));
    let Outcome::Allow(grant) = &outcome else { return Loot::decided(&outcome) };
    let unsigned = Unsigned::read(NETWORK, &account_of(&key), &bytes).expect("a transaction");
    assert_eq!(grant.signing_digest, unsigned.signing_digest());
    let signature = key.sign(unsigned.signing_digest().as_bytes()).expect("a signature");
    unsigned.sign_into(signature.as_bytes()).expect("a signed transaction");
    let gives = |it: &&Action| matches!(it, Action::AddKey { key, .. } if *key == THIEF);
    let given = unsigned.transaction().actions().iter().filter(gives).count();
    Loot::stolen(U256::from(given), "key of the thief's that may do everything with our account")
}

/// Controls whose decoder leaves out all but what moves.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutOtherActions;

impl Controls for WithoutOtherActions {
    type Checks = Strict;

    fn checks(&self) -> &Strict {
        &STRICT_CHECKS
    }

    fn explain_near(&self, unsigned: &Unsigned, assets: &AssetIndex) -> Effects {
        let mut effects = unsigned.effects(assets);
        effects.items.retain(|effect| matches!(effect.kind, EffectKind::Transfer { .. }));
        effects
    }
}
