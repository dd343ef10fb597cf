//! An instruction as one document: its digest is what an effect says of bytes that nobody understands.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, Digest};
use serde::{Deserialize, Serialize};

use crate::Instruction;

/// One instruction with everything that it names.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaInstruction {
    /// The program.
    pub program: Digest,
    /// Its accounts, in their order.
    pub accounts: Vec<SolanaAccount>,
    /// Its data.
    pub data: Vec<u8>,
}

/// One account of an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolanaAccount {
    /// The address.
    pub key: Digest,
    /// Whether its key signs.
    pub signer: bool,
    /// Whether it may be changed.
    pub writable: bool,
}

impl Canonical for SolanaInstruction {
    const DOMAIN: &'static str = "keystead/solana-instruction/v1";
}

impl SolanaInstruction {
    /// The document of an instruction.
    #[must_use]
    pub fn of(it: &Instruction) -> Self {
        let account = |it: &crate::AccountMeta| SolanaAccount {
            key: Digest(it.key.0),
            signer: it.signer,
            writable: it.writable,
        };
        Self {
            program: Digest(it.program.0),
            accounts: it.accounts.iter().map(account).collect(),
            data: it.data.clone(),
        }
    }
}
