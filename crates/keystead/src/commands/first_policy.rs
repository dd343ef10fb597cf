//! Options for the first policy of a ceremony: the sample with one's own chain and destinations, or a whole file.

use std::path::PathBuf;

use alloy_primitives::Address;
use clap::Args;
use keystead_base::{Name, Timestamp};
use keystead_policy::{PolicyVersion, Roster};

use super::init::{named_address, policy_file};
use crate::failure::Failure;
use crate::sample::{self, World};

/// Everything of version 0 but its roster.
#[derive(Debug, Args)]
pub(crate) struct FirstPolicy {
    /// The chain's id (EIP-155).
    #[arg(long, default_value_t = 31337, conflicts_with = "policy")]
    chain: u64,
    /// A destination of the address book, NAME=ADDRESS. Nothing is paid to anybody else.
    #[arg(long, value_parser = named_address, value_name = "NAME=ADDRESS", conflicts_with = "policy")]
    allow: Vec<(Name, Address)>,
    /// How many seconds a destination that is added later waits before anybody is paid there.
    #[arg(long, default_value_t = sample::COOL_OFF_SECONDS, value_name = "SECONDS", conflicts_with = "policy")]
    cool_off: u64,
    /// Stop a key from signing when its latest backup was not restored for so many days (`key drill`, `backup drill`); a new
    /// backup counts as never restored. 0 stops none: `status` names what is overdue either way.
    #[arg(long, default_value_t = 0, value_name = "DAYS", conflicts_with = "policy")]
    drill_days: u32,
    /// A first policy of your own, as JSON; its roster is replaced by the members'.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

impl FirstPolicy {
    /// The version, for whichever roster.
    pub(crate) fn version(&self, roster: Roster, created: Timestamp) -> Result<PolicyVersion, Failure> {
        if let Some(path) = &self.policy {
            return Ok(PolicyVersion { roster, ..policy_file(path)? });
        }
        let world = World {
            chain: self.chain,
            addresses: self.allow.clone(),
            cool_off_seconds: self.cool_off,
            drill_days: self.drill_days,
            ..World::default()
        };
        Ok(sample::policy(&world, roster, created)?)
    }
}
