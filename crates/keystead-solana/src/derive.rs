//! Addresses that a program's seeds derive: nobody has a key for them.

use curve25519_dalek::edwards::CompressedEdwardsY;
use sha2::{Digest as _, Sha256};

use crate::Pubkey;
use crate::program::ASSOCIATED_TOKEN;

/// The token account that belongs to a wallet for a mint, by the address alone. **Whose it is now, the address does not
/// say**: an owner may have given it away. The program that makes it checks that.
#[must_use]
pub fn associated_account(wallet: Pubkey, token_program: Pubkey, mint: Pubkey) -> Option<Pubkey> {
    find(&[&wallet.0, &token_program.0, &mint.0], ASSOCIATED_TOKEN)
}

/// The first address from bump 255 down that is no point of the curve.
fn find(seeds: &[&[u8]], program: Pubkey) -> Option<Pubkey> {
    (0..=u8::MAX).rev().map(|bump| derived(seeds, bump, program)).find(|it| !is_on_curve(*it))
}

fn derived(seeds: &[&[u8]], bump: u8, program: Pubkey) -> Pubkey {
    let mut hash = Sha256::new();
    seeds.iter().for_each(|seed| hash.update(seed));
    hash.update([bump]);
    hash.update(program.0);
    hash.update(b"ProgramDerivedAddress");
    Pubkey(hash.finalize().into())
}

/// As validators decide it: whether the bytes decompress to a point.
fn is_on_curve(key: Pubkey) -> bool {
    CompressedEdwardsY(key.0).decompress().is_some()
}
