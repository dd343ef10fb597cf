//! The named limits of a policy version.

/// The most rules.
pub const MAX_RULES: usize = 4096;
/// The longest rule, in bytes of Cedar.
pub const MAX_RULE_BYTES: usize = 4096;
/// The most opening brackets of a rule. Cedar's parser takes some 10 KB of stack for each level, and a
/// thread has 2 MB: a rule with 200 of them would end the process.
pub const MAX_RULE_BRACKETS: usize = 64;
/// The deepest nesting of a rule's expression.
pub const MAX_RULE_DEPTH: usize = 128;
/// The most windows.
pub const MAX_WINDOWS: usize = 1024;
/// The longest span of a window and the longest delay, in seconds: 366 days.
pub const MAX_SPAN_SECONDS: u64 = 366 * 86_400;
/// The most quorum rows.
pub const MAX_ROWS: usize = 1024;
/// The most needs of one row.
pub const MAX_NEEDS: usize = 16;
/// The most people that one need asks for.
pub const MAX_NEED_PEOPLE: usize = 64;
/// The most entries of the address book.
pub const MAX_ADDRESSES: usize = 16_384;
/// The most chains.
pub const MAX_CHAINS: usize = 256;
/// The most price sources.
pub const MAX_SOURCES: usize = 64;
/// The most nodes, the most services and the most people.
pub const MAX_MEMBERS: usize = 512;
/// The most devices of one person.
pub const MAX_DEVICES: usize = 16;
/// The most names in a list inside an element: roles, keys, chains, destinations.
pub const MAX_INNER: usize = 256;
/// How long the other nodes leave the first word about a run to the home of the key, in seconds.
pub const FIRST_RUN_SECONDS: u64 = 4;
/// How much longer each of them than the one before, in seconds.
pub const NEXT_RUN_SECONDS: u64 = 1;
/// The shortest time to wait for a run, in seconds; a cluster whose nodes need longer for two turns each has to wait
/// as long.
pub const MIN_RUN_WAIT_SECONDS: u64 = 30;
/// The longest label of a node, in bytes.
pub const MAX_LABEL_BYTES: usize = 128;
/// Bytes of an X-Wing public key.
pub const RECIPIENT_BYTES: usize = 1216;
