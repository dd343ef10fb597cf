//! What a signed transaction would do, order by order, as typed facts.

use keystead_base::Digest;
use keystead_intent::{AuthorityKind, DangerClass, OpaqueReason, SolanaNonce};

use crate::fee::{BudgetTerm, Fee};
use crate::program::SYSTEM;
use crate::{Cluster, Message, Pubkey, intents, reading};

/// Everything that a signature of one account would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects {
    /// The cluster: no part of the bytes.
    pub cluster: Cluster,
    /// Whose signature it is.
    pub account: Pubkey,
    /// Who pays the fee.
    pub payer: Pubkey,
    /// Who signs beside the account.
    pub others: Vec<Pubkey>,
    /// Until when the cluster takes it.
    pub lifetime: Lifetime,
    /// What the payer pays for it.
    pub fee: Fee,
    /// What happens: at least one effect for each instruction, in the order of execution. All of it happens, or nothing
    /// but the fee.
    pub items: Vec<Effect>,
}

/// Until when a cluster takes a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// For about 150 blocks (a minute) after the block with this hash. Two such transactions do not exclude each other.
    Recent {
        /// The hash.
        blockhash: [u8; 32],
    },
    /// Until the nonce account has another value: at most one transaction with this one is executed (S4).
    Durable {
        /// The nonce account.
        account: Pubkey,
        /// Its value.
        value: [u8; 32],
    },
}

/// What happens by one instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The instruction's position.
    pub instruction: u16,
    /// The program that does it.
    pub program: Pubkey,
    /// Which of the program's orders it is: its number, lowest byte first; of an unknown program the first four bytes.
    pub selector: Option<[u8; 4]>,
    /// The digest of the instruction's document, by which an effect names what the bytes do not state.
    pub hash: Digest,
    /// What happens.
    pub kind: EffectKind,
}

/// What happens. `wallet` is whose a token account is, where an instruction before proves it: it makes the account for
/// that wallet, or finds that it is that wallet's, or nothing at all happens.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of a variant are named as the program's own interface names them")]
pub enum EffectKind {
    /// Coins move.
    Coins { from: Pubkey, to: Pubkey, wallet: Option<Pubkey>, lamports: u64 },
    /// Tokens of a mint move; the authority signs, as owner or as somebody whom the owner allowed it.
    Tokens(TokenMove),
    /// An account is made, with coins and for a program.
    NewAccount { funder: Pubkey, account: Pubkey, lamports: u64, space: u64, owner: Pubkey },
    /// A token account is made for a wallet, unless it is there.
    NewTokenAccount(NewTokenAccount),
    /// A delegate may take tokens from an account.
    Allowance(TokenAllowance),
    /// No delegate may take tokens any more.
    Revocation { account: Pubkey, owner: Pubkey },
    /// Who controls an account or a mint changes.
    Authority { change: AuthorityKind, target: Pubkey, holder: Pubkey, subject: Option<Pubkey> },
    /// A token account ends; what coins it has go to somebody. How many is not in the bytes.
    Close { account: Pubkey, destination: Pubkey, owner: Pubkey },
    /// A nonce account gets another value: every other transaction with the value that it has is void.
    NonceAdvance { account: Pubkey, authority: Pubkey },
    /// An account of wrapped coins counts what it has again.
    Recount { account: Pubkey },
    /// A term of the fee or of execution.
    Budget(BudgetTerm),
    /// Words.
    Memo { text: String },
    /// What nobody here understands.
    Opaque { reason: OpaqueReason },
}

/// Tokens that move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenMove {
    /// The mint.
    pub mint: Pubkey,
    /// From this token account.
    pub source: Pubkey,
    /// By whose signature.
    pub authority: Pubkey,
    /// To this token account.
    pub destination: Pubkey,
    /// Whose that is, where it is proven.
    pub wallet: Option<Pubkey>,
    /// How many, in base units.
    pub amount: u64,
    /// Digits after the point, where the bytes say so; then the program holds them against the mint.
    pub decimals: Option<u8>,
}

/// A token account of a wallet, at the address that belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewTokenAccount {
    /// Who pays for its place.
    pub funder: Pubkey,
    /// The account.
    pub account: Pubkey,
    /// Whose it is.
    pub wallet: Pubkey,
    /// The mint whose tokens it has.
    pub mint: Pubkey,
    /// The program that keeps it.
    pub token_program: Pubkey,
    /// What its place costs at most, where that is known.
    pub lamports: Option<u64>,
}

/// A right to take tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenAllowance {
    /// The mint, where the bytes say so.
    pub mint: Option<Pubkey>,
    /// From this token account.
    pub source: Pubkey,
    /// Who gives the right.
    pub owner: Pubkey,
    /// Who may take them.
    pub delegate: Pubkey,
    /// How many, in base units.
    pub amount: u64,
    /// Digits after the point, where the bytes say so.
    pub decimals: Option<u8>,
}

impl TokenAllowance {
    /// Whether it is for good: half of all that any mint can ever have.
    #[must_use]
    pub fn unlimited(&self) -> bool {
        self.amount >= 1 << 63
    }
}

impl Effects {
    /// The class of the worst effect.
    #[must_use]
    pub fn class(&self) -> DangerClass {
        self.items.iter().map(|it| self.class_of(it)).max().unwrap_or(DangerClass::BlindDigest)
    }

    /// The class of one effect.
    #[must_use]
    pub fn class_of(&self, effect: &Effect) -> DangerClass {
        let items = intents::items(effect, self.account, self.cluster);
        items.iter().map(keystead_intent::Effect::class).max().unwrap_or(DangerClass::BlindDigest)
    }

    /// The place that it takes among those given away once (S4); none for what a recent blockhash holds.
    #[must_use]
    pub fn nonce(&self) -> Option<SolanaNonce> {
        match self.lifetime {
            Lifetime::Recent { .. } => None,
            Lifetime::Durable { account, value } => Some(SolanaNonce {
                chain: self.cluster.chain(),
                account: Digest(account.0),
                value: Digest(value),
            }),
        }
    }
}

/// Explains what one account's signature over a message would do.
///
/// INVARIANT S2: from the very bytes that are signed, and from nothing else.
#[must_use]
pub fn explain(cluster: Cluster, account: Pubkey, message: &Message) -> Effects {
    Effects {
        cluster,
        account,
        payer: message.payer(),
        others: message.signers().iter().copied().filter(|it| *it != account).collect(),
        lifetime: lifetime(message),
        fee: Fee::of(message),
        items: reading::read(message),
    }
}

/// As validators decide it, and wider than what is understood: the first instruction advances a nonce, whatever follows
/// in its data.
///
/// INVARIANT S4: what an executed transaction could use up is a place.
fn lifetime(message: &Message) -> Lifetime {
    let advances = |it: &&crate::Instruction| it.program == SYSTEM && it.data.starts_with(&ADVANCE);
    let first = message.instructions().first().filter(advances);
    match first.and_then(|it| it.accounts.first()) {
        Some(nonce) => Lifetime::Durable { account: nonce.key, value: message.blockhash() },
        None => Lifetime::Recent { blockhash: message.blockhash() },
    }
}

/// `AdvanceNonceAccount` among the System program's orders.
const ADVANCE: [u8; 4] = [4, 0, 0, 0];

#[cfg(test)]
mod tests;
