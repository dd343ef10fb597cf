//! Keys in tokens: born active, because there is no backup that anybody could drill.

use keystead_base::{Name, RequestId};
use keystead_intent::{KeyKind, KeyMove, KeyState};
use keystead_policy::{AssuranceLevel, Feature, Reason};

use crate::turn::Turn;
use crate::{Controls, Event, Key, KeyLife, PublicAccount};

impl<C: Controls> Turn<'_, C> {
    /// INVARIANT S7: a key counts as born once it signed what nothing else signs, with the very account that it is to have.
    pub(crate) fn born_in_tokens(
        &mut self,
        name: &Name,
        request: &RequestId,
        account: PublicAccount,
        (home, assurance, protections): (Name, AssuranceLevel, Vec<Feature>),
        proof: &[u8],
    ) -> Result<KeyState, Reason> {
        self.is_free(name)?;
        let challenge = crate::drill_challenge(self.state.cluster, name, 0, &request.0, None);
        if !account.proves_control(&challenge, proof) {
            return Err(Reason::DrillFailed { key: name.clone() });
        }
        let life = KeyLife { owner: self.requester_of(request), born: self.now(), ..KeyLife::default() };
        let born = Key::born(KeyKind::TokenSecp256k1, account, home, life);
        let key = Key { assurance, protections, ..born };
        self.new_key(name, key)?;
        // Once: a key that was destroyed does not come back under the permission that made it.
        self.step(request, Event::Settle);
        self.move_key(name, KeyMove::Prove)
    }
}
