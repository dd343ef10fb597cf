//! A wallet with tokens, a payee, and messages of theirs.

use crate::program::{TOKEN, TOKEN_2022};
use crate::{
    AccountMeta, Cluster, Draft, Effects, Instruction, Message, NewTokenAccount, Pubkey, TokenMove, Version,
    associated_account, compile, explain,
};

/// Whose signature the tests ask for.
pub(crate) const US: Pubkey = key(1);
/// A wallet of somebody else.
pub(crate) const PAYEE: Pubkey = key(2);
/// A mint.
pub(crate) const MINT: Pubkey = key(3);
/// A nonce account.
pub(crate) const NONCE: Pubkey = key(4);
/// A program that nobody here knows.
pub(crate) const UNKNOWN: Pubkey = key(5);
/// Somebody who signs with us.
pub(crate) const OTHER: Pubkey = key(6);

pub(crate) const fn key(byte: u8) -> Pubkey {
    Pubkey([byte; 32])
}

/// A message that we pay for.
pub(crate) fn message(instructions: Vec<Instruction>) -> Message {
    compile(&draft(instructions)).unwrap()
}

pub(crate) fn draft(instructions: Vec<Instruction>) -> Draft {
    Draft { version: Version::Zero, payer: US, blockhash: [9; 32], instructions }
}

/// What our signature over a message does.
pub(crate) fn effects(instructions: Vec<Instruction>) -> Effects {
    explain(Cluster::Devnet, US, &message(instructions))
}

pub(crate) fn account(key: Pubkey, signer: bool, writable: bool) -> AccountMeta {
    AccountMeta { key, signer, writable }
}

/// Somebody's own account for the mint.
pub(crate) fn token_account(wallet: Pubkey, mint: Pubkey, token_program: Pubkey) -> NewTokenAccount {
    let account = associated_account(wallet, token_program, mint).unwrap();
    let lamports = (token_program == TOKEN).then_some(2_039_280);
    NewTokenAccount { funder: US, account, wallet, mint, token_program, lamports }
}

/// Tokens of ours for the payee; `TransferChecked` with decimals, `Transfer` without.
pub(crate) fn payment(amount: u64, decimals: Option<u8>) -> TokenMove {
    let of = |wallet| associated_account(wallet, TOKEN, MINT).unwrap();
    TokenMove {
        mint: MINT,
        source: of(US),
        authority: US,
        destination: of(PAYEE),
        wallet: None,
        amount,
        decimals,
    }
}

/// An order of a token program to accounts of ours: its number and numbers.
pub(crate) fn token_order(data: &[u8], accounts: Vec<AccountMeta>) -> Instruction {
    Instruction { program: TOKEN, accounts, data: data.to_vec() }
}

/// The same to Token-2022.
pub(crate) fn token_2022_order(data: &[u8], accounts: Vec<AccountMeta>) -> Instruction {
    Instruction { program: TOKEN_2022, ..token_order(data, accounts) }
}
