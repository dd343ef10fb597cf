//! An old certificate is kept until it is worth something (S3, S13).
//!
//! A signed permission is valid for as long as it says, whatever is decided later: revocation lists were invented for
//! what should have been short-lived. The thieves have the machine on which the key lives. A transfer was
//! allowed and waits there, unsigned. Then the people take its destination out of the address book. The thieves show their enclave
//! nothing of that, wait, and hand in the right.
//!
//! Rights of the product end after the policy's `certificate_seconds`; whoever still wants to sign then asks the log for
//! a new one, under the policy of the day. The twin's policy lets a right live for a day.

use keystead_base::Timestamp;
use keystead_decision::Outcome;

use crate::Loot;
use crate::fixture::FRIEND;
use crate::taken::{Taken, adopt};

/// Rights that end soon, in seconds.
#[must_use]
pub fn short_lived() -> u64 {
    1
}

/// Rights that outlive what they rest on, in seconds.
#[must_use]
pub fn long_lived() -> u64 {
    86_400
}

/// What the thieves do with their enclave before they hand the right in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// They show it nothing.
    Nothing,
    /// They start it anew, and bring it the honest nodes' answer to its nonce.
    Restarted,
}

/// Plays it, with rights that live so long.
pub async fn attack(seconds: u64) -> Loot {
    played(seconds, Shown::Nothing).await
}

/// The same with an enclave that is treated like this.
pub async fn played(seconds: u64, shown: Shown) -> Loot {
    let mut taken = Taken::after(|policy| policy.timing.certificate_seconds = seconds).await;
    taken.confirm().await.expect("honest words");
    let right = taken.right(0).await;
    adopt(&taken.honest[0], |policy| policy.address_book.retain(|it| it.address != FRIEND)).await;
    if seconds == short_lived() {
        ended(&taken, &right.0.decision.outcome).await;
    }
    if shown == Shown::Restarted {
        taken.reboot().await;
        if let Err(code) = taken.confirm().await {
            return Loot::refused(code);
        }
    }
    taken.cash(&right, "wei to an address that policy had removed")
}

/// Waits for the end of a right, by the clock of the machine that the enclave reads, too.
async fn ended(taken: &Taken, outcome: &Outcome) {
    let Outcome::Allow(grant) = outcome else { panic!("not a right: {outcome:?}") };
    let end: Timestamp = grant.expires;
    while taken.honest[0].now().await < end {
        tokio::task::yield_now().await;
    }
}
