//! Why a PSBT is not signed: what was expected, what was found, and what to do.

use bitcoin::{OutPoint, Txid};
use keystead_base::{Blame, Coded};

/// Why a PSBT is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing is spent, or nothing comes of it.
    #[error("a transaction has at least one input and one output: build it again")]
    Empty,
    /// A version whose rules are not known here.
    #[error("expected transaction version 1 or 2, found {found}: build it with version 2")]
    TransactionVersion {
        /// The version.
        found: i32,
    },
    /// One coin twice.
    #[error("input {input} spends {outpoint}, as an input before it does: build it again")]
    DuplicateInput {
        /// The later input.
        input: usize,
        /// What both spend.
        outpoint: OutPoint,
    },
    /// Nobody says what is spent.
    #[error(
        "input {input}: what it spends is missing: add the whole previous transaction (NON_WITNESS_UTXO)"
    )]
    MissingUtxo {
        /// The input.
        input: usize,
    },
    /// A previous transaction that is not the one that is spent from.
    #[error(
        "input {input} spends from {expected}, but comes with {found}: somebody changed or confused them"
    )]
    PreviousTransaction {
        /// The input.
        input: usize,
        /// The transaction that it names.
        expected: Txid,
        /// The transaction that came along.
        found: Txid,
    },
    /// A previous transaction without that output.
    #[error("input {input} spends output {expected} of a transaction that has {found}")]
    PreviousOutput {
        /// The input.
        input: usize,
        /// The output that it names.
        expected: u32,
        /// How many there are.
        found: usize,
    },
    /// Two accounts of what is spent.
    #[error(
        "input {input}: WITNESS_UTXO says {found_sat} sat, the previous transaction {expected_sat} sat, or another script"
    )]
    ContradictingUtxo {
        /// The input.
        input: usize,
        /// What the transaction says.
        expected_sat: u64,
        /// What the other field says.
        found_sat: u64,
    },
    /// The amount that is spent is not proven, and no signature would cover it (BIP-143's known weakness).
    #[error(
        "input {input}: add the whole previous transaction (NON_WITNESS_UTXO): its amount is not proven, and a \
         wrong one would hide a fee; only when all inputs are taproot do signatures cover all amounts"
    )]
    UnprovenAmount {
        /// The input.
        input: usize,
    },
    /// A coin that is not ours.
    #[error(
        "input {input} is not ours, or its derivation is missing: add it, or have others' inputs permitted"
    )]
    ForeignInput {
        /// The input.
        input: usize,
    },
    /// No coin is ours.
    #[error("no input is ours: there is nothing to sign; is this the right wallet and network?")]
    NothingOfOurs,
    /// An input that says it is ours and is not.
    #[error(
        "input {input} claims a key of `{name}`, whose script there is another one: do not sign this anywhere"
    )]
    FalseInput {
        /// The input.
        input: usize,
        /// Whose key it claims.
        name: String,
    },
    /// Change that says it is ours and is not.
    #[error(
        "output {output} claims a key of `{name}`, whose script there is another one: it is somebody else's"
    )]
    ForeignChange {
        /// The output.
        output: usize,
        /// Whose key it claims.
        name: String,
    },
    /// Change where no wallet looks.
    #[error("output {output} goes to our index {found}, beyond {limit}: no wallet would find it")]
    FarChange {
        /// The output.
        output: usize,
        /// The highest index.
        limit: u32,
        /// The index.
        found: u32,
    },
    /// A script that is not the one behind the hash.
    #[error("input {input}: `{field}` is not the script that our descriptor has there")]
    ContradictingScript {
        /// The input.
        input: usize,
        /// The field.
        field: &'static str,
    },
    /// A signature would cover less than everything.
    #[error("input {input} asks for sighash type {found:#x}: only ALL (and for taproot DEFAULT) is signed")]
    Sighash {
        /// The input.
        input: usize,
        /// The type.
        found: u32,
    },
    /// Spending by a script in a taproot tree.
    #[error("input {input} is about a taproot script: only the key path is signed")]
    ScriptPath {
        /// The input.
        input: usize,
    },
    /// Somebody finished an input of ours.
    #[error("input {input} is ours and already final: nothing is left to sign there")]
    AlreadyFinal {
        /// The input.
        input: usize,
    },
    /// A signature by nobody who takes part.
    #[error("input {input} has a signature by a key that is none of its own: remove it")]
    ForeignSignature {
        /// The input.
        input: usize,
    },
    /// An amount above all the coins there are.
    #[error("amounts add up to more than 21,000,000 BTC")]
    Overflow,
    /// More goes out than comes in.
    #[error(
        "outputs have {outputs_sat} sat, inputs {inputs_sat} sat: an input is missing or an amount is wrong"
    )]
    NegativeFee {
        /// What the inputs have.
        inputs_sat: u64,
        /// What the outputs have.
        outputs_sat: u64,
    },
    /// A fee above the limit.
    #[error("the fee is {found} sat, the limit {limit}: is a change output missing?")]
    AbsurdFee {
        /// The limit, in satoshi.
        limit: u64,
        /// The fee, in satoshi.
        found: u64,
    },
    /// A fee rate above the limit.
    #[error("the fee is {found} sat for {vbytes} vB, the limit {limit} sat/vB: is a change output missing?")]
    AbsurdRate {
        /// The limit, in satoshi for each virtual byte.
        limit: u64,
        /// The fee, in satoshi.
        found: u64,
        /// The size, in virtual bytes.
        vbytes: u64,
    },
    /// An output that nodes do not relay, as spending it costs more than it is worth.
    #[error("output {output} has {found} sat, below the {limit} that nodes relay: leave it out")]
    Dust {
        /// The output.
        output: usize,
        /// The least that is relayed for such a script, in satoshi.
        limit: u64,
        /// What it has, in satoshi.
        found: u64,
    },
    /// Coins that nobody could ever spend again.
    #[error("output {output} destroys {found} sat: an OP_RETURN output has no value")]
    Burn {
        /// The output.
        output: usize,
        /// What it has, in satoshi.
        found: u64,
    },
    /// A transaction for later.
    #[error("lock time {found} is not final under the permitted {limit}: signed now, it could be used later")]
    LockTime {
        /// What is permitted, in the same unit: a height, or Unix seconds.
        limit: u32,
        /// The lock time.
        found: u32,
    },
    /// An input for later.
    #[error(
        "input {input} has sequence {found:#x}, a relative lock time: only where that is permitted by name"
    )]
    RelativeLock {
        /// The input.
        input: usize,
        /// The sequence.
        found: u32,
    },
    /// A transaction that nodes do not relay.
    #[error("the transaction would weigh {found}, nodes relay up to {limit}: spend fewer coins at once")]
    Weight {
        /// The limit, in weight units.
        limit: u64,
        /// The weight.
        found: u64,
    },
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "bitcoin.empty",
            Self::TransactionVersion { .. } => "bitcoin.transaction_version",
            Self::DuplicateInput { .. } => "bitcoin.duplicate_input",
            Self::MissingUtxo { .. } => "bitcoin.missing_utxo",
            Self::PreviousTransaction { .. } => "bitcoin.previous_transaction",
            Self::PreviousOutput { .. } => "bitcoin.previous_output",
            Self::ContradictingUtxo { .. } => "bitcoin.contradicting_utxo",
            Self::UnprovenAmount { .. } => "bitcoin.unproven_amount",
            Self::ForeignInput { .. } => "bitcoin.foreign_input",
            Self::NothingOfOurs => "bitcoin.nothing_of_ours",
            Self::FalseInput { .. } => "bitcoin.false_input",
            Self::ForeignChange { .. } => "bitcoin.foreign_change",
            Self::FarChange { .. } => "bitcoin.far_change",
            Self::ContradictingScript { .. } => "bitcoin.contradicting_script",
            Self::Sighash { .. } => "bitcoin.sighash",
            Self::ScriptPath { .. } => "bitcoin.script_path",
            Self::AlreadyFinal { .. } => "bitcoin.already_final",
            Self::ForeignSignature { .. } => "bitcoin.foreign_signature",
            Self::Overflow => "bitcoin.overflow",
            Self::NegativeFee { .. } => "bitcoin.negative_fee",
            Self::AbsurdFee { .. } => "bitcoin.absurd_fee",
            Self::AbsurdRate { .. } => "bitcoin.absurd_rate",
            Self::Dust { .. } => "bitcoin.dust",
            Self::Burn { .. } => "bitcoin.burn",
            Self::LockTime { .. } => "bitcoin.lock_time",
            Self::RelativeLock { .. } => "bitcoin.relative_lock",
            Self::Weight { .. } => "bitcoin.weight",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
