//! One pure decision from intent, effects, facts and a policy version, with reasons.

mod annotation;
mod approvers;
mod aspect;
mod assignment;
mod canonical;
mod charges;
mod compare;
mod cooling;
mod destination;
mod device;
mod engine;
mod enrolled;
mod enrolment_error;
mod error;
mod fees;
mod fields;
mod finality;
mod findings;
#[cfg(test)]
mod fixture;
mod larger;
mod life_reason;
pub mod limits;
mod locks;
mod membership;
mod named;
mod outflow;
mod payload;
mod prices;
#[cfg(test)]
mod properties;
mod protection;
mod question;
mod reason;
mod roster;
mod roster_bytes;
mod rows;
mod rules;
mod ruling;
mod saturation;
mod sections;
mod share_fault;
mod shared;
mod simulated;
mod simulation_reason;
mod structure;
mod succession;
mod version;
mod vocabulary;
mod words;
mod written;

pub use approvers::authority_people;
pub use assignment::{Assignment, Candidate, assign};
pub use canonical::MAX_JSON_BYTES;
pub use compare::{Difference, Direction, compare, simulate};
pub use cooling::Cooling;
pub use device::{DeviceProof, Enrolment, Holder};
pub use engine::Engine;
pub use enrolled::{RequiredOf, RosterDevices, check_devices};
pub use enrolment_error::EnrolmentError;
pub use error::PolicyError;
pub use fees::{FeeCap, FeeCeilings, FeePart};
pub use finality::{BitcoinFinality, DEFAULT_CONFIRMATIONS};
pub use larger::larger;
pub use life_reason::LifeReason;
pub use locks::{BitcoinTerms, HeightLimit, LockTimeRule};
pub use payload::in_micro;
pub use prices::{
    Deviation, MAX_PRICE_DECIMALS, MAX_PRICES, MAX_PRICES_PER_SOURCE, PriceError, Prices, Quote,
};
pub use protection::{Feature, RequiredProtections};
pub use question::{Facts, Question, Simulated, Subject};
pub use reason::{MAX_REASONS, Reason};
pub use roster::{Device, Factor, Node, Peer, Person, Roster, Service, TransportKey};
pub use ruling::{Bucket, Charge, Requirement, Ruling};
pub use sections::Sections;
pub use share_fault::ShareFault;
pub use shared::SharedWallet;
pub use simulation_reason::SimulationReason;
pub use succession::{check_next, check_step, next_version};
pub use version::{
    AddressEntry, AssuranceCap, AssuranceLevel, Dimension, FreshHeadDemand, FreshHeadRule, Measure, Need,
    PolicyRef, PolicyVersion, Price, PriceRule, PriceSource, QuorumRow, Rule, RunTerms, Simulate,
    SimulationRule, Threshold, Timing, Tolerance, Window,
};
pub use vocabulary::SCHEMA;
pub use written::{MAX_ADDRESS_BYTES, WrittenAddress};
