//! The replicated state: everything that decides, and nothing else.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::{OrdMap, OrdSet};
use keystead_base::{
    Canonical, ClusterId, Digest, Name, RequestId, RequestNonce, Timestamp, merkle::Frontier,
};
use keystead_entropy::EntropyReceipt;
use keystead_intent::{BitcoinWallet, ChainId, Coin, KeyKind, KeyState, Slot};
use keystead_policy::{AssuranceLevel, Cooling, Engine, Feature, PolicyError, PolicyVersion, Prices, Roster};

use crate::coins::Purse;
use crate::finding::Found;
use crate::incident::Incident;
use crate::key_life::KeyLife;
use crate::reading::Kept;
use crate::rebuild::Pending;
use crate::{Convening, Frozen, Genesis, PublicAccount, Request, Sharing, SlotUse, Windows, persist};

/// The most requests that may wait at once; one more is denied.
pub const MAX_OPEN_REQUESTS: usize = 10_000;

/// What every node computes alike from the log. Cheap to clone: the maps share their structure.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) cluster: ClusterId,
    pub(crate) policy: Arc<ActivePolicy>,
    pub(crate) height: u64,
    pub(crate) time: Timestamp,
    pub(crate) parent: Digest,
    pub(crate) proposer: Option<Name>,
    pub(crate) history: Frontier,
    pub(crate) frozen: Frozen,
    /// All nodes were lost, and the cluster was not thawed since.
    pub(crate) rebuilt: bool,
    pub(crate) keys: OrdMap<Name, Key>,
    /// Shared, because a change copies the node of the map that it is in: sixty-three neighbors with it.
    pub(crate) requests: OrdMap<RequestId, Arc<Request>>,
    pub(crate) nonces: OrdMap<(Name, RequestNonce), RequestId>,
    pub(crate) slots: OrdMap<Slot, Arc<SlotUse>>,
    pub(crate) windows: Windows,
    pub(crate) prices: Prices,
    pub(crate) cooling: Cooling,
    pub(crate) due: OrdSet<(Timestamp, RequestId)>,
    pub(crate) open: u64,
    /// What was found on the chains, and at which height it entered the log: each counts once.
    pub(crate) findings: OrdMap<Digest, Arc<Found>>,
    /// Over whose tokens requests gave others a right; the zero address stands for all tokens.
    pub(crate) rights: OrdSet<(ChainId, Address, Address)>,
    /// The accounts that ever took a slot or gave a right, on whatever chain. It follows from both.
    pub(crate) accounts: OrdSet<Address>,
    pub(crate) coins: OrdMap<(Purse, Coin), Arc<SlotUse>>,
    /// How much of each requester's PSBTs is kept. It follows from the requests.
    pub(crate) kept: OrdMap<Name, Kept>,
    /// The latest findings that people cleared, with the height at which they did: none of them freezes its key again.
    pub(crate) cleared: OrdMap<Digest, u64>,
    /// Ceremonies of shared keys that are under way: at most one for each key.
    pub(crate) convened: OrdMap<Name, Arc<Convening>>,
    /// A compromise that was declared, until everything that may be known was replaced and people thawed.
    pub(crate) incident: Option<Arc<Incident>>,
    /// The newest blocks, for proofs that are younger than one of them: their headers' digests and times.
    pub(crate) recent: OrdMap<u64, (Digest, Timestamp)>,
    /// The ends of usage periods that are still to come. It follows from the keys.
    pub(crate) ends: OrdSet<(Timestamp, Name)>,
    /// What the next block must be; never part of a snapshot.
    pub(crate) pending: Option<Arc<Pending>>,
}

/// A compiled policy version with what is looked up in it all the time.
#[derive(Debug)]
pub struct ActivePolicy {
    /// The compiled rules.
    pub engine: Engine,
    /// The digest of the roster.
    pub roster_digest: Digest,
}

impl ActivePolicy {
    /// Compiles a version.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] says which rule, row or reference is wrong.
    pub fn compile(version: PolicyVersion) -> Result<Self, PolicyError> {
        let roster_digest = version.roster.digest();
        Ok(Self { engine: Engine::compile(version)?, roster_digest })
    }
}

/// A key as the log knows it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Key {
    /// What kind.
    pub kind: KeyKind,
    /// Counts changes of the secret and of its home; 0 at birth.
    pub epoch: u32,
    /// What its addresses derive from.
    pub account: PublicAccount,
    /// The node whose back end holds it; of a key in shares the first holder.
    pub home: Name,
    /// What kind of home it has.
    pub assurance: AssuranceLevel,
    /// The protections of its home that were reported last as fully in force, ascending.
    pub protections: Vec<Feature>,
    /// Where it stands in its life.
    pub state: KeyState,
    /// The digest of the latest backup file.
    pub backup: Option<Digest>,
    /// Its wallets on Bitcoin, by network.
    pub wallets: BTreeMap<ChainId, BitcoinWallet>,
    /// Who holds its shares in this epoch, where it is in shares.
    pub sharing: Option<Sharing>,
    /// The digests of the files that its shares left in, by holder.
    pub exits: BTreeMap<Name, Digest>,
    /// When a backup of it was restored last and proved control.
    pub drilled: Option<Timestamp>,
    /// The digest of that backup, which need not be the latest.
    pub drilled_backup: Option<Digest>,
    /// Whether it was whole once, and then dealt in shares: whoever has a copy of it from then signs with it.
    pub imported: bool,
    /// Its life beside its state.
    pub life: KeyLife,
    /// The addresses in use, remembered because deriving one costs more than a policy decision.
    #[borsh(skip)]
    pub(crate) addresses: OrdMap<u32, Address>,
}

impl Key {
    /// INVARIANT D2: how many seconds ago its latest backup was restored last: 0 of a key in shares, which has none, and of one that signs
    /// its sweep alone, which nobody can drill any more; the most that there are where that backup never was. That an older one was says nothing of this one.
    #[must_use]
    pub fn drill_age(&self, now: Timestamp) -> u64 {
        match self.drilled {
            _ if self.kind.is_shared() || self.state.sweeps() => 0,
            Some(at) if self.drilled_backup == self.backup => now.0.saturating_sub(at.0) / 1000,
            Some(_) | None => u64::MAX,
        }
    }
}

impl State {
    /// The state before the first block.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] when policy version 0 does not compile.
    pub fn genesis(genesis: &Genesis) -> Result<Self, PolicyError> {
        let cluster = genesis.cluster();
        Ok(Self {
            cluster,
            policy: Arc::new(ActivePolicy::compile(genesis.policy.clone())?),
            height: 0,
            time: genesis.created,
            parent: cluster.0,
            proposer: None,
            history: Frontier::default(),
            frozen: Frozen::default(),
            rebuilt: false,
            keys: OrdMap::new(),
            requests: OrdMap::new(),
            nonces: OrdMap::new(),
            slots: OrdMap::new(),
            windows: Windows::default(),
            prices: Prices::default(),
            cooling: Cooling::default(),
            due: OrdSet::new(),
            open: 0,
            findings: OrdMap::new(),
            rights: OrdSet::new(),
            accounts: OrdSet::new(),
            coins: OrdMap::new(),
            kept: OrdMap::new(),
            cleared: OrdMap::new(),
            convened: OrdMap::new(),
            incident: None,
            recent: OrdMap::new(),
            ends: OrdSet::new(),
            pending: None,
        })
    }

    /// The cluster.
    #[must_use]
    pub fn cluster(&self) -> ClusterId {
        self.cluster
    }

    /// The height of the last block; 0 before the first.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.height
    }

    /// The time of the last block.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Arc<ActivePolicy> {
        &self.policy
    }

    /// The roster in force.
    #[must_use]
    pub fn roster(&self) -> &Roster {
        &self.policy.engine.version().roster
    }

    /// What is frozen.
    #[must_use]
    pub fn frozen(&self) -> &Frozen {
        &self.frozen
    }

    /// The digest of the last header; the cluster's id before the first.
    #[must_use]
    pub fn parent(&self) -> Digest {
        self.parent
    }

    /// The node that built the last block; none before the first.
    #[must_use]
    pub fn proposer(&self) -> Option<&Name> {
        self.proposer.as_ref()
    }

    /// The tree over all headers so far.
    #[must_use]
    pub fn history(&self) -> &Frontier {
        &self.history
    }

    /// A key by name.
    #[must_use]
    pub fn key(&self, name: &Name) -> Option<&Key> {
        self.keys.get(name)
    }

    /// What a node says that the seed of a key was made of.
    pub(crate) fn receipt(&self, key: &Name, node: &Name) -> Option<&EntropyReceipt> {
        self.keys.get(key)?.life.receipts.get(node)
    }

    /// All keys by name.
    pub fn keys(&self) -> impl Iterator<Item = (&Name, &Key)> {
        self.keys.iter()
    }

    /// The ceremony of a shared key that is under way.
    #[must_use]
    pub fn convening(&self, key: &Name) -> Option<&Convening> {
        self.convened.get(key).map(Arc::as_ref)
    }

    /// The ceremonies of shared keys that are under way, by key.
    pub fn convenings(&self) -> impl Iterator<Item = (&Name, &Convening)> {
        self.convened.iter().map(|(key, it)| (key, it.as_ref()))
    }

    /// The keys by name, from the one after `after` on.
    pub fn keys_after(&self, after: Option<&Name>) -> impl Iterator<Item = (&Name, &Key)> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.keys.range::<_, Name>((start, Bound::Unbounded))
    }

    /// How many keys there are.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    /// A request that is still remembered.
    #[must_use]
    pub fn request(&self, id: &RequestId) -> Option<&Request> {
        self.requests.get(id).map(Arc::as_ref)
    }

    /// All requests that are still remembered.
    pub fn requests(&self) -> impl Iterator<Item = (&RequestId, &Request)> {
        self.requests.iter().map(|(id, request)| (id, request.as_ref()))
    }

    /// The slots that were given away.
    pub fn slots(&self) -> impl Iterator<Item = (&Slot, &SlotUse)> {
        self.slots.iter().map(|(slot, held)| (slot, held.as_ref()))
    }

    /// The prices that limits count with.
    #[must_use]
    pub fn prices(&self) -> &Prices {
        &self.prices
    }

    /// The windows' counters.
    #[must_use]
    pub fn windows(&self) -> &Windows {
        &self.windows
    }

    /// The next moment at which a delay or a usage period ends, or a request expires.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        let (request, period) = (self.due.get_min().map(|it| it.0), self.ends.get_min().map(|it| it.0));
        request.into_iter().chain(period).min()
    }

    /// The digest of everything: two replicas agree when it agrees.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Snapshot(self.clone()).digest()
    }
}

impl Key {
    /// The address with this index, only once a backup was drilled: before that nobody may be paid there,
    /// and after the key's end neither.
    #[must_use]
    pub fn address(&self, index: u32) -> Option<Address> {
        match self.state.receives() {
            true => self.addresses.get(&index).copied().or_else(|| self.account.address(index)),
            false => None,
        }
    }
}

/// A state as a document, to start from without replaying the whole log.
#[derive(Clone, Debug)]
pub struct Snapshot(pub State);

impl Canonical for Snapshot {
    const DOMAIN: &'static str = "keystead/state/v1";
}

impl BorshSerialize for Snapshot {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        let state = &self.0;
        state.cluster.serialize(writer)?;
        state.policy.engine.version().serialize(writer)?;
        state.height.serialize(writer)?;
        state.time.serialize(writer)?;
        state.parent.serialize(writer)?;
        state.proposer.serialize(writer)?;
        state.history.serialize(writer)?;
        state.frozen.serialize(writer)?;
        state.rebuilt.serialize(writer)?;
        persist::write_map(&state.keys, writer)?;
        persist::write_shared(&state.requests, writer)?;
        persist::write_map(&state.nonces, writer)?;
        persist::write_shared(&state.slots, writer)?;
        state.windows.serialize(writer)?;
        state.prices.serialize(writer)?;
        state.cooling.serialize(writer)?;
        persist::write_set(&state.due, writer)?;
        persist::write_shared(&state.findings, writer)?;
        persist::write_set(&state.rights, writer)?;
        state.incident.as_deref().cloned().serialize(writer)?;
        persist::write_map(&state.recent, writer)?;
        state.open.serialize(writer)?;
        persist::write_shared(&state.coins, writer)?;
        persist::write_map(&state.cleared, writer)?;
        persist::write_shared(&state.convened, writer)
    }
}

impl BorshDeserialize for Snapshot {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let cluster = ClusterId::deserialize_reader(reader)?;
        let policy = ActivePolicy::compile(PolicyVersion::deserialize_reader(reader)?)
            .map_err(|error| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error.to_string()))?;
        let mut state = State {
            cluster,
            policy: Arc::new(policy),
            height: u64::deserialize_reader(reader)?,
            time: Timestamp::deserialize_reader(reader)?,
            parent: Digest::deserialize_reader(reader)?,
            proposer: Option::deserialize_reader(reader)?,
            history: Frontier::deserialize_reader(reader)?,
            frozen: Frozen::deserialize_reader(reader)?,
            rebuilt: bool::deserialize_reader(reader)?,
            keys: persist::read_map(reader)?,
            requests: persist::read_shared(reader)?,
            nonces: persist::read_map(reader)?,
            slots: persist::read_shared(reader)?,
            windows: Windows::deserialize_reader(reader)?,
            prices: Prices::deserialize_reader(reader)?,
            cooling: Cooling::deserialize_reader(reader)?,
            due: persist::read_set(reader)?,
            findings: persist::read_shared(reader)?,
            rights: persist::read_set(reader)?,
            incident: Option::<Incident>::deserialize_reader(reader)?.map(Arc::new),
            recent: persist::read_map(reader)?,
            open: u64::deserialize_reader(reader)?,
            coins: persist::read_shared(reader)?,
            cleared: persist::read_map(reader)?,
            convened: persist::read_shared(reader)?,
            ends: OrdSet::new(),
            kept: OrdMap::new(),
            accounts: OrdSet::new(),
            pending: None,
        };
        state.count_kept();
        state.count_accounts();
        state.count_ends();
        Ok(Self(state))
    }
}
