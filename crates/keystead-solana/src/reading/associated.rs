//! The Associated Token Account program: a wallet's own token account for a mint.

use keystead_intent::OpaqueReason;

use super::fields::{Right, accounts};
use crate::Instruction;
use crate::derive::associated_account;
use crate::effects::{EffectKind, NewTokenAccount};
use crate::program::{SYSTEM, TOKEN, is_token};

/// `Create` fails where the account is there; `CreateIdempotent` fails where it is somebody else's, or of another mint. After
/// either, the account is this wallet's.
pub(super) fn read(it: &Instruction) -> Result<EffectKind, OpaqueReason> {
    if !matches!(it.data.as_slice(), [] | [0 | 1]) {
        return Err(OpaqueReason::UnknownSelector);
    }
    let rights = [Right::SignWrite, Right::Write, Right::Read, Right::Read, Right::Read, Right::Read];
    let [funder, account, wallet, mint, system, token_program] = accounts(it, rights)?;
    let derived = associated_account(wallet, token_program, mint);
    if system != SYSTEM || !is_token(token_program) || derived != Some(account) {
        return Err(OpaqueReason::MalformedArguments);
    }
    // Token-2022's accounts are as long as their mint demands, which is not in the bytes.
    let lamports = (token_program == TOKEN).then_some(TOKEN_ACCOUNT_LAMPORTS);
    Ok(EffectKind::NewTokenAccount(NewTokenAccount {
        funder,
        account,
        wallet,
        mint,
        token_program,
        lamports,
    }))
}

/// Two years' rent of 165 bytes and 128 beside them, at 3,480 lamports for a byte and year: more than that no cluster asks.
const TOKEN_ACCOUNT_LAMPORTS: u64 = (165 + 128) * 3_480 * 2;
