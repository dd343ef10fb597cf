//! Instructions of the programs that are understood, as they are made for a message.

use crate::program::{ASSOCIATED_TOKEN, COMPUTE_BUDGET, MEMO, RECENT_BLOCKHASHES, SYSTEM};
use crate::{AccountMeta, BudgetTerm, Instruction, NewTokenAccount, Pubkey, TokenMove};

/// Moves coins.
#[must_use]
pub fn transfer(from: Pubkey, to: Pubkey, lamports: u64) -> Instruction {
    let data = [2_u32.to_le_bytes().as_slice(), &lamports.to_le_bytes()].concat();
    Instruction { program: SYSTEM, accounts: vec![signer(from, true), other(to, true)], data }
}

/// Makes an account of `space` bytes for a program.
#[must_use]
pub fn create_account(
    funder: Pubkey,
    account: Pubkey,
    lamports: u64,
    space: u64,
    owner: Pubkey,
) -> Instruction {
    let numbers = [lamports.to_le_bytes(), space.to_le_bytes()].concat();
    let data = [0_u32.to_le_bytes().as_slice(), &numbers, &owner.0].concat();
    Instruction { program: SYSTEM, accounts: vec![signer(funder, true), signer(account, true)], data }
}

/// Gives a nonce account its next value. As the first instruction it makes the transaction durable.
#[must_use]
pub fn advance_nonce(account: Pubkey, authority: Pubkey) -> Instruction {
    let accounts = vec![other(account, true), other(RECENT_BLOCKHASHES, false), signer(authority, false)];
    Instruction { program: SYSTEM, accounts, data: 4_u32.to_le_bytes().to_vec() }
}

/// Makes a wallet's own token account, unless it is there.
#[must_use]
pub fn create_token_account(it: &NewTokenAccount) -> Instruction {
    let read = [it.wallet, it.mint, SYSTEM, it.token_program].map(|key| other(key, false));
    let accounts = [signer(it.funder, true), other(it.account, true)].into_iter().chain(read).collect();
    Instruction { program: ASSOCIATED_TOKEN, accounts, data: vec![1] }
}

/// Moves tokens of a token program. With decimals it is `TransferChecked`, which names the mint.
#[must_use]
pub fn transfer_tokens(it: &TokenMove, token_program: Pubkey) -> Instruction {
    let (from, to) = (other(it.source, true), other(it.destination, true));
    let (mint, authority) = (other(it.mint, false), signer(it.authority, false));
    let amount = it.amount.to_le_bytes();
    let (accounts, data) = match it.decimals {
        Some(decimals) => (vec![from, mint, to, authority], [&[12], amount.as_slice(), &[decimals]].concat()),
        None => (vec![from, to, authority], [&[3], amount.as_slice()].concat()),
    };
    Instruction { program: token_program, accounts, data }
}

/// Sets a term of the fee or of execution.
#[must_use]
pub fn budget(term: BudgetTerm) -> Instruction {
    let data = match term {
        BudgetTerm::HeapBytes(it) => [&[1], it.to_le_bytes().as_slice()].concat(),
        BudgetTerm::UnitLimit(it) => [&[2], it.to_le_bytes().as_slice()].concat(),
        BudgetTerm::UnitPrice(it) => [&[3], it.to_le_bytes().as_slice()].concat(),
        BudgetTerm::LoadedBytes(it) => [&[4], it.to_le_bytes().as_slice()].concat(),
    };
    Instruction { program: COMPUTE_BUDGET, accounts: Vec::new(), data }
}

/// Says words that nobody but the payer stands for.
#[must_use]
pub fn memo(text: &str) -> Instruction {
    Instruction { program: MEMO, accounts: Vec::new(), data: text.as_bytes().to_vec() }
}

fn signer(key: Pubkey, writable: bool) -> AccountMeta {
    AccountMeta { key, signer: true, writable }
}

fn other(key: Pubkey, writable: bool) -> AccountMeta {
    AccountMeta { key, signer: false, writable }
}
