//! A whole key on its way into shares: what its owner deals once, for all holders alike (specs/types.md, "Imports").

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Digest, HybridPublicKey, KeyScheme, Name, RequestId, Signed};
use keystead_intent::{Importer, KeyCeremony, KeyKind, KeyState};
use keystead_policy::{Reason, Roster, ShareFault};
use serde::{Deserialize, Serialize};

use crate::convoking::refused;
use crate::key_moves::not_from;
use crate::turn::Turn;
use crate::{Controls, Convened, Convening, Key};

/// A whole key, dealt: one polynomial in public, and its point for each holder, which nobody else reads.
///
/// It is an entry of the log, so that all holders take the same one. Whoever deals signs it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dealing {
    /// The cluster.
    pub cluster: ClusterId,
    /// The key.
    pub key: Name,
    /// The digest of the decision that convened the attempt: no other one takes it.
    pub convened: Digest,
    /// The device of the person who deals; none where a key's home does.
    pub device: Option<Name>,
    /// The points of the polynomial's coefficients, the key's own first: as many as sign.
    pub coefficients: Vec<Vec<u8>>,
    /// Shows that whoever deals knows the key.
    pub proof: Vec<u8>,
    /// In the holders' order.
    pub points: Vec<SealedPoint>,
}

impl Canonical for Dealing {
    const DOMAIN: &'static str = "keystead/key-dealing/v1";
    const MAX_BYTES: usize = 64 * 1024;
}

/// One holder's point, encrypted to its enclave's seat (HPKE with X-Wing).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedPoint {
    /// The X-Wing ciphertext, 1,120 bytes.
    pub encapsulated: Vec<u8>,
    /// 32 bytes, encrypted, and the tag of 16.
    pub ciphertext: Vec<u8>,
}

impl SealedPoint {
    fn is_well_formed(&self) -> bool {
        (self.encapsulated.len(), self.ciphertext.len()) == (ENCAPSULATED_BYTES, CIPHERTEXT_BYTES)
    }
}

impl Dealing {
    /// The key that its signature is verified with: of a person's device, or of a key's home.
    #[must_use]
    pub fn dealer_key<'a>(&self, from: &Importer, roster: &'a Roster) -> Option<&'a HybridPublicKey> {
        match (from, &self.device) {
            (Importer::Person(person), Some(device)) => roster.device(person, device).map(|it| &it.key),
            (Importer::Home(home), None) => roster.node(home).map(|it| &it.key),
            (Importer::Person(_), None) | (Importer::Home(_), Some(_)) => None,
        }
    }

    /// Whether it fits the attempt under way. What no log can see, the holders' enclaves check.
    pub(crate) fn fits(&self, cluster: ClusterId, it: &Convening) -> Result<(), ShareFault> {
        if (self.cluster, &self.key, Some(self.convened)) != (cluster, it.ceremony.key(), it.convened) {
            return Err(ShareFault::Attempt);
        }
        let counts = (self.coefficients.len(), self.points.len());
        let point = it.account.map_or(0, |it| it.public_key().len());
        let formed = counts == (usize::from(it.threshold), it.holders.len())
            && self.proof.len() == PROOF_BYTES
            && self.coefficients.iter().all(|it| it.len() == point)
            && self.points.iter().all(SealedPoint::is_well_formed);
        if formed { Ok(()) } else { Err(ShareFault::Dealing) }
    }

    /// The public key that was dealt.
    #[must_use]
    pub fn point(&self) -> &[u8] {
        self.coefficients.first().map_or(&[], Vec::as_slice)
    }
}

impl Convened {
    /// Who deals the whole key, where one is imported.
    #[must_use]
    pub fn importer(&self) -> Option<&Importer> {
        importer(&self.ceremony)
    }
}

impl<C: Controls> Turn<'_, C> {
    /// A whole key was dealt, by whoever the ceremony names, as the key that people approved.
    pub(crate) fn imported(
        &mut self,
        key: &Name,
        (request, attempt): (&RequestId, u32),
        dealing: &Signed<Dealing>,
    ) -> Result<KeyState, Reason> {
        let (cluster, policy) = (self.state.cluster, Arc::clone(&self.state.policy));
        let controls = self.controls;
        let convening = self.convening(key, request)?;
        let is_approved = controls.imports(&convening.ceremony, dealing.body.point());
        let roster = &policy.engine.version().roster;
        let taken = convening.import(cluster, roster, attempt, dealing, is_approved);
        taken.map_err(refused(key, &dealing.signer))?;
        Ok(self.state_of(key))
    }

    /// A whole key for nodes of the roster: a person's, under a name that is free, or one of this log, by its home.
    ///
    /// INVARIANT E3: no key that the log knows already, under whatever name.
    pub(crate) fn can_be_imported(&self, ceremony: &KeyCeremony) -> Result<(), Reason> {
        let KeyCeremony::Import { key: name, kind, account, from, threshold, holders } = ceremony else {
            return Ok(());
        };
        self.can_hold(name, *threshold, holders)?;
        let fault = |it| refused(name, from.name())(it);
        let first = account.address(0);
        let fits = match kind {
            KeyKind::ThresholdSecp256k1 => {
                let lone = account.is_lone() == (account.chain_code == Digest::ZERO);
                account.scheme() == Some(KeyScheme::Ecdsa) && first.is_some() && lone
            }
            KeyKind::ThresholdEd25519 => account.scheme() == Some(KeyScheme::Ed25519),
            // One that derives from itself, as those do that are born in shares, would have other addresses than it had.
            KeyKind::ThresholdBip340 => account.scheme() == Some(KeyScheme::Bip340) && account.is_taproot(),
            // There is no threshold scheme of ML-DSA here.
            KeyKind::HdSecp256k1 | KeyKind::TokenSecp256k1 | KeyKind::HdMlDsa65 => {
                return Err(Reason::KindRefused { key: name.clone(), kind: *kind });
            }
        };
        if !fits {
            return Err(fault(ShareFault::Account));
        }
        let known = |it: &Key| {
            let same = it.account.public_key() == account.public_key();
            same || (first.is_some() && it.account.address(0) == first)
        };
        if self.state.keys.iter().any(|(other, it)| other != name && known(it)) {
            return Err(Reason::KeyExists { key: name.clone() });
        }
        match (from, self.state.keys.get(name)) {
            (Importer::Person(person), None) => match self.state.roster().person(person) {
                Some(_) => Ok(()),
                None => Err(fault(ShareFault::Dealer)),
            },
            (Importer::Home(home), Some(key)) => {
                if key.kind.is_shared() || key.kind.is_in_tokens() || !key.state.receives() {
                    return Err(not_from(name, key.state, ceremony));
                }
                // INVARIANT S14: as with an exit.
                if self.state.frozen.holds(name) {
                    return Err(Reason::Frozen { key: Some(name.clone()) });
                }
                if key.account != *account {
                    return Err(fault(ShareFault::Account));
                }
                // Coins at hardened paths are derived by the whole key alone.
                if !key.wallets.is_empty() {
                    return Err(fault(ShareFault::Wallets));
                }
                if key.home == *home { Ok(()) } else { Err(fault(ShareFault::Dealer)) }
            }
            (Importer::Person(_), Some(_)) => Err(Reason::KeyExists { key: name.clone() }),
            (Importer::Home(_), None) => Err(Reason::KeyUnknown { key: name.clone() }),
        }
    }
}

pub(crate) fn importer(ceremony: &KeyCeremony) -> Option<&Importer> {
    match ceremony {
        KeyCeremony::Import { from, .. } => Some(from),
        _ => None,
    }
}

const ENCAPSULATED_BYTES: usize = 1120;
const CIPHERTEXT_BYTES: usize = 32 + 16;
/// A signature of BIP-340 or Ed25519.
const PROOF_BYTES: usize = 64;
