//! The log's pure state machine and the light client that checks its certificates.

mod admit;
mod apply;
mod authority;
mod block;
pub mod ceremony;
mod coins;
mod controls;
mod convening;
mod convoking;
mod drill;
mod ends;
mod entry;
mod finding;
mod fresh;
mod genesis;
mod in_tokens;
mod judge;
mod key_moves;
mod light_client;
mod light_error;
mod messages;
mod outcome;
mod permits;
mod persist;
mod reading;
pub mod rebuild;
mod request;
mod run_aim;
mod sharing;
mod simulating;
mod slots;
mod state;
mod to_sign;
mod transition;
mod turn;
mod windows;

pub use admit::{AdmissionError, Admitted};
pub use apply::{Applied, BlockError, leaves, propose, validate, validate_unless};
pub use block::{
    Block, Commit, Frozen, Header, MAX_BLOCK_BYTES, MAX_BLOCK_ENTRIES, Vote, VoteSignature, sign_vote,
    vote_for,
};
pub use coins::{Purse, UnfitWallet, check_registered, wallet_challenge};
pub use controls::{Controls, Strict};
pub use convening::{Convening, DealtReport, MAX_ATTEMPTS};
pub use drill::drill_challenge;
pub use entry::{Entry, Fate, KeyEvent, KeyStep, Renewal, Settlement};
pub use finding::{Discrepancy, FinalBlock, Finding, MAX_CLEARED};
pub use fresh::{FRESH_SECONDS, FreshAnswer, FreshHead, FreshWord};
pub use genesis::{Founder, Genesis, GenesisError, SignedGenesis};
pub use keystead_base::PublicAccount;
pub use keystead_intent::KeyState;
pub use light_client::{LightClient, verify_commit};
pub use light_error::LightError;
pub use outcome::{Certificate, Decision, Grant, Outcome};
pub use permits::{CeremonyPermit, ConvenedPermit, HeldPermit, SigningPermit};
pub use reading::{MAX_KEPT_PSBT_BYTES, MAX_WAITING_PSBTS};
pub use rebuild::{Rebuild, RebuildError, SignedRebuild};
pub use request::{Event, Phase, Request, SlotUse};
pub use run_aim::RunAim;
pub use sharing::{Convened, Seat, ShareHome, Sharing, share_challenge};
pub use simulating::{Rehearsed, SeenRun, Simulation, approval_digest};
pub use state::{ActivePolicy, Key, MAX_OPEN_REQUESTS, Snapshot, State};
pub use transition::Transition;
pub use windows::Windows;
