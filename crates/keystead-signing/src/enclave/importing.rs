//! A whole key on its way into shares: dealt where it is whole, and taken by each holder for itself.

use std::collections::BTreeMap;

use keystead_base::{Canonical as _, ClusterId, Digest, KeyScheme, Name, RequestId, Secret, Timestamp};
use keystead_decision::{Certificate, Convened, Dealing, PublicAccount, SealedPoint, Seat};
use keystead_entropy::weak::{Material, WeakSeed, at_a_glance, check};
use keystead_intent::Importer;
use keystead_keys::RecipientPublicKey;
use keystead_threshold::{Bip340, Ed25519, Holders, Purpose, Scheme, Session, Split};

use super::sharing::Fresh;
use super::{Enclave, EnclaveControls, Role, in_epoch};
use crate::EnclaveError;
use crate::entropy::kernel_random;
use crate::protocol::{DealTo, SplitWhole, TakeDealing, WholeKey};
use crate::threshold::{Progress, Taking, ThresholdError};

/// Imports that the log convened and nobody dealt so far, by request.
#[derive(Default)]
pub(super) struct Imports(BTreeMap<RequestId, Awaited>);

/// What a dealing must fit.
pub(super) struct Awaited {
    convened: Convened,
    policy_version: u64,
    decision: Digest,
}

impl Imports {
    fn add(&mut self, request: RequestId, it: Awaited) {
        while self.0.len() >= MAX_IMPORTS {
            self.0.pop_first();
        }
        self.0.insert(request, it);
    }
}

impl<C: EnclaveControls> Enclave<C> {
    /// All holders have seats, and whoever has the key is to deal to them: what comes is held against this.
    pub(super) fn await_dealing(
        &mut self,
        request: RequestId,
        convened: Convened,
        (policy_version, decision): (u64, Digest),
    ) -> Result<Progress, EnclaveError> {
        if !self.threshold.has_seat(&request) {
            return Err(ThresholdError::NoSeat.into());
        }
        self.imports.add(request, Awaited { convened, policy_version, decision });
        Ok(Progress { records: Vec::new(), messages: Vec::new(), ended: Vec::new(), stands: Vec::new() })
    }

    /// INVARIANT K3, S3: whatever the node says, it is taken only from whoever the log allowed to deal, for the attempt that the
    /// log convened, and as the key that people approved.
    pub(super) fn take(&mut self, it: &TakeDealing, now: Timestamp) -> Result<Progress, EnclaveError> {
        let cluster = self.cluster()?;
        let log = self.log.as_ref().ok_or(EnclaveError::NotReady)?;
        let awaited = self.imports.0.remove(&it.request).ok_or(ThresholdError::NotAdmitted)?;
        let Awaited { convened, policy_version, decision } = awaited;
        let (dealing, from) = (&it.dealing, convened.importer().ok_or(ThresholdError::Dealer)?);
        let dealer = dealing.body.dealer_key(from, log.roster()).filter(|_| dealing.signer == *from.name());
        let signed = dealer.is_some_and(|key| dealing.verify(key).is_ok());
        if !signed || (dealing.body.cluster, dealing.body.convened) != (cluster, decision) {
            return Err(ThresholdError::Dealer.into());
        }
        let account = convened.account.ok_or(ThresholdError::NotAdmitted)?;
        let dealt = session_of(cluster, &convened, policy_version, decision)?;
        let purpose = Purpose::Take { dealing: dealing.body.digest() };
        let run = Session { purpose, ..dealt.clone() };
        let fresh = Fresh::of(&run, &convened, decision, now);
        let (request, split) = (it.request, split_of(&dealing.body));
        let moved =
            self.threshold.take(Taking { request, dealt, run, seats: convened.seats, split, account })?;
        self.fresh.add(request, fresh);
        self.progress(moved, now)
    }

    /// The key lives here whole, and the log convened those who are to hold it.
    pub(super) fn deal(&mut self, it: &Certificate, now: Timestamp) -> Result<Dealing, EnclaveError> {
        let log = self.log.as_mut().ok_or(EnclaveError::NotReady)?;
        let (convened, policy_version, decision) = log.permit_convened(it, now)?.into_parts();
        self.protected()?;
        let Some(Importer::Home(_)) = convened.importer() else { return Err(EnclaveError::Ceremony) };
        let name = convened.key().clone();
        let key = self.vault.key(&name)?;
        in_epoch(&name, key.epoch, convened.epoch)?;
        let seed = self.vault.seed(&key);
        // It was born in an enclave: what is asked of it is quick, because the right to deal it does not last.
        at_a_glance(seed.entropy().expose())?;
        let (secret, account) = (self.vault.root(&name)?.ethereum()?.scalar(), self.vault.public(&name)?);
        let cluster = self.cluster()?;
        dealt(cluster, &convened, (policy_version, decision), None, (&secret, account))
    }

    /// In a scratch enclave on the machine of whoever has the key: nothing of it leaves but in shares.
    pub(super) fn whole(&mut self, it: &SplitWhole) -> Result<WholeKey, EnclaveError> {
        if self.start.role != Role::Scratch {
            return Err(EnclaveError::Role);
        }
        self.hardened()?;
        let whole = self.start.passphrase.whole_key(it.taproot)?;
        not_weak(whole.drawn.expose(), it.everything)?;
        let dealing = it.to.as_ref().map(|to| {
            let DealTo { cluster, convened, policy_version, decision, device } = to;
            let (place, device) = ((*policy_version, *decision), Some(device.clone()));
            dealt(*cluster, convened, place, device, (&whole.secret, whole.account))
        });
        Ok(WholeKey { account: whole.account, dealing: dealing.transpose()? })
    }
}

/// Deals a key, and no other one than people approved.
fn dealt(
    cluster: ClusterId,
    convened: &Convened,
    (policy_version, decision): (u64, Digest),
    device: Option<Name>,
    (secret, account): (&Secret<[u8; 32]>, PublicAccount),
) -> Result<Dealing, EnclaveError> {
    if convened.account != Some(account) {
        return Err(EnclaveError::OtherKey { key: convened.key().clone() });
    }
    let session = session_of(cluster, convened, policy_version, decision)?;
    let seat = |name: &Name| convened.seats.get(name).and_then(recipient).ok_or(ThresholdError::Seat);
    let to = convened.holders.iter().map(seat).collect::<Result<Vec<_>, _>>()?;
    let split = match session.scheme {
        Scheme::Ed25519Frost => Split::deal::<Ed25519>(&session, secret, &to, &mut kernel_random),
        _ => Split::deal::<Bip340>(&session, secret, &to, &mut kernel_random),
    };
    let split = split.map_err(ThresholdError::from)?;
    let Split { coefficients, proof, points } = split;
    let point = |(encapsulated, ciphertext)| SealedPoint { encapsulated, ciphertext };
    let points = points.into_iter().map(point).collect();
    let key = convened.key().clone();
    Ok(Dealing { cluster, key, convened: decision, device, coefficients, proof, points })
}

fn recipient(seat: &Seat) -> Option<RecipientPublicKey> {
    RecipientPublicKey::from_bytes(&seat.recipient)
}

fn split_of(it: &Dealing) -> Split {
    let point = |it: &SealedPoint| (it.encapsulated.clone(), it.ciphertext.clone());
    Split {
        coefficients: it.coefficients.clone(),
        proof: it.proof.clone(),
        points: it.points.iter().map(point).collect(),
    }
}

/// The session that a whole key is dealt in: the one of the shares that it makes.
fn session_of(
    cluster: ClusterId,
    convened: &Convened,
    policy_version: u64,
    decision: Digest,
) -> Result<Session, ThresholdError> {
    let dealer = convened.importer().ok_or(ThresholdError::Dealer)?.name().clone();
    let scheme = match convened.account.and_then(|it| it.scheme()) {
        Some(KeyScheme::Ed25519) => Scheme::Ed25519Frost,
        Some(KeyScheme::Bip340) => Scheme::Bip340Frost,
        Some(KeyScheme::Ecdsa) | None => Scheme::EcdsaDkls23,
        // Nobody deals one: there is no threshold scheme of it here.
        Some(KeyScheme::MlDsa65) => return Err(ThresholdError::Share),
    };
    Ok(Session {
        cluster,
        key: convened.key().clone(),
        scheme,
        epoch: convened.next_epoch(),
        holders: Holders::new(convened.threshold, convened.holders.clone())?,
        policy_version,
        purpose: Purpose::Import { dealer },
        attempt: decision,
    })
}

/// INVARIANT E2: what others can make again is dealt to nobody. All seeds of the slow families are tried where that is asked for.
fn not_weak(drawn: &[u8], everything: bool) -> Result<(), WeakSeed> {
    // 32 bytes may be a key as well as a seed: of both, whichever is searched longer.
    let material = <&[u8; 32]>::try_from(drawn).map_or(Material::Entropy(drawn), Material::Key);
    check(&material)?;
    let slow = material.long_searches().iter().filter(|_| everything);
    slow.copied().try_for_each(|it| it.search(drawn, it.seeds()))
}

/// Imports that wait for their dealer at once.
const MAX_IMPORTS: usize = 16;
