//! What a signer puts up with: limits and permissions, all of them arguments.

/// What is permitted. The defaults permit what an ordinary payment needs, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The highest fee, in satoshi.
    pub max_fee_sat: u64,
    /// The highest fee rate, in satoshi for each virtual byte.
    pub max_rate_sat_per_vbyte: u64,
    /// Lock times by height up to this one are permitted: name the newest block, and nothing that it does not
    /// take yet is signed.
    pub lock_time_height: u32,
    /// Lock times by time up to this one are permitted, in Unix seconds.
    pub lock_time_seconds: u32,
    /// Whether an input may ask to wait for the age of what it spends (BIP-68).
    pub relative_locks: bool,
    /// Whether others may pay along.
    ///
    /// An input of ours that comes without its derivation counts as foreign then, unless `search` finds it: who
    /// permits this and counts what leaves us counts each transaction once, under its coins ([`crate::Spends`]).
    pub foreign_inputs: bool,
    /// The highest index that change may go to. Far out no wallet would look for it.
    pub max_change_index: u32,
    /// How many indexes of each branch are searched for scripts that come without a hint; none by default.
    pub search: u16,
}

impl Terms {
    /// What an ordinary payment needs.
    pub const DEFAULT: Self = Self {
        max_fee_sat: 1_000_000,
        max_rate_sat_per_vbyte: 1_000,
        lock_time_height: 0,
        lock_time_seconds: 0,
        relative_locks: false,
        foreign_inputs: false,
        max_change_index: 100_000,
        search: 0,
    };

    /// The same, and it may wait as long as it likes: for policy to judge, or for people to read.
    pub const LOCKS_TO_OTHERS: Self = Self {
        lock_time_height: u32::MAX,
        lock_time_seconds: u32::MAX,
        relative_locks: true,
        ..Self::DEFAULT
    };
}

impl Default for Terms {
    fn default() -> Self {
        Self::DEFAULT
    }
}
