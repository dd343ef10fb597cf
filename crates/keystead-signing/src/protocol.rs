//! What parent and enclave say to each other (specs/enclave.md). Every message is one document.

mod creation;
mod gathering;
mod importing;
mod words;

use alloy_primitives::Address;
use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Canonical, ClusterId, Coded, Digest, Name, RequestId, Timestamp, merkle::Inclusion};
use keystead_bitcoin::SpendSignatures;
use keystead_decision::{
    Certificate, Commit, Dealing, Decision, FreshAnswer, ProvenSeat, PublicAccount, SignedGenesis, Transition,
};
use keystead_entropy::{EntropyPromise, EntropyReceipt};
use keystead_intent::{BitcoinWallet, ChainId};
use keystead_keys::{BackupFile, MemberKeyFile, RecipientPublicKey, Sealed, SeedShares};
use keystead_policy::PolicyRef;
use keystead_threshold::{Record, SessionId};
use serde::{Deserialize, Serialize};

pub use creation::{Brought, CreatedFrom, Creation, SeedToOpen};
pub use gathering::{
    AccountProof, GatheredProof, Gathering, GatheringAim, MAX_DRILLED_ACCOUNTS, MAX_GATHERED, ShareToOpen,
};
pub use importing::{DealTo, SeatFor, SplitWhole, TakeDealing, TaprootAccount, WholeKey};
pub use words::ShareWords;

use crate::threshold::{Progress, RunStart};
use crate::tokens::TokenReport;
use crate::{EthereumSignature, Hardening};

/// The most payloads of one batch.
pub const MAX_BATCH_ITEMS: usize = 1024;

/// What the parent asks.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Once, after all keys: where the log begins.
    Hello(Box<Hello>),
    /// The log went on.
    Advance(Box<Advance>),
    /// A committed ceremony creates a key.
    Create(Box<Certificate>),
    /// A committed ceremony backs a key up, or exports it to one person.
    Backup(Box<Certificate>),
    /// In a scratch enclave: restore a backup and prove control.
    Drill(Box<Drill>),
    /// Sign what one block allows.
    Sign(Box<Batch>),
    /// A committed ceremony wipes a key.
    Destroy(Box<Certificate>),
    /// Draw a nonce: a quorum is to say with it which head is the newest.
    AskFresh,
    /// The quorum's answer.
    ConfirmFresh(Box<FreshAnswer>),
    /// A committed ceremony lets a key be restored here: make a one-time key that its backup is handed over to.
    Receive(Box<Certificate>),
    /// The backup, for that one-time key alone.
    Restore(Box<BackupFile>),
    /// In a scratch enclave: encrypt a backup to another enclave's one-time key.
    HandOver(Box<HandOver>),
    /// Say which wallet a key has on a network of Bitcoin's.
    Wallet(Box<WalletOf>),
    /// First: keys as they lie on the parent's disk, at most [`MAX_BATCH_ITEMS`], as often as it takes.
    Open(Vec<Sealed>),
    /// The journal of threshold runs, as the parent's disk has it.
    Recall(Vec<Record>),
    /// Draw the keys with which this enclave takes part in the ceremony of a request. They are worth nothing unless the
    /// log convenes it with them.
    Seat(Box<SeatFor>),
    /// All participants of a ceremony have a seat: begin it from its first round.
    Convene(Box<Certificate>),
    /// Begin a run that signs.
    Join(Box<RunStart>),
    /// Signed messages of other enclaves, in any order.
    Deliver(Vec<Vec<u8>>),
    /// Nothing more is waited for in this run.
    GiveUp(SessionId),
    /// Wipe the shares of a key up to this epoch: a later one is in force.
    Erase {
        /// The key.
        key: Name,
        /// The last epoch to wipe.
        epoch: u32,
        /// Whether a whole key of such an epoch is wiped, too: it was dealt in shares, which took over.
        whole: bool,
    },
    /// Say the public side of a key.
    Public(Name),
    /// A committed exit lets the share of a key leave, encrypted to its recipients.
    Leave(Box<Certificate>),
    /// A committed lift lets a node that was caught take part again.
    Lift(Box<Certificate>),
    /// A committed ceremony backs a key up in shares.
    Split(Box<Certificate>),
    /// In a scratch enclave: say the words of one person's share, for their paper.
    OpenShare(Box<ShareToOpen>),
    /// In a scratch enclave: put a key together from shares, and do one thing with it.
    Gather(Box<Gathering>),
    /// A whole key of this home is dealt to the seats of an import that the log convened.
    Deal(Box<Certificate>),
    /// In a scratch enclave, whose passphrase file holds a whole key: say which key it is, or deal it.
    Whole(Box<SplitWhole>),
    /// What was dealt for an import that this enclave was shown convened: begin with the point for its seat.
    Take(Box<TakeDealing>),
    /// Prove to the log that the tokens sign with a key that this request had them make.
    Prove {
        /// The key.
        key: Name,
        /// The request.
        request: RequestId,
    },
    /// Ask each token whether it is there.
    Tokens,
    /// Sign the newest block that this process followed the log to, with a key that is whole here.
    Control(Name),
    /// Draw the machine's part of a seed that people are to roll for, or say the promise of the part that was drawn.
    Promise,
    /// A committed ceremony creates a key of the promised part and of what people brought.
    CreateFrom(Box<Creation>),
    /// A committed backup or export gives the openings of the seed to those who get the key.
    OpenSeed(Box<SeedToOpen>),
    /// What the machine's TPM gives to the next seed, or to the part that is promised next.
    Pour(Brought),
}

impl Canonical for Request {
    const DOMAIN: &'static str = "keystead/enclave-request/v1";
}

/// Where the log begins.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// The genesis; its digest must be the cluster that the enclave was started for.
    pub genesis: SignedGenesis,
}

/// Changes of policy in their order, and then the newest head.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// Each next policy version with the commit that made it so.
    pub transitions: Vec<Transition>,
    /// The newest head, if it is newer than the last transition.
    pub head: Option<Commit>,
}

/// A backup to restore, and who restores it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// The backup.
    pub file: BackupFile,
    /// The recipient, as the backup names them.
    pub recipient: Name,
    /// The recipient's key file; the scratch enclave's passphrase opens it.
    pub member: MemberKeyFile,
    /// When the log took the last drill of the key.
    pub after: Option<Timestamp>,
}

/// A backup to hand over, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    /// The backup, and who can read it.
    pub drill: Drill,
    /// The node that is to be the key's home.
    pub home: Name,
    /// The one-time key of its enclave.
    pub key: RecipientPublicKey,
}

/// A key, and a network of Bitcoin's that the policy in force lists.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalletOf {
    /// The key.
    pub key: Name,
    /// The network.
    pub chain: ChainId,
}

/// One block's commit, and payloads that its decisions allow.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    /// The commit; its votes are verified once.
    pub commit: Commit,
    /// At most [`MAX_BATCH_ITEMS`].
    pub items: Vec<BatchItem>,
}

/// A decision with its proof, and the payload that it allows.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchItem {
    /// The decision.
    pub decision: Decision,
    /// Its place among the block's decisions.
    pub proof: Inclusion,
    /// The document of the payload: a `keystead_chain::Unsigned`, or a `PsbtSpend`, `SolanaMessage` or `NearTransaction` of `keystead_intent`.
    #[serde(with = "const_hex")]
    pub unsigned: Vec<u8>,
}

/// What the enclave answers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To [`Request::Hello`].
    Ready(Box<Ready>),
    /// To [`Request::Advance`] and [`Request::ConfirmFresh`].
    Advanced(Position),
    /// To [`Request::Create`]: the parent makes the seal durable before it tells the log.
    Created(Box<CreatedKey>),
    /// To [`Request::Backup`] and [`Request::HandOver`].
    BackedUp(Box<BackupFile>),
    /// To [`Request::Drill`].
    Drilled(Box<DrillProof>),
    /// To [`Request::Sign`]: one result for each item, in their order.
    Signed(Vec<ItemResult>),
    /// To anything that is refused as a whole.
    Refused(Refusal),
    /// To [`Request::Destroy`]: the key that this process no longer has.
    Destroyed(Name),
    /// To [`Request::AskFresh`].
    Nonce(Digest),
    /// To [`Request::Receive`].
    Receiver(RecipientPublicKey),
    /// To [`Request::Restore`]: the parent makes the seal durable before it tells the log.
    Restored(Box<RestoredKey>),
    /// To [`Request::Wallet`].
    Wallet(Box<ProvenWallet>),
    /// To [`Request::Recall`], [`Request::Erase`], [`Request::Lift`] and [`Request::Pour`].
    Done,
    /// To [`Request::Seat`].
    Seated(Box<ProvenSeat>),
    /// To whatever moves runs. The parent makes its records durable before it does anything else with it (S5, K6).
    Moved(Box<Progress>),
    /// To [`Request::Open`], in the order of the seals.
    Opened(Vec<OpenedKey>),
    /// To [`Request::Public`].
    Public(Box<HeldKey>),
    /// To [`Request::Leave`] and [`Request::OpenSeed`]: an age file.
    Left(Vec<u8>),
    /// To [`Request::Split`].
    Split(Box<SeedShares>),
    /// To [`Request::OpenShare`].
    Words(ShareWords),
    /// To [`Request::Gather`] for a drill.
    Gathered(Box<GatheredProof>),
    /// To [`Request::Deal`].
    Dealt(Box<Dealing>),
    /// To [`Request::Whole`].
    Whole(Box<WholeKey>),
    /// To [`Request::Prove`]: `r || s` over `keystead_decision::drill_challenge` of epoch 0 and the request.
    Proof(Vec<u8>),
    /// To [`Request::Tokens`], by group.
    Tokens(Vec<TokenReport>),
    /// To [`Request::Control`].
    Controlled(Box<ControlProof>),
    /// To [`Request::Promise`].
    Promised(Box<EntropyPromise>),
    /// To [`Request::CreateFrom`]: the parent makes the seals durable before it tells the log.
    CreatedFrom(Box<CreatedFrom>),
}

impl Canonical for Reply {
    const DOMAIN: &'static str = "keystead/enclave-reply/v1";
}

/// The enclave as it started.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// Which protections are in force, and what is lost where one is not.
    pub hardening: Hardening,
    /// The cluster that it is pinned to.
    pub cluster: ClusterId,
    /// The self-tests that it ran before it used a key, each of them passed.
    pub self_tests: Vec<String>,
}

/// A key that the enclave has opened; nothing was derived from it so far.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenedKey {
    /// Its name.
    pub key: Name,
    /// Its epoch.
    pub epoch: u32,
}

/// A key that the enclave holds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeldKey {
    /// Its name.
    pub key: Name,
    /// Its epoch.
    pub epoch: u32,
    /// Its public side.
    pub account: PublicAccount,
}

/// How far the enclave has followed the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The height of the newest head.
    pub height: u64,
    /// The policy version in force.
    pub policy: PolicyRef,
}

/// A key just born.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreatedKey {
    /// The key.
    pub held: HeldKey,
    /// Its seed, sealed.
    pub sealed: Sealed,
    /// What the seed was made of; none of a key that tokens made.
    pub receipt: Option<EntropyReceipt>,
}

/// A key signed a block.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ControlProof {
    /// The height of the block.
    pub height: u64,
    /// `r || s` over `keystead_decision::control_challenge`, by the account with index 0.
    #[serde(with = "const_hex")]
    pub proof: Vec<u8>,
}

/// A key that was restored here, in its next epoch.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestoredKey {
    /// The key.
    pub held: HeldKey,
    /// Its seed, sealed.
    pub sealed: Sealed,
    /// The fingerprint of the one-time key.
    pub recipient: Digest,
    /// `r || s` over `keystead_decision::drill_challenge` of the new epoch and `recipient`, by the account with
    /// index 0.
    #[serde(with = "const_hex")]
    pub proof: Vec<u8>,
}

/// A wallet, derived from the key's seed.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvenWallet {
    /// The wallet.
    pub wallet: BitcoinWallet,
    /// `r || s` over `keystead_decision::wallet_challenge`, by the account with index 0.
    #[serde(with = "const_hex")]
    pub proof: Vec<u8>,
}

/// A backup that was restored.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillProof {
    /// The digest of the backup.
    pub backup: Digest,
    /// `r || s` over `keystead_decision::drill_challenge`, by the account with index 0.
    #[serde(with = "const_hex")]
    pub proof: Vec<u8>,
}

/// One item's end.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemResult {
    /// Signed.
    Signed(Released),
    /// Not signed.
    Refused(Refusal),
    /// A PSBT was signed.
    Spent(ReleasedSpend),
    /// Its key is held in shares, and the log allows it: runs may sign it until the right expires.
    Admitted,
    /// A message of Solana's was signed, which an enclave says of a run alone; or a transaction of NEAR's.
    SignedMessage(ReleasedMessage),
}

/// A signature as it leaves: verified inside with the account's public key, over this very digest (S7). The
/// parent compares digest and account with those of the payload that it meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The 32 bytes that were signed.
    pub signing_digest: Digest,
    /// Whose signature it is.
    pub account: Address,
    /// The signature.
    pub signature: EthereumSignature,
}

/// The signatures of a PSBT as they leave: each verified inside with its input's key, over the digest of its input (S7).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedSpend {
    /// The digest that was granted, over those of all inputs.
    pub signing_digest: Digest,
    /// Whose coins are spent: the wallet's id.
    pub wallet: Address,
    /// One signature for each input.
    pub signatures: SpendSignatures,
}

/// A signature of a message of Solana's, or of a transaction of NEAR's, as it leaves: verified inside with the account's key, over this
/// very message (S7).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasedMessage {
    /// The SHA-256 of the message or transaction, which was granted.
    pub signing_digest: Digest,
    /// The id of the address whose signature it is.
    pub account: Address,
    /// The 64 bytes of Ed25519 (RFC 8032), or the 3,309 of ML-DSA-65 (FIPS 204).
    #[serde(with = "const_hex")]
    pub signature: Vec<u8>,
}

/// Why not, for the parent's log: a stable code and a sentence.
#[derive(
    Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize, thiserror::Error,
)]
#[serde(deny_unknown_fields)]
#[error("the enclave refused ({code}): {text}")]
pub struct Refusal {
    /// The stable code.
    pub code: String,
    /// The sentence.
    pub text: String,
}

impl Refusal {
    pub(crate) fn of(error: &impl Coded) -> Self {
        Self { code: error.code().to_owned(), text: error.to_string() }
    }
}
