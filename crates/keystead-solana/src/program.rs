//! The programs that are understood, and the accounts that they demand, by their addresses.

use crate::Pubkey;

/// System: coins, accounts, nonces.
pub const SYSTEM: Pubkey = Pubkey([0; 32]);
/// SPL Token.
pub const TOKEN: Pubkey = Pubkey::of("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");
/// Token-2022: the same first instructions, and extensions.
pub const TOKEN_2022: Pubkey = Pubkey::of("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb");
/// Associated token accounts: one address for each wallet, mint and token program.
pub const ASSOCIATED_TOKEN: Pubkey = Pubkey::of("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");
/// What a transaction may use and what it offers for it.
pub const COMPUTE_BUDGET: Pubkey = Pubkey::of("ComputeBudget111111111111111111111111111111");
/// Words beside a transaction.
pub const MEMO: Pubkey = Pubkey::of("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXwDGmGfcHr");
/// The mint that stands for the cluster's own coin in token accounts.
pub const NATIVE_MINT: Pubkey = Pubkey::of("So11111111111111111111111111111111111111112");
/// Checks signatures; each that it checks costs a fee.
pub(crate) const PRECOMPILES: [Pubkey; 3] = [
    Pubkey::of("Ed25519SigVerify111111111111111111111111111"),
    Pubkey::of("KeccakSecp256k11111111111111111111111111111"),
    Pubkey::of("Secp256r1SigVerify1111111111111111111111111"),
];
pub(crate) const RECENT_BLOCKHASHES: Pubkey = Pubkey::of("SysvarRecentB1ockHashes11111111111111111111");
pub(crate) const RENT: Pubkey = Pubkey::of("SysvarRent111111111111111111111111111111111");

/// Whether it keeps token accounts.
pub(crate) fn is_token(program: Pubkey) -> bool {
    [TOKEN, TOKEN_2022].contains(&program)
}
