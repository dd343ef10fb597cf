//! k of n keys, each made for itself: no ceremony, no shared secret, n signatures to verify one by one.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_base::{Blame, Canonical, Coded, Digest};
use serde::{Deserialize, Serialize};

use crate::{QuantumError, QuantumKey, QuantumPublicKey, QuantumSignature};

/// The most keys that a quorum may have.
pub const MAX_QUORUM_KEYS: usize = 16;
/// The longest message that a quorum signs.
pub const MAX_QUORUM_MESSAGE_BYTES: usize = 1024 * 1024;

/// Any `threshold` of `keys` sign together. Keys are in ascending order of their canonical bytes, each once.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, Serialize, Deserialize)]
#[serde(try_from = "Parts")]
pub struct QuantumQuorum {
    threshold: u8,
    keys: Vec<QuantumPublicKey>,
}

#[derive(BorshDeserialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    threshold: u8,
    keys: Vec<QuantumPublicKey>,
}

impl QuantumQuorum {
    /// A quorum of `keys`, in any order.
    ///
    /// # Errors
    ///
    /// [`QuorumError`] for no key or too many, a key twice, and a threshold of 0 or more than there are keys.
    pub fn new(threshold: u8, mut keys: Vec<QuantumPublicKey>) -> Result<Self, QuorumError> {
        keys.sort();
        Self::try_from(Parts { threshold, keys })
    }

    /// How many sign.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// The keys, in their order.
    #[must_use]
    pub fn keys(&self) -> &[QuantumPublicKey] {
        &self.keys
    }

    /// What each member signs of `message`.
    ///
    /// # Errors
    ///
    /// [`QuorumError::Message`] for one that is too long.
    pub fn message(&self, message: &[u8]) -> Result<QuantumQuorumMessage, QuorumError> {
        if message.len() > MAX_QUORUM_MESSAGE_BYTES {
            return Err(QuorumError::Message { limit: MAX_QUORUM_MESSAGE_BYTES, found: message.len() });
        }
        Ok(QuantumQuorumMessage { quorum: self.digest(), message: message.to_vec() })
    }

    /// One member's part in a signature over `message`.
    ///
    /// # Errors
    ///
    /// [`QuorumError::Stranger`] for a key that is no member, and what signing can fail with.
    pub fn sign(&self, key: &QuantumKey, message: &[u8]) -> Result<QuantumSeat, QuorumError> {
        let place = self.keys.iter().position(|member| member == key.public());
        let index = place.and_then(|place| u8::try_from(place).ok()).ok_or(QuorumError::Stranger)?;
        let signature = key.sign(&self.message(message)?.to_document())?;
        Ok(QuantumSeat { index, signature })
    }

    /// Puts members' parts together: the first `threshold` of them in the order of their keys.
    ///
    /// # Errors
    ///
    /// [`QuorumError`] when there are too few, or one does not verify.
    pub fn combine(
        &self,
        message: &[u8],
        mut seats: Vec<QuantumSeat>,
    ) -> Result<QuantumQuorumSignature, QuorumError> {
        seats.sort_by_key(|seat| seat.index);
        seats.dedup_by_key(|seat| seat.index);
        seats.truncate(usize::from(self.threshold));
        let signature = QuantumQuorumSignature { quorum: self.digest(), seats };
        self.verify(message, &signature)?;
        Ok(signature)
    }

    /// Verifies a signature of this quorum over `message`: exactly `threshold` members, each once, each over the same.
    ///
    /// # Errors
    ///
    /// [`QuorumError`] names the first thing that does not hold.
    pub fn verify(&self, message: &[u8], signature: &QuantumQuorumSignature) -> Result<(), QuorumError> {
        if signature.quorum != self.digest() {
            return Err(QuorumError::OtherQuorum { expected: self.digest(), found: signature.quorum });
        }
        let (expected, found) = (usize::from(self.threshold), signature.seats.len());
        if expected != found {
            return Err(QuorumError::Count { expected, found });
        }
        // Ascending, so that no member counts twice and a set of members has one form.
        if !signature.seats.is_sorted_by(|one, next| one.index < next.index) {
            return Err(QuorumError::SeatOrder);
        }
        let document = self.message(message)?.to_document();
        signature.seats.iter().try_for_each(|seat| self.verify_seat(&document, seat))
    }

    fn verify_seat(&self, document: &[u8], seat: &QuantumSeat) -> Result<(), QuorumError> {
        let key = self.keys.get(usize::from(seat.index)).ok_or(QuorumError::Stranger)?;
        key.verify(document, &seat.signature).map_err(|error| QuorumError::Seat { index: seat.index, error })
    }
}

impl TryFrom<Parts> for QuantumQuorum {
    type Error = QuorumError;

    fn try_from(parts: Parts) -> Result<Self, Self::Error> {
        let Parts { threshold, keys } = parts;
        let found = keys.len();
        if found == 0 || found > MAX_QUORUM_KEYS {
            return Err(QuorumError::Keys { limit: MAX_QUORUM_KEYS, found });
        }
        if threshold == 0 || usize::from(threshold) > found {
            return Err(QuorumError::Threshold { keys: found, found: threshold });
        }
        if !keys.is_sorted_by(|one, next| one < next) {
            return Err(QuorumError::KeyOrder);
        }
        Ok(Self { threshold, keys })
    }
}

impl BorshDeserialize for QuantumQuorum {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let parts = Parts::deserialize_reader(reader)?;
        Self::try_from(parts).map_err(|error| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, error))
    }
}

impl Canonical for QuantumQuorum {
    const DOMAIN: &'static str = "keystead/quantum-quorum/v1";
    const MAX_BYTES: usize = 64 * 1024;
}

/// What members of a quorum sign: its digest, so that a signature counts for no other one, and the message.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantumQuorumMessage {
    /// The digest of the quorum.
    pub quorum: Digest,
    /// The message.
    pub message: Vec<u8>,
}

impl Canonical for QuantumQuorumMessage {
    const DOMAIN: &'static str = "keystead/quantum-quorum-message/v1";
}

/// A quorum's signature: as many seats as its threshold, ascending.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantumQuorumSignature {
    /// The digest of the quorum.
    pub quorum: Digest,
    /// Who signed, and what.
    pub seats: Vec<QuantumSeat>,
}

impl Canonical for QuantumQuorumSignature {
    const DOMAIN: &'static str = "keystead/quantum-quorum-signature/v1";
    const MAX_BYTES: usize = 256 * 1024;
}

/// One member's signature.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantumSeat {
    /// The member's place among the quorum's keys, from 0.
    pub index: u8,
    /// Its signature over the document of [`QuantumQuorumMessage`].
    pub signature: QuantumSignature,
}

/// What is wrong with a quorum or its signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// No key, or too many.
    #[error("a quorum has 1 to {limit} keys, found {found}")]
    Keys {
        /// The most.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A threshold that nobody or everybody and more would have to meet.
    #[error("a quorum of {keys} keys has a threshold of 1 to {keys}, found {found}")]
    Threshold {
        /// How many keys there are.
        keys: usize,
        /// The threshold.
        found: u8,
    },
    /// Keys out of order, or one twice.
    #[error("the keys of a quorum stand in ascending order, each once; name each member's own key")]
    KeyOrder,
    /// A message beyond the limit.
    #[error("a quorum signs messages of up to {limit} bytes, found {found}; sign a digest of it")]
    Message {
        /// The limit.
        limit: usize,
        /// The length found.
        found: usize,
    },
    /// A signature of another quorum.
    #[error("expected a signature of the quorum {expected}, found one of {found}")]
    OtherQuorum {
        /// This quorum.
        expected: Digest,
        /// The signature's.
        found: Digest,
    },
    /// Too few signatures, or more than are wanted.
    #[error("expected the signatures of exactly {expected} members, found {found}")]
    Count {
        /// The threshold.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// Seats out of order, or one twice.
    #[error("the signatures of members stand in ascending order, one of each")]
    SeatOrder,
    /// A key that is no member's.
    #[error("this key is no member of the quorum; ask one of its members")]
    Stranger,
    /// One member's signature does not hold.
    #[error("member {index}: {error}")]
    Seat {
        /// The member's place.
        index: u8,
        /// What is wrong.
        error: QuantumError,
    },
    /// A member's key failed to sign.
    #[error(transparent)]
    Key(#[from] QuantumError),
}

impl Coded for QuorumError {
    fn code(&self) -> &'static str {
        match self {
            Self::Keys { .. } => "quantum_quorum.keys",
            Self::Threshold { .. } => "quantum_quorum.threshold",
            Self::KeyOrder => "quantum_quorum.key_order",
            Self::Message { .. } => "quantum_quorum.message",
            Self::OtherQuorum { .. } => "quantum_quorum.other",
            Self::Count { .. } => "quantum_quorum.count",
            Self::SeatOrder => "quantum_quorum.seat_order",
            Self::Stranger => "quantum_quorum.stranger",
            Self::Seat { .. } => "quantum_quorum.signature",
            Self::Key(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Key(error) => error.blame(),
            Self::Keys { .. }
            | Self::Threshold { .. }
            | Self::KeyOrder
            | Self::Message { .. }
            | Self::OtherQuorum { .. }
            | Self::Count { .. }
            | Self::SeatOrder
            | Self::Stranger
            | Self::Seat { .. } => Blame::Caller,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scheme;

    fn keys() -> Vec<QuantumKey> {
        let schemes = [Scheme::MlDsa65, Scheme::MlDsa44, Scheme::MlDsa87, Scheme::MlDsa65];
        let made = schemes
            .iter()
            .zip(1..)
            .map(|(scheme, byte)| QuantumKey::from_seed(*scheme, &[byte; 32]).unwrap());
        made.collect()
    }

    fn quorum(threshold: u8, keys: &[QuantumKey]) -> QuantumQuorum {
        QuantumQuorum::new(threshold, keys.iter().map(|key| key.public().clone()).collect()).unwrap()
    }

    #[test]
    fn fewer_than_the_threshold_sign_nothing() {
        let keys = keys();
        let quorum = quorum(3, &keys);
        let seats: Vec<_> = keys.iter().map(|key| quorum.sign(key, b"pay").unwrap()).collect();
        let signature = quorum.combine(b"pay", seats.clone()).unwrap();
        assert_eq!(quorum.verify(b"pay", &signature), Ok(()));

        let few = seats[..2].to_vec();
        assert_eq!(quorum.combine(b"pay", few.clone()).unwrap_err().code(), "quantum_quorum.count");
        let doubled = vec![few[0].clone(), few[1].clone(), few[1].clone()];
        assert_eq!(quorum.combine(b"pay", doubled.clone()).unwrap_err().code(), "quantum_quorum.count");
        let forged = QuantumQuorumSignature { quorum: quorum.digest(), seats: sorted(doubled) };
        assert_eq!(quorum.verify(b"pay", &forged).unwrap_err().code(), "quantum_quorum.seat_order");
        let more = QuantumQuorumSignature { quorum: quorum.digest(), seats: sorted(seats) };
        assert_eq!(
            quorum.verify(b"pay", &more).unwrap_err().code(),
            "quantum_quorum.count",
            "one form of each"
        );
    }

    #[test]
    fn a_signature_counts_for_its_message_its_quorum_and_its_member() {
        let keys = keys();
        let (ours, other) = (quorum(2, &keys), quorum(2, &keys[..3]));
        let seats: Vec<_> = keys[..2].iter().map(|key| ours.sign(key, b"pay").unwrap()).collect();
        let good = ours.combine(b"pay", seats).unwrap();
        assert_eq!(ours.verify(b"Pay", &good).unwrap_err().code(), "quantum_quorum.signature");
        assert_eq!(other.verify(b"pay", &good).unwrap_err().code(), "quantum_quorum.other");
        let renamed = QuantumQuorumSignature { quorum: other.digest(), ..good.clone() };
        assert!(other.verify(b"pay", &renamed).is_err());
        // The same members at the same places, and one more: they signed for the smaller quorum.
        let (smaller, larger) = (quorum(2, &keys[..2]), quorum(2, &keys[..3]));
        let seats = keys[..2].iter().map(|key| smaller.sign(key, b"pay").unwrap()).collect();
        let signed = smaller.combine(b"pay", seats).unwrap();
        let renamed = QuantumQuorumSignature { quorum: larger.digest(), ..signed };
        assert_eq!(larger.verify(b"pay", &renamed).unwrap_err().code(), "quantum_quorum.signature");
        let mut shifted = good.clone();
        shifted.seats.last_mut().unwrap().index = 3;
        assert_eq!(ours.verify(b"pay", &shifted).unwrap_err().code(), "quantum_quorum.signature");
        shifted.seats.last_mut().unwrap().index = 4;
        assert_eq!(ours.verify(b"pay", &shifted).unwrap_err().code(), "quantum_quorum.stranger");
        assert_eq!(other.sign(&keys[3], b"pay").unwrap_err().code(), "quantum_quorum.stranger");
        // Somebody who signs the message alone, without the quorum's domain, has not signed for it.
        let bare = QuantumSeat {
            index: good.seats[0].index,
            signature: member(&keys, &ours, 0).sign(b"pay").unwrap(),
        };
        let mixed = QuantumQuorumSignature { seats: vec![bare, good.seats[1].clone()], ..good };
        assert_eq!(ours.verify(b"pay", &mixed).unwrap_err().code(), "quantum_quorum.signature");
    }

    #[test]
    fn a_quorum_has_one_form() {
        let keys = keys();
        let publics: Vec<_> = keys.iter().map(|key| key.public().clone()).collect();
        let code = |threshold, keys: &[QuantumPublicKey]| {
            QuantumQuorum::new(threshold, keys.to_vec()).map_err(|error| error.code()).map(|_| ())
        };
        assert_eq!(code(0, &publics), Err("quantum_quorum.threshold"));
        assert_eq!(code(5, &publics), Err("quantum_quorum.threshold"));
        assert_eq!(code(1, &[]), Err("quantum_quorum.keys"));
        assert_eq!(code(1, &vec![publics[0].clone(); 17]), Err("quantum_quorum.keys"));
        assert_eq!(code(2, &[publics[0].clone(), publics[0].clone()]), Err("quantum_quorum.key_order"));

        let ours = quorum(2, &keys);
        let document = ours.to_document();
        assert_eq!(QuantumQuorum::from_document(&document), Ok(ours.clone()));
        let mut turned = ours.clone();
        turned.keys.swap(0, 1);
        assert_eq!(QuantumQuorum::from_document(&turned.to_document()).unwrap_err().code(), "canon.body");
        let json = serde_json::to_string(&turned).unwrap();
        assert!(serde_json::from_str::<QuantumQuorum>(&json).is_err());
        assert!(
            (0..document.len())
                .step_by(97)
                .all(|cut| QuantumQuorum::from_document(&document[..cut]).is_err())
        );
        assert_eq!(
            ours.sign(&keys[0], &vec![0; MAX_QUORUM_MESSAGE_BYTES + 1]).unwrap_err().code(),
            "quantum_quorum.message"
        );
    }

    fn sorted(mut seats: Vec<QuantumSeat>) -> Vec<QuantumSeat> {
        seats.sort_by_key(|seat| seat.index);
        seats
    }

    fn member<'a>(keys: &'a [QuantumKey], quorum: &QuantumQuorum, index: usize) -> &'a QuantumKey {
        keys.iter().find(|key| key.public() == &quorum.keys()[index]).unwrap()
    }
}
