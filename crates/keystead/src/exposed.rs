//! What a log says of public keys: which addresses there are, what was signed with them, and since when.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use bitcoin::ScriptBuf;
use keystead_base::{Amount, Name, RequestId, Timestamp};
use keystead_bitcoin::{Form, Network, Owned, Owner, Spend, Wallet, address_of, read_wallet, shared_wallet};
use keystead_decision::{Decision, Entry, Grant, Key, Outcome, State};
use keystead_intent::{AccountRef, Action, Asset, BitcoinWallet, ChainId, PsbtSpend};
use keystead_quantum::exposure::{Facts, Family, Lock};
use serde::Serialize;

use crate::commands::psbt_place;
use crate::failure::Failure;

/// One address, or all places of a branch of a wallet from which nothing was spent.
pub(crate) struct Row {
    pub(crate) key: Name,
    /// `ethereum` stands for every chain of its kind: an account is the same on all of them.
    pub(crate) chain: String,
    pub(crate) place: String,
    /// None where the row is of many places.
    pub(crate) address: Option<String>,
    pub(crate) facts: Facts,
    /// The account, where it is one of Ethereum's kind.
    pub(crate) account: Option<Address>,
    /// What it holds, where somebody looked.
    pub(crate) balances: Vec<Balance>,
}

/// One thing that an account holds on one chain.
#[derive(Serialize)]
pub(crate) struct Balance {
    pub(crate) chain: ChainId,
    pub(crate) asset: Asset,
    /// In its smallest unit.
    pub(crate) amount: Amount,
    /// As people read it.
    pub(crate) shown: String,
}

/// A wallet among the rows, for whoever looks for its coins.
pub(crate) struct Held {
    pub(crate) wallet: Wallet,
    /// Where a place's row is.
    pub(crate) places: BTreeMap<Owned, usize>,
    /// Where the row of a descriptor's other places is.
    pub(crate) others: BTreeMap<usize, usize>,
}

/// What the log's decisions allowed to be signed.
#[derive(Default)]
pub(crate) struct Signed {
    asked: BTreeMap<RequestId, PsbtSpend>,
    /// A certificate that is renewed allows no second signature.
    counted: BTreeSet<RequestId>,
    accounts: BTreeMap<AccountRef, Uses>,
    /// By the wallet's id and the place in it.
    places: BTreeMap<(Address, Owned), (ScriptBuf, Uses)>,
    /// PSBTs whose wallet is not there any more: what they spent from is not known.
    pub(crate) unread: u64,
}

#[derive(Clone, Copy, Default)]
struct Uses {
    signatures: u64,
    since: Option<Timestamp>,
}

impl Uses {
    fn count(&mut self, at: Timestamp) {
        self.signatures = self.signatures.saturating_add(1);
        self.since = self.since.or(Some(at));
    }
}

impl Signed {
    /// Reads one block, whose state is that after it.
    pub(crate) fn read(&mut self, state: &State, entries: &[Entry], decisions: &[Decision]) {
        for entry in entries {
            let Entry::Requests(batch) = entry else { continue };
            for intent in &batch.body.intents {
                if let Action::Psbt(spend) = &intent.action {
                    self.asked.insert(intent.id(), spend.clone());
                }
            }
        }
        for decision in decisions {
            if let Outcome::Allow(grant) = &decision.outcome
                && self.counted.insert(decision.subject)
            {
                self.allowed(state, decision.subject, grant);
            }
        }
    }

    fn allowed(&mut self, state: &State, request: RequestId, grant: &Grant) {
        if grant.chain.bitcoin().is_none() {
            return self.accounts.entry(grant.account.clone()).or_default().count(state.time());
        }
        let spend = self.asked.remove(&request).and_then(|asked| spend_of(state, &asked));
        match spend {
            None => self.unread = self.unread.saturating_add(1),
            Some(spend) => {
                for input in spend.view().inputs() {
                    let Owner::Ours(ours) = &input.owner else { continue };
                    let unused = || (input.spent.script_pubkey.clone(), Uses::default());
                    let place = (spend.wallet(), ours.owned);
                    self.places.entry(place).or_insert_with(unused).1.count(state.time());
                }
            }
        }
    }

    /// The addresses of every key, in the order of keys, and the wallets among them.
    pub(crate) fn rows(&self, state: &State) -> Result<(Vec<Row>, Vec<Held>), Failure> {
        let (mut rows, mut held) = (Vec::new(), Vec::new());
        for (name, key) in state.keys() {
            self.accounts_of(name, key, &mut rows);
            for (wallet, family) in wallets_of(state, name, key)? {
                held.push(self.wallet(name, &wallet, family, &mut rows)?);
            }
        }
        Ok((rows, held))
    }

    fn accounts_of(&self, name: &Name, key: &Key, rows: &mut Vec<Row>) {
        let account = |index| AccountRef { key: name.clone(), index };
        let used = self.accounts.range(account(0)..=account(u32::MAX));
        let uses: BTreeMap<u32, Uses> = used.map(|(it, uses)| (it.index, *uses)).collect();
        let row = |chain: &str, index, (address, account), lock, uses: Uses| Row {
            key: name.clone(),
            chain: chain.to_owned(),
            place: format!("{name}/{index}"),
            address: Some(address),
            facts: facts(lock, uses, Family::Log),
            account,
            balances: Vec::new(),
        };
        if let Some(public) = key.account.ed25519_key() {
            let uses = uses.get(&0).copied().unwrap_or_default();
            let address = keystead_solana::Pubkey(public).to_string();
            return rows.push(row("solana", 0, (address, None), Lock::KeyAccount, uses));
        }
        let indexes: BTreeSet<u32> = uses.keys().copied().chain([0]).collect();
        for index in indexes {
            let Some(address) = key.address(index) else { continue };
            let uses = uses.get(&index).copied().unwrap_or_default();
            let written = (address.to_checksum(None), Some(address));
            rows.push(row("ethereum", index, written, Lock::Account, uses));
        }
    }

    fn wallet(
        &self,
        name: &Name,
        recorded: &BitcoinWallet,
        family: Family,
        rows: &mut Vec<Row>,
    ) -> Result<Held, Failure> {
        let wallet = read_wallet(recorded)?;
        let (mut places, mut others) = (BTreeMap::new(), BTreeMap::new());
        let id = recorded.id();
        for ((_, owned), (script, uses)) in self.places.iter().filter(|((of, _), _)| *of == id) {
            let owned = *owned;
            let Some((_, descriptor)) = wallet.descriptor(owned) else { continue };
            places.insert(owned, rows.len());
            rows.push(Row {
                key: name.clone(),
                chain: recorded.chain.to_string(),
                place: psbt_place(&wallet, owned).unwrap_or_default(),
                address: address_of(script, wallet.network()),
                facts: facts(lock(descriptor.form()), *uses, family),
                account: None,
                balances: Vec::new(),
            });
        }
        for (number, (form, descriptor)) in wallet.descriptors().iter().enumerate() {
            others.insert(number, rows.len());
            rows.push(Row {
                key: name.clone(),
                chain: recorded.chain.to_string(),
                place: format!("{form}: every place not spent from"),
                address: None,
                facts: facts(lock(descriptor.form()), Uses::default(), family),
                account: None,
                balances: Vec::new(),
            });
        }
        Ok(Held { wallet, places, others })
    }
}

fn facts(lock: Lock, uses: Uses, family: Family) -> Facts {
    Facts { lock, signatures: uses.signatures, since: uses.since, family, holding: None }
}

/// What a form's scripts are made of.
fn lock(form: Form) -> Lock {
    match form {
        Form::Pkh | Form::ShWpkh | Form::Wpkh => Lock::KeyHash,
        Form::WshSortedMulti { .. } => Lock::ScriptHash,
        Form::Tr => Lock::OutputKey,
    }
}

fn spend_of(state: &State, asked: &PsbtSpend) -> Option<Spend> {
    let own = state.key(&asked.account.key)?.wallets.get(&asked.chain)?;
    let wallet = match &asked.shared {
        None => own.clone(),
        Some(name) => {
            let terms = state.policy().engine.version().bitcoin.as_ref()?;
            let shared = terms.shared_wallet(asked.chain, &asked.account.key, name)?;
            shared_wallet(own, &shared.descriptor).ok()?
        }
    };
    Spend::read(&wallet, &asked.psbt).ok()
}

/// The wallets of a key: its own, and those that policy says it shares.
fn wallets_of(state: &State, name: &Name, key: &Key) -> Result<Vec<(BitcoinWallet, Family)>, Failure> {
    let mut wallets: Vec<_> = key.wallets.values().map(|it| (it.clone(), Family::Log)).collect();
    let terms = state.policy().engine.version().bitcoin.as_ref();
    for shared in terms.iter().flat_map(|it| &it.shared_wallets).filter(|it| it.key == *name) {
        if let Some(own) = key.wallets.get(&shared.chain) {
            wallets.push((shared_wallet(own, &shared.descriptor)?, Family::CoSigners));
        }
    }
    Ok(wallets)
}

/// The network of a wallet, for what is said of its sources.
pub(crate) fn network(held: &Held) -> Network {
    held.wallet.network()
}
