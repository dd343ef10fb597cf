//! SPL Token and what Token-2022 has of it: transfers, rights, authorities, ends.

use keystead_intent::{AuthorityKind, OpaqueReason};

use super::Owners;
use super::fields::{Fields, Right, accounts};
use crate::effects::{EffectKind, TokenAllowance, TokenMove};
use crate::program::TOKEN_2022;
use crate::{Instruction, Pubkey};

/// One owner or delegate signs. An account of several signers (a token multisig) has more accounts, and is not understood.
pub(super) fn read(it: &Instruction, owners: &Owners) -> Result<EffectKind, OpaqueReason> {
    let mut fields = Fields::new(&it.data);
    let kind = match fields.u8()? {
        3 => transfer(it, &mut fields, owners),
        4 => approve(it, &mut fields),
        5 => revoke(it),
        6 => set_authority(it, &mut fields),
        9 => close(it),
        12 => transfer_checked(it, &mut fields, owners),
        13 => approve_checked(it, &mut fields),
        17 => recount(it),
        _ => Err(OpaqueReason::UnknownSelector),
    };
    let kind = kind?;
    fields.end().map(|()| kind)
}

/// The bytes name no mint: it is what the accounts have, and only an instruction before can have proven that.
fn transfer(it: &Instruction, fields: &mut Fields<'_>, owners: &Owners) -> Result<EffectKind, OpaqueReason> {
    let [source, destination, authority] = accounts(it, [Right::Write, Right::Write, Right::Sign])?;
    let amount = fields.u64()?;
    let to = owners.within(it.program, destination);
    let proven = to.or_else(|| owners.within(it.program, source));
    let mint = proven.ok_or(OpaqueReason::UnstatedAmount)?.mint;
    let wallet = to.map(|it| it.wallet);
    Ok(EffectKind::Tokens(TokenMove { mint, source, authority, destination, wallet, amount, decimals: None }))
}

fn transfer_checked(
    it: &Instruction,
    fields: &mut Fields<'_>,
    owners: &Owners,
) -> Result<EffectKind, OpaqueReason> {
    let rights = [Right::Write, Right::Read, Right::Write, Right::Sign];
    let [source, mint, destination, authority] = accounts(it, rights)?;
    let (amount, decimals) = (fields.u64()?, Some(fields.u8()?));
    let wallet = owners.within(it.program, destination).map(|it| it.wallet);
    Ok(EffectKind::Tokens(TokenMove { mint, source, authority, destination, wallet, amount, decimals }))
}

fn approve(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let [source, delegate, owner] = accounts(it, [Right::Write, Right::Read, Right::Sign])?;
    let (mint, decimals, amount) = (None, None, fields.u64()?);
    Ok(EffectKind::Allowance(TokenAllowance { mint, source, owner, delegate, amount, decimals }))
}

fn approve_checked(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let rights = [Right::Write, Right::Read, Right::Read, Right::Sign];
    let [source, mint, delegate, owner] = accounts(it, rights)?;
    let (amount, decimals) = (fields.u64()?, Some(fields.u8()?));
    Ok(EffectKind::Allowance(TokenAllowance { mint: Some(mint), source, owner, delegate, amount, decimals }))
}

fn revoke(it: &Instruction) -> Result<EffectKind, OpaqueReason> {
    let [account, owner] = accounts(it, [Right::Write, Right::Sign])?;
    Ok(EffectKind::Revocation { account, owner })
}

fn set_authority(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let [target, holder] = accounts(it, [Right::Write, Right::Sign])?;
    let change = change_of(fields.u8()?, it.program == TOKEN_2022)?;
    let subject = match fields.u8()? {
        0 => None,
        1 => Some(fields.key()?),
        _ => return Err(OpaqueReason::MalformedArguments),
    };
    Ok(EffectKind::Authority { change, target, holder, subject })
}

/// `AuthorityType`, by its numbers. Those of Token-2022 alone act for the mint or, as its permanent delegate, for everybody.
fn change_of(number: u8, extended: bool) -> Result<AuthorityKind, OpaqueReason> {
    match number {
        0 => Ok(AuthorityKind::Role),
        1 => Ok(AuthorityKind::Switch),
        2 | 3 => Ok(AuthorityKind::Owner),
        PERMANENT_DELEGATE if extended => Ok(AuthorityKind::Module),
        TRANSFER_HOOK if extended => Ok(AuthorityKind::Guard),
        PAUSE if extended => Ok(AuthorityKind::Switch),
        4..=LAST_AUTHORITY if extended => Ok(AuthorityKind::Role),
        _ => Err(OpaqueReason::MalformedArguments),
    }
}

fn close(it: &Instruction) -> Result<EffectKind, OpaqueReason> {
    let [account, destination, owner] = accounts(it, [Right::Write, Right::Write, Right::Sign])?;
    Ok(EffectKind::Close { account, destination, owner })
}

fn recount(it: &Instruction) -> Result<EffectKind, OpaqueReason> {
    let [account]: [Pubkey; 1] = accounts(it, [Right::Write])?;
    Ok(EffectKind::Recount { account })
}

const PERMANENT_DELEGATE: u8 = 8;
const TRANSFER_HOOK: u8 = 10;
const PAUSE: u8 = 16;
const LAST_AUTHORITY: u8 = 17;
