//! Calls, walked from the outermost to the innermost, each read by the meaning of the contract it reaches.

mod access;
mod eip3009;
pub(crate) mod erc20;
mod function;
mod multicall;
mod multisend;
mod nft;
mod permit;
mod permit2;
mod proxy;
mod safe;
mod tables;

use alloy_primitives::{Address, B256, U256, keccak256};
use keystead_base::Amount;
use keystead_intent::{
    Allowance, Asset, AssetIndex, AssetKind, CallPath, ChainId, ContractKind, Effect, EffectKind,
    MAX_ARGUMENT_WORDS, OpaqueReason,
};

pub(crate) use function::{Function, Malformed, function};
pub(crate) use safe::{Inner, refund_is_unstated, run_inner};
pub(crate) use tables::signature;

/// How deep calls may be nested before they are not followed any further.
pub const MAX_CALL_DEPTH: usize = 8;
/// How many calls one payload may make before the rest is not followed.
pub const MAX_CALLS: usize = 256;
/// How many effects one payload may have before the rest is not listed.
pub const MAX_EFFECTS: usize = 1024;

/// One call, as the EVM would run it.
#[derive(Clone, Debug)]
pub(crate) struct Frame<'a> {
    /// `msg.sender`.
    pub(crate) caller: Address,
    /// `address(this)`: whose storage and funds the code works on.
    pub(crate) this: Address,
    /// Whose code runs; differs from `this` in a delegatecall.
    pub(crate) code: Address,
    /// Wei that move with the call.
    pub(crate) value: U256,
    /// Calldata.
    pub(crate) data: &'a [u8],
    /// Where it stands.
    pub(crate) path: CallPath,
    /// The struct hash, where this is no call but a signature that the contract takes.
    pub(crate) signed: Option<B256>,
}

impl<'a> Frame<'a> {
    /// A plain call by `caller`.
    pub(crate) fn call(caller: Address, to: Address, value: U256, data: &'a [u8], path: CallPath) -> Self {
        Self { caller, this: to, code: to, value, data, path, signed: None }
    }

    /// Code of another contract, run by `caller` on the storage of `this`; no value moves.
    pub(crate) fn delegate(
        caller: Address,
        this: Address,
        code: Address,
        data: &'a [u8],
        path: CallPath,
    ) -> Self {
        Self { caller, this, code, value: U256::ZERO, data, path, signed: None }
    }

    /// A struct signed for a contract.
    pub(crate) fn signed(account: Address, contract: Address, hash: B256) -> Self {
        Self { signed: Some(hash), ..Self::call(account, contract, U256::ZERO, &[], CallPath::new()) }
    }

    /// The path of this call's inner call number `index`.
    pub(crate) fn below(&self, index: usize) -> CallPath {
        let mut path = self.path.clone();
        path.push(u16::try_from(index).unwrap_or(u16::MAX));
        path
    }

    /// The first four bytes, where there are four.
    pub(crate) fn selector(&self) -> Option<[u8; 4]> {
        self.data.first_chunk().copied()
    }

    /// The first whole words after the selector.
    fn arguments(&self) -> Vec<B256> {
        let words = self.data.get(4..).unwrap_or_default().chunks_exact(32);
        words.take(MAX_ARGUMENT_WORDS).map(B256::from_slice).collect()
    }

    /// What stands for the bytes in an effect that does not understand them.
    pub(crate) fn data_hash(&self) -> B256 {
        self.signed.unwrap_or_else(|| keccak256(self.data))
    }
}

/// The effects found so far, and what is known about contracts.
#[derive(Debug)]
pub(crate) struct Walk<'r> {
    chain: ChainId,
    registry: &'r AssetIndex,
    effects: Vec<Effect>,
    calls: usize,
    full: bool,
}

impl<'r> Walk<'r> {
    pub(crate) fn new(chain: ChainId, registry: &'r AssetIndex) -> Self {
        Self { chain, registry, effects: Vec::new(), calls: 0, full: false }
    }

    pub(crate) fn into_effects(self) -> Vec<Effect> {
        self.effects
    }

    /// Follows one call: the coins that move with it, then what the contract does.
    pub(crate) fn call(&mut self, frame: &Frame<'_>) {
        if !self.enter(frame) {
            return;
        }
        if !frame.value.is_zero() {
            self.coins(frame.path.clone(), frame.caller, frame.this, frame.value);
        }
        match (frame.data.is_empty(), frame.value.is_zero()) {
            (false, _) => self.function(frame),
            (true, true) => self.note(frame.path.clone(), Some(frame.this), None, EffectKind::NoValue),
            (true, false) => {}
        }
    }

    /// The code of another contract runs on `this`. Nothing bounds what it may do, so that this is
    /// a class of its own; calls that known code makes from there are followed all the same.
    pub(crate) fn delegate_call(&mut self, frame: &Frame<'_>) {
        let kind = EffectKind::DelegateCall { caller: frame.this, target: frame.code };
        self.push(frame, kind);
        let followed = self.kind(frame.code) == Some(ContractKind::MultiSend) && !frame.data.is_empty();
        if followed && self.enter(frame) {
            self.function(frame);
        }
    }

    /// Adds an effect of a call.
    pub(crate) fn push(&mut self, frame: &Frame<'_>, kind: EffectKind) {
        let (contract, selector) = (Some(frame.code), frame.selector());
        self.add(Effect { path: frame.path.clone(), contract, selector, arguments: frame.arguments(), kind });
    }

    /// Adds an effect.
    pub(crate) fn note(
        &mut self,
        path: CallPath,
        contract: Option<Address>,
        selector: Option<[u8; 4]>,
        kind: EffectKind,
    ) {
        self.add(Effect { path, contract, selector, arguments: Vec::new(), kind });
    }

    fn add(&mut self, effect: Effect) {
        if self.effects.len() < MAX_EFFECTS {
            self.effects.push(effect);
        } else if !self.full {
            self.full = true;
            let kind = opaque(effect.contract, U256::ZERO, B256::ZERO, OpaqueReason::TooDeep);
            self.effects.push(Effect { kind, ..effect });
        }
    }

    /// Adds a transfer of the chain's own coin.
    pub(crate) fn coins(&mut self, path: CallPath, from: Address, to: Address, amount: U256) {
        let kind = EffectKind::Transfer { asset: Asset::Native, from, to, amount: Amount(amount) };
        self.note(path, None, None, kind);
    }

    /// Says that a call is not understood.
    pub(crate) fn opaque(&mut self, frame: &Frame<'_>, reason: OpaqueReason) {
        self.push(frame, opaque(Some(frame.this), frame.value, frame.data_hash(), reason));
    }

    /// Adds a transfer that a third contract makes of a token; opaque unless the registry knows the token.
    pub(crate) fn token_transfer(
        &mut self,
        frame: &Frame<'_>,
        token: Address,
        from: Address,
        to: Address,
        amount: U256,
    ) {
        match self.is_fungible(token) {
            true => {
                let asset = Asset::Token(token);
                self.push(frame, EffectKind::Transfer { asset, from, to, amount: Amount(amount) });
            }
            false => self.unknown_token(frame, token),
        }
    }

    /// Adds an allowance that a third contract keeps over a token; opaque as well unless the
    /// registry knows the token, because only then its amounts mean anything.
    pub(crate) fn token_allowance(&mut self, frame: &Frame<'_>, allowance: Allowance) {
        let token = allowance.token;
        self.push(frame, EffectKind::Allowance(allowance));
        if !self.is_fungible(token) {
            self.unknown_token(frame, token);
        }
    }

    /// What stands at an address.
    pub(crate) fn kind(&self, address: Address) -> Option<ContractKind> {
        self.registry.kind(self.chain, address)
    }

    /// Counts a call, and says whether it is still followed.
    fn enter(&mut self, frame: &Frame<'_>) -> bool {
        self.calls = self.calls.saturating_add(1);
        let followed = frame.path.len() <= MAX_CALL_DEPTH && self.calls <= MAX_CALLS;
        if !followed {
            self.opaque(frame, OpaqueReason::TooDeep);
        }
        followed
    }

    fn is_fungible(&self, token: Address) -> bool {
        self.kind(token) == Some(ContractKind::Token(AssetKind::Fungible))
    }

    fn unknown_token(&mut self, frame: &Frame<'_>, token: Address) {
        self.push(frame, opaque(Some(token), U256::ZERO, frame.data_hash(), OpaqueReason::AmbiguousContract));
    }

    fn function(&mut self, frame: &Frame<'_>) {
        let Some(selector) = frame.selector() else {
            return self.opaque(frame, OpaqueReason::UnknownSelector);
        };
        let kind = self.kind(frame.code);
        let known = match kind {
            Some(kind) => tables::find(tables::of(kind), selector),
            None => tables::find(tables::CONTROL, selector),
        };
        match known {
            None => self.opaque(frame, tables::reason(selector)),
            Some(known) => {
                // The same four bytes on a contract that nobody vouched for can do anything; the
                // usual reading of a call that controls other things is listed beside that.
                if kind.is_none() {
                    self.opaque(frame, OpaqueReason::AmbiguousContract);
                }
                self.read(known, frame);
            }
        }
    }

    fn read(&mut self, function: &Function, frame: &Frame<'_>) {
        if (function.read)(self, frame).is_err() {
            self.opaque(frame, OpaqueReason::MalformedArguments);
        }
    }
}

/// An effect that is not understood.
pub(crate) fn opaque(to: Option<Address>, value: U256, data_hash: B256, reason: OpaqueReason) -> EffectKind {
    EffectKind::Opaque { to, value: Amount(value), data_hash, reason }
}

#[cfg(test)]
pub(crate) mod tests;
