//! Keys as pure state: derivation, sealing, backup and restore.
//!
//! Nothing here opens a file, reads a clock or draws randomness: bytes from a random source come in
//! through a [`Fill`], and its caller stops the process when that source fails.

mod age;
mod backup;
mod derive;
mod key_file;
mod letter;
mod member;
mod mnemonic;
mod recipient;
mod seal;
mod seed;
mod seed_shares;
mod self_test;
mod slip10;
mod slip39;
#[cfg(test)]
mod wycheproof;

pub use age::{AgeError, age_file, age_open, age_recipient};
pub use backup::{BackupCopy, BackupError, BackupFile, BackupSubject, MAX_RECIPIENTS};
pub use derive::{ChildSecret, DeriveError, HdRoot};
pub use key_file::{KeyFile, TokenHalf, TokenMemberKeyFile};
pub use letter::{CHANNEL_SECRET_BYTES, ChannelSecret};
pub use member::{MEMBER_SECRET_BYTES, MemberError, MemberKey, MemberKeyFile, MemberPublic};
pub use mnemonic::{Mnemonic, MnemonicError};
pub use recipient::{
    ENCAPSULATED_BYTES, Encapsulated, RECIPIENT_KEY_BYTES, RECIPIENT_SEED_BYTES, RecipientKey,
    RecipientPublicKey, TAG_BYTES,
};
pub use seal::{
    Kdf, MAX_PASSPHRASE_BYTES, MAX_SEALED_BYTES, MAX_SEALED_OPENINGS_BYTES, MAX_SEALED_SHARE_BYTES, Purpose,
    SealError, SealLabel, Sealed, SealingKey,
};
pub use seed::{HdSeed, SEED_BYTES};
pub use seed_shares::{SeedShare, SeedShares, SeedSharesError, ShareCircle, ShareGroup};
pub use self_test::{KEYS_SELF_TESTS, SEAL_SELF_TESTS};
pub use slip10::Slip10Key;
pub use slip39::{
    MAX_SLIP39_COUNT, Slip39Error, Slip39Group, Slip39Share, slip39_combine, slip39_fewest, slip39_forced,
    slip39_split,
};

/// Fills a buffer with bytes that nobody can guess. The source belongs to the caller, who stops the
/// process rather than return from a failed read.
pub type Fill<'a> = &'a mut dyn FnMut(&mut [u8]);
