//! Typed data whose meaning is known: permits, authorizations, Permit2 and Safe transactions.

use alloy_primitives::{Address, U256};
use keystead_base::Amount;
use keystead_intent::{Allowance, AssetKind, ContractKind, EffectKind, OpaqueReason};

use super::Document;
use super::value::Value;
use crate::call::{Frame, Inner, Walk, opaque, refund_is_unstated, run_inner};

/// Adds the effects of a signature over a document.
pub(crate) fn explain(walk: &mut Walk<'_>, document: &Document, account: Address) {
    let form = FORMS.iter().find(|form| form.text.matches(document.encode_type()));
    let contract = document.domain().verifying_contract;
    if !document.is_listed() {
        unknown(walk, document, OpaqueReason::TooDeep);
    }
    let (Some(form), Some(contract)) = (form, contract) else {
        return unknown(walk, document, OpaqueReason::UnknownTypedData);
    };
    let kind = walk.kind(contract);
    // As with calls: a struct means something only to a contract of a known kind, and the usual
    // reading of what a Safe is told to do is listed beside that.
    if kind != Some(form.of) {
        unknown(walk, document, OpaqueReason::AmbiguousContract);
    }
    if kind == Some(form.of) || (kind.is_none() && form.of == ContractKind::Safe) {
        let frame = Frame::signed(account, contract, document.struct_hash());
        // The exact type was matched, so its fields are there; were they not, nothing would be known.
        if (form.read)(Signed { walk, frame: &frame, account }, document.fields()).is_none() {
            unknown(walk, document, OpaqueReason::UnknownTypedData);
        }
    }
}

fn unknown(walk: &mut Walk<'_>, document: &Document, reason: OpaqueReason) {
    let contract = document.domain().verifying_contract;
    walk.note(Vec::new(), contract, None, opaque(contract, U256::ZERO, document.struct_hash(), reason));
}

/// One known struct: how its type reads, what contract it is for, and what it does there.
struct Known {
    text: Text,
    of: ContractKind,
    read: fn(Signed<'_, '_, '_>, &[Value]) -> Option<()>,
}

/// The text of EIP-712 `encodeType`.
enum Text {
    Exactly(&'static str),
    /// Permit2's transfer by signature, plain or with a witness: its prefix, and what is permitted.
    Transfer(&'static str, &'static str),
}

impl Text {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Exactly(expected) => text == *expected,
            Self::Transfer(prefix, permitted) => is_transfer(text, prefix, permitted),
        }
    }
}

/// Of a witness Permit2 takes one word and any types. It binds the spender, who decides what to do
/// with it, so it changes nothing in what the owner gives away.
fn is_transfer(text: &str, prefix: &str, permitted: &str) -> bool {
    let fields = format!("{permitted} permitted,address spender,uint256 nonce,uint256 deadline");
    if text == format!("{prefix}TransferFrom({fields}){TOKEN_PERMISSIONS}") {
        return true;
    }
    let start = format!("{prefix}WitnessTransferFrom({fields},");
    let witness = text.strip_prefix(start.as_str()).and_then(|rest| rest.split_once(')'));
    witness.is_some_and(|(field, types)| {
        !field.contains(',') && types.split_inclusive(')').any(|one| one == TOKEN_PERMISSIONS)
    })
}

/// A signed struct on its way into effects.
struct Signed<'w, 'r, 'd> {
    walk: &'w mut Walk<'r>,
    frame: &'d Frame<'d>,
    account: Address,
}

impl Signed<'_, '_, '_> {
    /// An allowance that anybody may submit.
    fn allow(&mut self, token: Address, owner: Address, spender: Address, amount: U256, deadline: U256) {
        let (amount, deadline) = (Amount(amount), Some(Amount(deadline)));
        let allowance =
            Allowance { token, owner, spender, amount, increase: false, deadline, by_signature: true };
        self.walk.token_allowance(self.frame, allowance);
    }
}

fn eip2612(mut it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [owner, spender, value, _nonce, deadline] = fields else { return None };
    it.allow(it.frame.code, owner.address()?, spender.address()?, value.uint()?, deadline.uint()?);
    Some(())
}

fn dai(mut it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [holder, spender, _nonce, expiry, allowed] = fields else { return None };
    let amount = if allowed.uint()?.is_zero() { U256::ZERO } else { U256::MAX };
    it.allow(it.frame.code, holder.address()?, spender.address()?, amount, expiry.uint()?);
    Some(())
}

fn eip3009(it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [from, to, value, ..] = fields else { return None };
    it.walk.token_transfer(it.frame, it.frame.code, from.address()?, to.address()?, value.uint()?);
    Some(())
}

fn cancel(it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [authorizer, _nonce] = fields else { return None };
    it.walk.push(it.frame, EffectKind::Cancel { account: authorizer.address()? });
    Some(())
}

fn permit_single(mut it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [details, spender, _deadline] = fields else { return None };
    permit_details(&mut it, details, spender.address()?)
}

fn permit_batch(mut it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [details, spender, _deadline] = fields else { return None };
    let (details, spender) = (details.items()?, spender.address()?);
    nothing_if(&mut it, details.is_empty());
    details.iter().try_for_each(|details| permit_details(&mut it, details, spender))
}

fn permit_details(it: &mut Signed<'_, '_, '_>, details: &Value, spender: Address) -> Option<()> {
    let [token, amount, expiration, _nonce] = details.items()? else { return None };
    it.allow(token.address()?, it.account, spender, amount.uint()?, expiration.uint()?);
    Some(())
}

fn transfer_single(mut it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [permitted, spender, _nonce, deadline, ..] = fields else { return None };
    token_permission(&mut it, permitted, spender.address()?, deadline.uint()?)
}

fn transfer_batch(mut it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [permitted, spender, _nonce, deadline, ..] = fields else { return None };
    let (permitted, spender, deadline) = (permitted.items()?, spender.address()?, deadline.uint()?);
    nothing_if(&mut it, permitted.is_empty());
    permitted.iter().try_for_each(|permission| token_permission(&mut it, permission, spender, deadline))
}

fn token_permission(
    it: &mut Signed<'_, '_, '_>,
    permitted: &Value,
    spender: Address,
    deadline: U256,
) -> Option<()> {
    let [token, amount] = permitted.items()? else { return None };
    it.allow(token.address()?, it.account, spender, amount.uint()?, deadline);
    Some(())
}

fn nothing_if(it: &mut Signed<'_, '_, '_>, empty: bool) {
    if empty {
        it.walk.push(it.frame, EffectKind::NoValue);
    }
}

fn safe_transaction(it: Signed<'_, '_, '_>, fields: &[Value]) -> Option<()> {
    let [to, value, data, operation, _safe_gas, _base_gas, gas_price, gas_token, ..] = fields else {
        return None;
    };
    let operation = u8::try_from(operation.uint()?).ok()?;
    let inner = Inner { to: to.address()?, value: value.uint()?, data: data.bytes()?, operation };
    run_inner(it.walk, it.account, it.frame.this, inner, it.frame.below(0)).ok()?;
    refund_is_unstated(it.walk, it.frame, gas_price.uint()?, gas_token.address()?);
    Some(())
}

const FUNGIBLE: ContractKind = ContractKind::Token(AssetKind::Fungible);
const TOKEN_PERMISSIONS: &str = "TokenPermissions(address token,uint256 amount)";

/// EIP-2612, DAI, EIP-3009, Permit2 and Safe, as their contracts write the types.
const FORMS: &[Known] = &[
    Known {
        text: Text::Exactly(
            "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
        ),
        of: FUNGIBLE,
        read: eip2612,
    },
    Known {
        text: Text::Exactly(
            "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)",
        ),
        of: FUNGIBLE,
        read: dai,
    },
    Known {
        text: Text::Exactly(
            "TransferWithAuthorization(address from,address to,uint256 value,\
             uint256 validAfter,uint256 validBefore,bytes32 nonce)",
        ),
        of: FUNGIBLE,
        read: eip3009,
    },
    Known {
        text: Text::Exactly(
            "ReceiveWithAuthorization(address from,address to,uint256 value,\
             uint256 validAfter,uint256 validBefore,bytes32 nonce)",
        ),
        of: FUNGIBLE,
        read: eip3009,
    },
    Known {
        text: Text::Exactly("CancelAuthorization(address authorizer,bytes32 nonce)"),
        of: FUNGIBLE,
        read: cancel,
    },
    Known {
        text: Text::Exactly(
            "PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)\
             PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)",
        ),
        of: ContractKind::Permit2,
        read: permit_single,
    },
    Known {
        text: Text::Exactly(
            "PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline)\
             PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)",
        ),
        of: ContractKind::Permit2,
        read: permit_batch,
    },
    Known {
        text: Text::Transfer("Permit", "TokenPermissions"),
        of: ContractKind::Permit2,
        read: transfer_single,
    },
    Known {
        text: Text::Transfer("PermitBatch", "TokenPermissions[]"),
        of: ContractKind::Permit2,
        read: transfer_batch,
    },
    Known {
        text: Text::Exactly(
            "SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,\
             uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)",
        ),
        of: ContractKind::Safe,
        read: safe_transaction,
    },
];
