//! The System program: coins, accounts and nonces.

use keystead_intent::{AuthorityKind, OpaqueReason};

use super::Owners;
use super::fields::{Fields, Right, accounts};
use crate::effects::EffectKind;
use crate::program::{NATIVE_MINT, RECENT_BLOCKHASHES, RENT};
use crate::{Instruction, Pubkey};

pub(super) fn read(it: &Instruction, owners: &Owners) -> Result<EffectKind, OpaqueReason> {
    let mut fields = Fields::new(&it.data);
    let kind = match fields.u32()? {
        0 => create(it, &mut fields),
        1 => assign(it, &mut fields),
        2 => transfer(it, &mut fields, owners),
        4 => advance(it),
        5 => withdraw(it, &mut fields),
        6 => initialize(it, &mut fields),
        7 => authorize(it, &mut fields),
        _ => Err(OpaqueReason::UnknownSelector),
    };
    let kind = kind?;
    fields.end().map(|()| kind)
}

fn create(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let [funder, account] = accounts(it, [Right::SignWrite, Right::SignWrite])?;
    let (lamports, space, owner) = (fields.u64()?, fields.u64()?, fields.key()?);
    Ok(EffectKind::NewAccount { funder, account, lamports, space, owner })
}

/// The account is another program's from now on, with all its coins.
fn assign(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let [account] = accounts(it, [Right::SignWrite])?;
    Ok(owner_changes(account, account, fields.key()?))
}

fn transfer(it: &Instruction, fields: &mut Fields<'_>, owners: &Owners) -> Result<EffectKind, OpaqueReason> {
    let [from, to] = accounts(it, [Right::SignWrite, Right::Write])?;
    // Only an account of wrapped coins counts coins as what it has.
    let wallet = owners.of(to).filter(|it| it.mint == NATIVE_MINT).map(|it| it.wallet);
    Ok(EffectKind::Coins { from, to, wallet, lamports: fields.u64()? })
}

fn advance(it: &Instruction) -> Result<EffectKind, OpaqueReason> {
    let [account, sysvar, authority] = accounts(it, [Right::Write, Right::Read, Right::Sign])?;
    is(sysvar, RECENT_BLOCKHASHES)?;
    Ok(EffectKind::NonceAdvance { account, authority })
}

fn withdraw(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let rights = [Right::Write, Right::Write, Right::Read, Right::Read, Right::Sign];
    let [from, to, blockhashes, rent, _] = accounts(it, rights)?;
    is(blockhashes, RECENT_BLOCKHASHES)?;
    is(rent, RENT)?;
    Ok(EffectKind::Coins { from, to, wallet: None, lamports: fields.u64()? })
}

/// Nobody signs for it: whoever is first says whose the nonce is.
fn initialize(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let [account, blockhashes, rent] = accounts(it, [Right::Write, Right::Read, Right::Read])?;
    is(blockhashes, RECENT_BLOCKHASHES)?;
    is(rent, RENT)?;
    Ok(owner_changes(account, account, fields.key()?))
}

fn authorize(it: &Instruction, fields: &mut Fields<'_>) -> Result<EffectKind, OpaqueReason> {
    let [account, authority] = accounts(it, [Right::Write, Right::Sign])?;
    Ok(owner_changes(account, authority, fields.key()?))
}

fn owner_changes(target: Pubkey, holder: Pubkey, subject: Pubkey) -> EffectKind {
    EffectKind::Authority { change: AuthorityKind::Owner, target, holder, subject: Some(subject) }
}

fn is(found: Pubkey, expected: Pubkey) -> Result<(), OpaqueReason> {
    if found == expected { Ok(()) } else { Err(OpaqueReason::MalformedArguments) }
}
