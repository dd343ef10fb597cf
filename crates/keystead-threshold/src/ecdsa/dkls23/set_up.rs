//! The library's key generation from its second phase on, over shares that were dealt already.
//!
//! Its first phase deals points that nobody can check by themselves; ours ([`crate::Deal`]) names who dealt a wrong
//! one. What follows is the library's: proofs of each share, zero-sharing seeds, multiplications, chain code.

use std::collections::BTreeMap;

use dkls23_core::protocols::dkg::{
    BroadcastDerivationPhase2to4, BroadcastDerivationPhase3to4, KeepInitMulPhase3to4,
    KeepInitZeroSharePhase2to3, KeepInitZeroSharePhase3to4, ProofCommitment, SessionData,
    TransmitInitMulPhase3to4, TransmitInitZeroSharePhase2to4, TransmitInitZeroSharePhase3to4,
    UniqueKeepDerivationPhase2to3, phase2, phase3, phase4,
};
use dkls23_core::protocols::{Parameters, PartiesMessage, PartyIndex};
use k256::Secp256k1;
use k256::elliptic_curve::PrimeField as _;
use keystead_base::Name;
use keystead_keys::Fill;
use zeroize::{Zeroize as _, Zeroizing};

use super::super::{CHAIN_CODE_BYTES, EcdsaEngine as _, EcdsaShare};
use super::{Dkls23, abort, compressed, heard, index, write};
use crate::{Abort, Begun, Draft, Expects, Fault, Heard, Holders, KeyShare, Kind, Next, Protocol, Purpose};

/// A node's part in a set-up.
pub struct SetUp {
    share: Option<KeyShare>,
    chain_code: Option<[u8; CHAIN_CODE_BYTES]>,
    state: State,
}

enum State {
    Start,
    Opened(Box<Opened>),
    Sent(Box<Sent>),
    Listens(u8),
}

/// After the second phase.
struct Opened {
    data: SessionData,
    ours: First,
    zero: BTreeMap<PartyIndex, KeepInitZeroSharePhase2to3>,
    chain: UniqueKeepDerivationPhase2to3,
}

/// After the third.
struct Sent {
    data: SessionData,
    first: BTreeMap<PartyIndex, First>,
    zero_first: Vec<TransmitInitZeroSharePhase2to4>,
    zero: BTreeMap<PartyIndex, KeepInitZeroSharePhase3to4>,
    multiply: BTreeMap<PartyIndex, KeepInitMulPhase3to4<Secp256k1>>,
    chain: BroadcastDerivationPhase3to4,
}

/// What each says to all first: its proof, its part of a chain code, and the one that it knows already.
type First = (ProofCommitment<Secp256k1>, BroadcastDerivationPhase2to4, Option<[u8; CHAIN_CODE_BYTES]>);
/// What each says to each second.
type Second = (TransmitInitZeroSharePhase3to4, TransmitInitMulPhase3to4<Secp256k1>);

impl SetUp {
    pub(super) fn new(share: Option<KeyShare>, chain_code: Option<[u8; CHAIN_CODE_BYTES]>) -> Self {
        Self { share, chain_code, state: State::Start }
    }
}

/// Who holds the key afterwards.
fn receivers(begun: &Begun) -> &Holders {
    match &begun.session().purpose {
        Purpose::Reshare { next, .. } => next,
        _ => &begun.session().holders,
    }
}

impl Protocol for SetUp {
    type Output = Option<EcdsaShare<Dkls23>>;

    fn rounds(&self, _: &Begun) -> u8 {
        Dkls23::SET_UP_ROUNDS
    }

    fn expects(&self, begun: &Begun) -> Expects {
        let members = receivers(begun).members().iter();
        let others: Vec<Name> = members.filter(|name| *name != begun.me()).cloned().collect();
        let broadcast = Expects::broadcast(Kind::SetupOpen, others.clone());
        match self.state {
            State::Listens(_) => broadcast,
            State::Start | State::Opened(_) | State::Sent(_) => {
                broadcast.and_direct(Kind::SetupDirect, others)
            }
        }
    }

    fn advance(self, begun: &Begun, heard: Heard, _: Fill<'_>) -> Result<Next<Self>, Abort> {
        let Self { share, chain_code, state } = self;
        match (share, state) {
            (None, State::Start) => Ok(listens(Dkls23::SET_UP_ROUNDS)),
            (None, State::Listens(1)) => Ok(Next::Done(None)),
            (None, State::Listens(rounds)) => Ok(listens(rounds.saturating_sub(1))),
            (Some(share), State::Start) => open(begun, share, chain_code),
            (Some(share), State::Opened(opened)) => send(begun, share, chain_code, &opened, &heard),
            (Some(share), State::Sent(sent)) => finish(begun, share, chain_code, &sent, &heard),
            (Some(_), State::Listens(_)) | (None, State::Opened(_) | State::Sent(_)) => {
                Err(begun.own_fault())
            }
        }
    }
}

/// Who leaves hears the others' broadcasts out, because all echo them.
fn listens(rounds: u8) -> Next<SetUp> {
    Next::Round(SetUp { share: None, chain_code: None, state: State::Listens(rounds) }, Vec::new())
}

fn open(
    begun: &Begun,
    share: KeyShare,
    chain_code: Option<[u8; CHAIN_CODE_BYTES]>,
) -> Result<Next<SetUp>, Abort> {
    let (own, holders) = (|| begun.own_fault(), receivers(begun));
    let parameters = Parameters::new(holders.threshold(), holders.count()).map_err(|_| own())?;
    let party_index = index(begun, holders, begun.me())?;
    let data = SessionData { parameters, party_index, session_id: begun.id().0.as_bytes().to_vec() };
    let scalar = Option::<k256::Scalar>::from(k256::Scalar::from_repr((*share.scalar.expose()).into()));
    let points = Zeroizing::new(vec![scalar.ok_or_else(own)?]);
    let (mut point, proof, zero, to_each, chain, chain_commitment) = phase2::<Secp256k1>(&data, &points);
    point.zeroize();
    let ours: First = (proof, chain_commitment, chain_code);
    let mut drafts = vec![Draft::broadcast(Kind::SetupOpen, write(begun, &ours)?)];
    for message in to_each {
        drafts.push(direct(begun, holders, message.parties.receiver, &message)?);
    }
    let state = State::Opened(Box::new(Opened { data, ours, zero, chain }));
    Ok(Next::Round(SetUp { share: Some(share), chain_code, state }, drafts))
}

fn direct<T: serde::Serialize>(
    begun: &Begun,
    holders: &Holders,
    to: PartyIndex,
    message: &T,
) -> Result<Draft, Abort> {
    let to = holders.name_of(to.as_u8()).ok_or_else(|| begun.own_fault())?;
    Ok(Draft::direct(Kind::SetupDirect, to.clone(), write(begun, message)?))
}

fn send(
    begun: &Begun,
    share: KeyShare,
    chain_code: Option<[u8; CHAIN_CODE_BYTES]>,
    opened: &Opened,
    heard_now: &Heard,
) -> Result<Next<SetUp>, Abort> {
    let Opened { data, ours, zero, chain } = opened;
    let holders = receivers(begun);
    let mut first = BTreeMap::from([(data.party_index, ours.clone())]);
    let mut zero_first = Vec::new();
    for (from, payload) in &heard_now.broadcasts {
        let said: First = heard(begun, from, payload)?;
        let from_index = index(begun, holders, from)?;
        check_first(begun, &share, from, (from_index, &said), chain_code)?;
        first.insert(from_index, said);
    }
    for (from, payload) in &heard_now.directs {
        let said: TransmitInitZeroSharePhase2to4 = heard(begun, from, payload)?;
        check_parties(begun, from, &said.parties, data)?;
        zero_first.push(said);
    }
    let (zero, zero_out, multiply, multiply_out, chain) = phase3::<Secp256k1>(data, zero, chain);
    let mut drafts = vec![Draft::broadcast(Kind::SetupOpen, write(begun, &chain)?)];
    for (zero, multiply) in zero_out.into_iter().zip(multiply_out) {
        let to = multiply.parties.receiver;
        let both: Second = (zero, multiply);
        drafts.push(direct(begun, holders, to, &both)?);
    }
    let state = State::Sent(Box::new(Sent { data: data.clone(), first, zero_first, zero, multiply, chain }));
    Ok(Next::Round(SetUp { share: Some(share), chain_code, state }, drafts))
}

/// A proof is of the share that everybody knows the sender by, and all know the same chain code.
fn check_first(
    begun: &Begun,
    share: &KeyShare,
    from: &Name,
    (index, said): (PartyIndex, &First),
    chain_code: Option<[u8; CHAIN_CODE_BYTES]>,
) -> Result<(), Abort> {
    let (proof, chain, theirs) = said;
    if proof.index != index || chain.sender_index != index || *theirs != chain_code {
        return Err(begun.blame(from, Fault::Malformed));
    }
    if share.public.share_of(from) != Some(compressed(&proof.proof.point).as_slice()) {
        return Err(begun.blame(from, Fault::Proof));
    }
    Ok(())
}

fn check_parties(
    begun: &Begun,
    from: &Name,
    parties: &PartiesMessage,
    data: &SessionData,
) -> Result<(), Abort> {
    let sender = index(begun, receivers(begun), from)?;
    if parties.sender == sender && parties.receiver == data.party_index {
        return Ok(());
    }
    Err(begun.blame(from, Fault::Malformed))
}

fn finish(
    begun: &Begun,
    share: KeyShare,
    chain_code: Option<[u8; CHAIN_CODE_BYTES]>,
    sent: &Sent,
    heard_now: &Heard,
) -> Result<Next<SetUp>, Abort> {
    let (own, holders) = (|| begun.own_fault(), receivers(begun));
    let Sent { data, first, zero_first, zero, multiply, chain } = sent;
    let mut chains = BTreeMap::from([(data.party_index, chain.clone())]);
    for (from, payload) in &heard_now.broadcasts {
        let said: BroadcastDerivationPhase3to4 = heard(begun, from, payload)?;
        if said.sender_index != index(begun, holders, from)? {
            return Err(begun.blame(from, Fault::Malformed));
        }
        chains.insert(said.sender_index, said);
    }
    let (mut zeros, mut multiplies) = (Vec::new(), Vec::new());
    for (from, payload) in &heard_now.directs {
        let (zero, multiply): Second = heard(begun, from, payload)?;
        check_parties(begun, from, &zero.parties, data)?;
        check_parties(begun, from, &multiply.parties, data)?;
        zeros.push(zero);
        multiplies.push(multiply);
    }
    let proofs: Vec<_> = first.values().map(|(proof, ..)| proof.clone()).collect();
    let commitments = first.iter().map(|(index, (_, chain, _))| (*index, chain.clone())).collect();
    let scalar = Option::<k256::Scalar>::from(k256::Scalar::from_repr((*share.scalar.expose()).into()));
    let point = Zeroizing::new(scalar.ok_or_else(own)?);
    let done = phase4::<Secp256k1>(
        data,
        &point,
        &proofs,
        zero,
        zero_first,
        &zeros,
        multiply,
        &multiplies,
        &commitments,
        &chains,
        |_| String::new(),
    );
    let (mut party, _) = done.map_err(|found| abort(begun, holders, &found))?;
    // A key that is older than this set-up keeps its children.
    let chain_code = chain_code.unwrap_or(party.derivation_data.chain_code);
    party.derivation_data.chain_code = chain_code;
    if compressed(&party.pk) != share.public.key {
        return Err(own());
    }
    Ok(Next::Done(Some(EcdsaShare { share, chain_code, engine: Dkls23(party) })))
}

/// What is left of a half-done set-up is wiped; the library's own types do not all do it.
impl Drop for Opened {
    fn drop(&mut self) {
        for kept in self.zero.values_mut() {
            kept.seed.zeroize();
            kept.salt.zeroize();
        }
        self.chain.aux_chain_code.zeroize();
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.zero.values_mut().for_each(|kept| kept.seed.zeroize());
        for kept in self.multiply.values_mut() {
            kept.ot_sender.s.zeroize();
            kept.ot_receiver.seed.zeroize();
            kept.nonce.zeroize();
            kept.vec_r.zeroize();
            kept.correlation.zeroize();
        }
    }
}
