//! What the events and calls of a run say happened: where to look, never what to believe.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, Log, U256};
use alloy_sol_types::{SolEvent as _, sol};
use revm::Inspector;
use revm::context::ContextTr;
use revm::interpreter::{CallInputs, CallOutcome, InterpreterTypes};

use crate::Watched;

sol! {
    event TransferSingle(address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value);
    event TransferBatch(address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] values);
    event Transfer(address indexed from, address indexed to, uint256 value);
    event Approval(address indexed owner, address indexed spender, uint256 value);
    event ApprovalForAll(address indexed owner, address indexed operator, bool approved);
}

/// A right that an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Claim {
    pub(crate) owner: Address,
    pub(crate) token: Address,
    pub(crate) holder: Address,
    pub(crate) what: ClaimKind,
}

/// What the right is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ClaimKind {
    Allowance,
    Nft(U256),
    Operator,
}

/// Listens to what contracts ask of one another: whoever takes a token from an account names that account to the
/// token, and need not do so in an event, nor in the transaction's own call data.
pub(crate) struct Overheard<'a> {
    watched: &'a Watched,
    /// The accounts of ours that calls name, as words of their data.
    pub(crate) named: BTreeSet<Address>,
}

impl<'a> Overheard<'a> {
    pub(crate) fn by(watched: &'a Watched) -> Self {
        Self { watched, named: BTreeSet::new() }
    }
}

impl<C: ContextTr, I: InterpreterTypes> Inspector<C, I> for Overheard<'_> {
    fn call(&mut self, context: &mut C, inputs: &mut CallInputs) -> Option<CallOutcome> {
        let input = inputs.input.as_bytes(context);
        let words = input.get(4..).unwrap_or_default().chunks_exact(32).map(B256::from_slice);
        self.named.extend(words.filter_map(address).filter(|it| self.watched.holds(it)));
        None
    }
}

/// The accounts of ours that a log names in an indexed field.
pub(crate) fn named<'a>(watched: &'a Watched, logs: &'a [Log]) -> impl Iterator<Item = Address> + 'a {
    let topics = logs.iter().flat_map(|log| log.topics().iter().skip(1).copied());
    topics.filter_map(address).filter(|it| watched.holds(it))
}

/// Rights over what is ours.
pub(crate) fn claims(logs: &[Log], watched: &Watched) -> BTreeSet<Claim> {
    let claims = logs.iter().filter_map(claim);
    claims.filter(|it| watched.holds(&it.owner)).collect()
}

fn claim(log: &Log) -> Option<Claim> {
    let (kind, owner, holder, last) = match log.topics() {
        [kind, owner, holder] => (kind, owner, holder, None),
        [kind, owner, holder, last] => (kind, owner, holder, Some(last)),
        _ => return None,
    };
    let what = match last {
        None if *kind == Approval::SIGNATURE_HASH => ClaimKind::Allowance,
        Some(id) if *kind == Approval::SIGNATURE_HASH => ClaimKind::Nft(U256::from_be_bytes(id.0)),
        None if *kind == ApprovalForAll::SIGNATURE_HASH => ClaimKind::Operator,
        _ => return None,
    };
    Some(Claim { owner: address(*owner)?, token: log.address, holder: address(*holder)?, what })
}

/// ERC-1155 tokens of ours that moved: collection, account, id.
pub(crate) fn pieces(logs: &[Log], watched: &Watched) -> BTreeSet<(Address, Address, U256)> {
    let mut pieces = BTreeSet::new();
    for log in logs {
        let Some((ends, ids)) = moved(log) else { continue };
        for account in ends.into_iter().filter(|it| watched.holds(it)) {
            pieces.extend(ids.iter().map(|id| (log.address, account, *id)));
        }
    }
    pieces
}

/// ERC-721 tokens whose move names an account of ours: collection, id.
pub(crate) fn numbered(logs: &[Log], watched: &Watched) -> BTreeSet<(Address, U256)> {
    let numbered = |log: &Log| match log.topics() {
        [kind, from, to, id] if *kind == Transfer::SIGNATURE_HASH => {
            let is_ours = |it: &B256| address(*it).is_some_and(|it| watched.holds(&it));
            [from, to].into_iter().any(is_ours).then(|| (log.address, U256::from_be_bytes(id.0)))
        }
        _ => None,
    };
    logs.iter().filter_map(numbered).collect()
}

fn moved(log: &Log) -> Option<([Address; 2], Vec<U256>)> {
    if let Ok(it) = TransferSingle::decode_log_data(&log.data) {
        return Some(([it.from, it.to], vec![it.id]));
    }
    TransferBatch::decode_log_data(&log.data).ok().map(|it| ([it.from, it.to], it.ids))
}

/// The address in a word that is one.
pub(crate) fn address(word: B256) -> Option<Address> {
    let (padding, address) = word.split_at(12);
    padding.iter().all(|byte| *byte == 0).then(|| Address::from_slice(address))
}
