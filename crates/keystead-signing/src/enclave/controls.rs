//! The checks of an enclave that an attack pair takes out, and the seam where a test lets faults strike.

use keystead_base::{Digest, Name};
use keystead_bitcoin::Spend;
use keystead_chain::Unsigned;
use keystead_decision::Grant;
use keystead_threshold::Parcel;

/// What an attack pair takes out of an enclave. The product only ever names [`Strict`].
pub trait EnclaveControls: Clone + Send + 'static {
    /// INVARIANT S2: the digest that must have been granted is the one of the very bytes that are signed.
    fn digest_to_grant(&self, unsigned: &Unsigned, _granted: Option<&Grant>) -> Digest {
        unsigned.signing_digest()
    }

    /// INVARIANT S2: the same for a PSBT, read against the wallet of the key itself.
    fn spend_to_grant(&self, spend: &Spend, _granted: Option<&Grant>) -> Digest {
        spend.signing_digest()
    }

    /// INVARIANT S2: the same for a message of Solana's, read for the key itself.
    fn message_to_grant(&self, message: &keystead_solana::Unsigned, _granted: Option<&Grant>) -> Digest {
        message.signing_digest()
    }

    /// INVARIANT S2: the same for a transaction of NEAR's.
    fn transaction_to_grant(&self, it: &keystead_near::Unsigned, _granted: Option<&Grant>) -> Digest {
        it.signing_digest()
    }

    /// INVARIANT K6: what a machine says in a run leaves as the protocol has it, and it leaves. A lying holder of a test changes
    /// it before it is signed, or keeps it back.
    fn says(&self, _said: &mut Parcel) -> bool {
        true
    }

    /// INVARIANT K6: what is said to all is one message, the same for each. An equivocator of a test signs another one for some node.
    fn tells(&self, _to: &Name, _said: &Parcel) -> Option<Parcel> {
        None
    }

    /// INVARIANT S7: no fault strikes here. A test flips bits, of what a self-test computed or of what a signature is made of.
    fn strike(&self, _at: Struck, _bytes: &mut [u8]) {}
}

/// Where a test may let a fault strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Struck {
    /// What a self-test computed.
    SelfTest(&'static str),
    /// A fresh pair of keys, before its two halves are held against each other.
    Pair(&'static str),
    /// What is about to be signed.
    Digest,
    /// The secret scalar.
    Key,
    /// What the scalar is tweaked by (BIP-341).
    Tweak,
    /// The fresh signature.
    Signature,
    /// Which of two points it recovers to.
    RecoveryId,
    /// The public key that it is verified with.
    PublicKey,
}

/// Every control as it is meant.
#[derive(Clone, Copy, Debug, Default)]
pub struct Strict;

impl EnclaveControls for Strict {}
