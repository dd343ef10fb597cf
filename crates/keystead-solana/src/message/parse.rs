//! Bytes to a message, strictly: one value has one encoding, and every index is a key's.

use std::collections::BTreeSet;

use super::{AccountMeta, Instruction, MAX_TRANSACTION_BYTES, Message, MessageError, VERSION_BIT, Version};
use crate::Pubkey;
use crate::reader::Reader;

impl Message {
    /// Reads a message.
    ///
    /// INVARIANT S2: what is accepted is written again as the very same bytes; everything that it does is in them.
    ///
    /// # Errors
    ///
    /// [`MessageError`] says what was expected and what was found.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(MessageError::TooLong {
                signatures: 0,
                limit: MAX_TRANSACTION_BYTES,
                found: bytes.len(),
            });
        }
        let mut reader = Reader::new(bytes);
        let (version, signers) = version_of(&mut reader)?;
        let [readonly_signers, readonly_others] = reader.array()?;
        let count = reader.length()?;
        let keys = (0..count).map(|_| reader.array().map(Pubkey)).collect::<Result<Vec<_>, _>>()?;
        let blockhash = reader.array()?;
        let mut message = Self {
            version,
            signers,
            readonly_signers,
            readonly_others,
            keys,
            blockhash,
            instructions: Vec::new(),
        };
        message.check_keys(bytes.len())?;
        message.read_instructions(&mut reader)?;
        if version == Version::Zero {
            no_tables(&mut reader)?;
        }
        reader.end()?;
        if message.to_bytes() == bytes { Ok(message) } else { Err(MessageError::Rewritten) }
    }

    fn check_keys(&self, found: usize) -> Result<(), MessageError> {
        let Self { signers, readonly_signers, readonly_others, .. } = *self;
        let keys = self.keys.len();
        let fits = usize::from(signers).saturating_add(usize::from(readonly_others)) <= keys;
        // The payer is a signer that can pay.
        if !fits || readonly_signers >= signers {
            return Err(MessageError::Header { signers, readonly_signers, readonly_others, keys });
        }
        let mut seen = BTreeSet::new();
        if let Some(key) = self.keys.iter().find(|key| !seen.insert(**key)) {
            return Err(MessageError::DuplicateKey { key: *key });
        }
        let whole = usize::from(signers).saturating_mul(64).saturating_add(1).saturating_add(found);
        if whole > MAX_TRANSACTION_BYTES {
            return Err(MessageError::TooLong {
                signatures: signers,
                limit: MAX_TRANSACTION_BYTES,
                found: whole,
            });
        }
        Ok(())
    }

    fn read_instructions(&mut self, reader: &mut Reader<'_>) -> Result<(), MessageError> {
        for at in 0..reader.length()? {
            let instruction = self.read_instruction(reader, at)?;
            self.instructions.push(instruction);
        }
        if self.instructions.is_empty() { Err(MessageError::NoInstruction) } else { Ok(()) }
    }

    fn read_instruction(&self, reader: &mut Reader<'_>, at: usize) -> Result<Instruction, MessageError> {
        let program = reader.byte()?;
        let wrong = |found| MessageError::Index { instruction: at, found, keys: self.keys.len() };
        // The payer is no program.
        let program = self.account(program).filter(|_| program > 0).ok_or_else(|| wrong(program))?.key;
        let count = reader.length()?;
        let indexes = reader.take(count)?.iter();
        let accounts = indexes.map(|index| self.account(*index).ok_or_else(|| wrong(*index)));
        let accounts = accounts.collect::<Result<_, _>>()?;
        let length = reader.length()?;
        Ok(Instruction { program, accounts, data: reader.take(length)?.to_vec() })
    }

    /// Keys stand in four groups: signers that can be changed and that cannot, others that can and that cannot.
    fn account(&self, index: u8) -> Option<AccountMeta> {
        let at = usize::from(index);
        let key = *self.keys.get(at)?;
        let signer = index < self.signers;
        let end = match signer {
            true => usize::from(self.signers).saturating_sub(self.readonly_signers.into()),
            false => self.keys.len().saturating_sub(self.readonly_others.into()),
        };
        Some(AccountMeta { key, signer, writable: at < end })
    }
}

/// The first byte is the number of signers, or a version with the number behind it.
fn version_of(reader: &mut Reader<'_>) -> Result<(Version, u8), MessageError> {
    match reader.byte()? {
        VERSION_BIT => Ok((Version::Zero, reader.byte()?)),
        signers if signers & VERSION_BIT == 0 => Ok((Version::Legacy, signers)),
        versioned => Err(MessageError::Version { found: versioned & !VERSION_BIT }),
    }
}

fn no_tables(reader: &mut Reader<'_>) -> Result<(), MessageError> {
    match reader.length()? {
        0 => Ok(()),
        found => Err(MessageError::LookupTables { found }),
    }
}
