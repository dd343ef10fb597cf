//! An instruction's accounts and numbers, exactly as many as its program reads.

use keystead_intent::OpaqueReason;

use crate::reader::Reader;
use crate::{Instruction, Pubkey};

/// What a program demands of an account before it touches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// To look at it.
    Read,
    /// To change it.
    Write,
    /// Its signature.
    Sign,
    /// Its signature, and to change it.
    SignWrite,
}

/// The accounts. Others than these, fewer or more, make an instruction that is not understood: programs that read more
/// accounts than their orders name exist (several signers, transfer hooks).
pub(super) fn accounts<const N: usize>(
    it: &Instruction,
    rights: [Right; N],
) -> Result<[Pubkey; N], OpaqueReason> {
    let fits = |(meta, right): (&crate::AccountMeta, &Right)| match right {
        Right::Read => true,
        Right::Write => meta.writable,
        Right::Sign => meta.signer,
        Right::SignWrite => meta.signer && meta.writable,
    };
    let keys: Vec<_> = it.accounts.iter().map(|meta| meta.key).collect();
    let keys = keys.try_into().map_err(|_| OpaqueReason::MalformedArguments)?;
    match it.accounts.iter().zip(&rights).all(fits) {
        true => Ok(keys),
        false => Err(OpaqueReason::MalformedArguments),
    }
}

/// The numbers of an instruction's data, lowest byte first.
#[derive(Debug)]
pub(super) struct Fields<'a>(Reader<'a>);

impl<'a> Fields<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self(Reader::new(data))
    }

    pub(super) fn u8(&mut self) -> Result<u8, OpaqueReason> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, OpaqueReason> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, OpaqueReason> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn key(&mut self) -> Result<Pubkey, OpaqueReason> {
        self.array().map(Pubkey)
    }

    /// Nothing may be left: a program may pass over it, or not.
    pub(super) fn end(self) -> Result<(), OpaqueReason> {
        self.0.end().map_err(|_| OpaqueReason::MalformedArguments)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], OpaqueReason> {
        self.0.array().map_err(|_| OpaqueReason::MalformedArguments)
    }
}
