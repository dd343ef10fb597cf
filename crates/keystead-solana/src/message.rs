//! A transaction's message, legacy or version 0: the very bytes that Ed25519 signs, and what they name.

mod parse;

use keystead_base::{Blame, Coded};

use crate::Pubkey;
use crate::reader::write_length;

/// The longest transaction that validators take, signatures included, in bytes: what fits one packet.
pub const MAX_TRANSACTION_BYTES: usize = 1_232;

/// The form of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// The one without a version byte.
    Legacy,
    /// Version 0.
    Zero,
}

/// A message that was read, and is written again as the very same bytes. Its fields are private: only
/// [`Message::parse`] makes one.
///
/// ```compile_fail,E0451
/// fn unchecked(message: keystead_solana::Message) -> keystead_solana::Message {
///     keystead_solana::Message { signers: 0, ..message }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    version: Version,
    signers: u8,
    readonly_signers: u8,
    readonly_others: u8,
    keys: Vec<Pubkey>,
    blockhash: [u8; 32],
    instructions: Vec<Instruction>,
}

/// One order to one program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// The program.
    pub program: Pubkey,
    /// What it may look at and change, in the program's own order.
    pub accounts: Vec<AccountMeta>,
    /// What the program is told.
    pub data: Vec<u8>,
}

/// An account in the place where a program expects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountMeta {
    /// Its address.
    pub key: Pubkey,
    /// Whether its key signs the transaction.
    pub signer: bool,
    /// Whether programs may change it.
    pub writable: bool,
}

impl Message {
    /// The form.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Who signs, in the order of signatures.
    #[must_use]
    pub fn signers(&self) -> &[Pubkey] {
        self.keys.get(..usize::from(self.signers)).unwrap_or_default()
    }

    /// Who pays the fee: the first signer.
    #[must_use]
    pub fn payer(&self) -> Pubkey {
        self.keys.first().copied().unwrap_or(crate::program::SYSTEM)
    }

    /// Every address that it names, each once.
    #[must_use]
    pub fn keys(&self) -> &[Pubkey] {
        &self.keys
    }

    /// A recent blockhash, or the value of a nonce account in its place.
    #[must_use]
    pub fn blockhash(&self) -> [u8; 32] {
        self.blockhash
    }

    /// The orders, in the order of execution; at least one.
    #[must_use]
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = match self.version {
            Version::Legacy => Vec::new(),
            Version::Zero => vec![VERSION_BIT],
        };
        bytes.extend([self.signers, self.readonly_signers, self.readonly_others]);
        write_length(&mut bytes, self.keys.len());
        self.keys.iter().for_each(|key| bytes.extend(key.0));
        bytes.extend(self.blockhash);
        write_length(&mut bytes, self.instructions.len());
        self.instructions.iter().for_each(|it| self.write_instruction(&mut bytes, it));
        if self.version == Version::Zero {
            write_length(&mut bytes, 0);
        }
        bytes
    }

    /// Writes what the groups say and reads it back, so that nothing is made that would not be signed.
    pub(crate) fn of_groups(
        version: Version,
        groups: &KeyGroups,
        blockhash: [u8; 32],
        instructions: Vec<Instruction>,
    ) -> Result<Self, MessageError> {
        let all = [&groups.signers, &groups.readonly_signers, &groups.others, &groups.readonly_others];
        let keys = all.into_iter().flatten().copied().collect();
        let count = |of: &[Pubkey]| u8::try_from(of.len()).map_err(|_| MessageError::Length);
        let readonly_signers = count(&groups.readonly_signers)?;
        let signers = count(&groups.signers)?.checked_add(readonly_signers).ok_or(MessageError::Length)?;
        let readonly_others = count(&groups.readonly_others)?;
        let made =
            Self { version, signers, readonly_signers, readonly_others, keys, blockhash, instructions };
        Self::parse(&made.to_bytes())
    }

    fn write_instruction(&self, bytes: &mut Vec<u8>, instruction: &Instruction) {
        bytes.push(self.index_of(instruction.program));
        write_length(bytes, instruction.accounts.len());
        bytes.extend(instruction.accounts.iter().map(|it| self.index_of(it.key)));
        write_length(bytes, instruction.data.len());
        bytes.extend(&instruction.data);
    }

    /// Keys are unique, so that a key has one index.
    fn index_of(&self, key: Pubkey) -> u8 {
        self.keys.iter().position(|it| *it == key).and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX)
    }
}

/// The keys of a message that is made, by what they may do.
#[derive(Debug)]
pub(crate) struct KeyGroups {
    /// Signers that can be changed, the payer first.
    pub(crate) signers: Vec<Pubkey>,
    /// Signers that cannot.
    pub(crate) readonly_signers: Vec<Pubkey>,
    /// Others that can be changed.
    pub(crate) others: Vec<Pubkey>,
    /// Others that cannot.
    pub(crate) readonly_others: Vec<Pubkey>,
}

/// The highest bit of the first byte tells versions from the number of signers.
const VERSION_BIT: u8 = 0x80;

/// Why bytes are no message that would be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// More than fits a packet with its signatures.
    #[error("with its {signatures} signatures a transaction has at most {limit} bytes, found {found}")]
    TooLong {
        /// How many it wants.
        signatures: u8,
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// The bytes end early.
    #[error("the message ends in the middle")]
    Truncated,
    /// Bytes after the end.
    #[error("the message ends, but {found} bytes follow")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// A length that is not in its shortest form, or beyond 65,535.
    #[error("a length (compact-u16) is not in its shortest form, or too large")]
    Length,
    /// A version whose rules are not known here.
    #[error("expected a legacy message or one of version 0, found version {found}")]
    Version {
        /// The version.
        found: u8,
    },
    /// Accounts that the bytes do not name.
    #[error(
        "the message takes accounts from {found} address lookup tables, whose contents are on the chain and not in \
         the bytes: whoever may extend a table says what is signed; build it without them"
    )]
    LookupTables {
        /// How many tables.
        found: usize,
    },
    /// A header that does not fit the keys.
    #[error(
        "{signers} signers, {readonly_signers} of them readonly, and {readonly_others} other readonly keys do not fit {keys} keys"
    )]
    Header {
        /// Signers.
        signers: u8,
        /// Readonly ones.
        readonly_signers: u8,
        /// Readonly keys that do not sign.
        readonly_others: u8,
        /// All keys.
        keys: usize,
    },
    /// A key twice; validators refuse it, and an index would not be one key's.
    #[error("{key} stands twice among the keys")]
    DuplicateKey {
        /// The key.
        key: Pubkey,
    },
    /// An index beyond the keys, or the payer as a program.
    #[error("instruction {instruction}: {found} is the index of no key that may stand there, of {keys}")]
    Index {
        /// The instruction's position.
        instruction: usize,
        /// The index.
        found: u8,
        /// How many keys there are.
        keys: usize,
    },
    /// Nothing is to be done.
    #[error("the message has no instruction: there is nothing to sign")]
    NoInstruction,
    /// Other bytes come back.
    #[error("written again, the message has other bytes")]
    Rewritten,
}

impl Coded for MessageError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "solana.too_long",
            Self::Truncated => "solana.truncated",
            Self::Trailing { .. } => "solana.trailing",
            Self::Length => "solana.length",
            Self::Version { .. } => "solana.version",
            Self::LookupTables { .. } => "solana.lookup_tables",
            Self::Header { .. } => "solana.header",
            Self::DuplicateKey { .. } => "solana.duplicate_key",
            Self::Index { .. } => "solana.index",
            Self::NoInstruction => "solana.no_instruction",
            Self::Rewritten => "solana.rewritten",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}

#[cfg(test)]
mod tests;
