//! Who sent an entry: checked once, before it may enter a block.

use keystead_base::{
    Blame, Canonical, ClusterId, Coded, Digest, HybridPublicKey, Name, SignatureError, Signed,
};
use keystead_intent::{IntentError, MAX_BATCH_INTENTS, RequestBatch};

use crate::{Entry, State, WitnessWord};

/// An entry whose signature was verified against the roster with the remembered digest.
///
/// ```compile_fail
/// # use keystead_decision::{Admitted, Entry};
/// let forged = Admitted { entry: Entry::Tick, roster: Default::default() };
/// ```
#[derive(Debug)]
pub struct Admitted {
    entry: Entry,
    roster: Digest,
}

impl Admitted {
    /// The entry.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Whether it was verified against the roster in force in this state.
    #[must_use]
    pub fn is_for(&self, state: &State) -> bool {
        self.roster == state.policy.roster_digest
    }
}

impl State {
    /// Verifies who sent an entry.
    ///
    /// # Errors
    ///
    /// [`AdmissionError`] names the sender and what is wrong; such an entry leaves no trace in the log.
    pub fn admit(&self, entry: Entry) -> Result<Admitted, AdmissionError> {
        match &entry {
            Entry::Requests(signed) => self.admit_requests(signed)?,
            Entry::Approval(signed) => {
                self.admit_device(signed, signed.body.cluster, &signed.body.person, &signed.body.device)?
            }
            Entry::Veto(signed) => {
                self.admit_device(signed, signed.body.cluster, &signed.body.person, &signed.body.device)?
            }
            Entry::Freeze(signed) => {
                self.admit_device(signed, signed.body.cluster, &signed.body.person, &signed.body.device)?
            }
            Entry::Price(signed) => self.admit_price(signed)?,
            Entry::Settlement(signed) => self.admit_node(signed, signed.body.cluster)?,
            Entry::Key(signed) => self.admit_node(signed, signed.body.cluster)?,
            Entry::Renew(signed) => self.admit_node(signed, signed.body.cluster)?,
            Entry::Simulation(signed) => self.admit_node(signed, signed.body.cluster)?,
            Entry::Finding(signed) => self.admit_node(signed, signed.body.cluster)?,
            Entry::Witness(it) => self.admit_witness(it)?,
            Entry::Tick => {}
            Entry::Rebuild(_) => return Err(AdmissionError::Rebuild),
        }
        Ok(Admitted { entry, roster: self.policy.roster_digest })
    }

    fn admit_requests(&self, signed: &Signed<RequestBatch>) -> Result<(), AdmissionError> {
        let found = signed.body.intents.len();
        if found == 0 || found > MAX_BATCH_INTENTS {
            return Err(AdmissionError::BatchSize { limit: MAX_BATCH_INTENTS, found });
        }
        for intent in &signed.body.intents {
            self.our_cluster(intent.cluster)?;
            if intent.requester != signed.signer {
                let (signer, requester) = (signed.signer.clone(), intent.requester.clone());
                return Err(AdmissionError::Requester { signer, requester });
            }
            intent.check()?;
        }
        let keys = self.requester_keys(&signed.signer);
        verify_any(signed, &keys)
    }

    fn requester_keys(&self, name: &Name) -> Vec<&HybridPublicKey> {
        let roster = self.roster();
        let service = roster.service(name).map(|it| &it.key);
        let devices =
            roster.person(name).into_iter().flat_map(|it| it.devices.iter().map(|device| &device.key));
        service.into_iter().chain(devices).collect()
    }

    fn admit_device<T: Canonical>(
        &self,
        signed: &Signed<T>,
        cluster: ClusterId,
        person: &Name,
        device: &Name,
    ) -> Result<(), AdmissionError> {
        self.our_cluster(cluster)?;
        if &signed.signer != person {
            let (signer, requester) = (signed.signer.clone(), person.clone());
            return Err(AdmissionError::Requester { signer, requester });
        }
        let key: Vec<_> = self.roster().device(person, device).map(|it| &it.key).into_iter().collect();
        verify_any(signed, &key)
    }

    /// A receipt is of one key of one cluster, so its digest binds both. Nobody signed where the word belongs: it enters only
    /// beside its receipt, so that nobody fills the log with it. A receipt stays, and what was admitted once is in each later state.
    fn admit_witness(&self, entry: &WitnessWord) -> Result<(), AdmissionError> {
        let WitnessWord { key, node, word } = entry;
        if self.receipt(key, node).is_none_or(|it| it.digest() != word.body.receipt) {
            return Err(AdmissionError::Receipt { key: key.clone(), node: node.clone() });
        }
        let person = self.roster().person(&word.signer);
        let keys: Vec<_> = person.into_iter().flat_map(|it| it.devices.iter().map(|it| &it.key)).collect();
        verify_any(word, &keys)
    }

    fn admit_price(&self, signed: &Signed<keystead_policy::Price>) -> Result<(), AdmissionError> {
        let sources = self.policy.engine.version().prices.iter().flat_map(|rule| rule.sources.iter());
        let key: Vec<_> = sources.filter(|it| it.name == signed.signer).map(|it| &it.key).collect();
        verify_any(signed, &key)
    }

    fn admit_node<T: Canonical>(&self, signed: &Signed<T>, cluster: ClusterId) -> Result<(), AdmissionError> {
        self.our_cluster(cluster)?;
        let key: Vec<_> = self.roster().node(&signed.signer).map(|it| &it.key).into_iter().collect();
        verify_any(signed, &key)
    }

    fn our_cluster(&self, found: ClusterId) -> Result<(), AdmissionError> {
        if found == self.cluster {
            Ok(())
        } else {
            Err(AdmissionError::Cluster { expected: self.cluster, found })
        }
    }
}

fn verify_any<T: Canonical>(signed: &Signed<T>, keys: &[&HybridPublicKey]) -> Result<(), AdmissionError> {
    let mut failure = None;
    for key in keys {
        match signed.verify(key) {
            Ok(_) => return Ok(()),
            Err(error) => failure = Some(error),
        }
    }
    let signer = signed.signer.clone();
    Err(match failure {
        Some(error) => AdmissionError::Signature { signer, error },
        None => AdmissionError::Unknown { signer },
    })
}

/// Why an entry is not even looked at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmissionError {
    /// Signed for another cluster.
    #[error("this cluster is {expected}, the document is for {found}")]
    Cluster {
        /// This cluster.
        expected: ClusterId,
        /// The one named.
        found: ClusterId,
    },
    /// Not in the roster, or not in the right part of it.
    #[error("{signer} has no key in the roster for this kind of document")]
    Unknown {
        /// Who claims to have signed.
        signer: Name,
    },
    /// Signed by one and in the name of another.
    #[error("signed by {signer} in the name of {requester}")]
    Requester {
        /// Who signed.
        signer: Name,
        /// In whose name.
        requester: Name,
    },
    /// The signature fails.
    #[error("the signature of {signer}: {error}")]
    Signature {
        /// Who claims to have signed.
        signer: Name,
        /// Which half fails.
        error: SignatureError,
    },
    /// Empty or too many.
    #[error("a batch has 1 to {limit} requests, found {found}")]
    BatchSize {
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// A witness's word beside a receipt that it is not over.
    #[error("the word is over no receipt of node `{node}` for key `{key}` in the log")]
    Receipt {
        /// The key named.
        key: Name,
        /// The node named.
        node: Name,
    },
    /// A rebuild, in a log that awaits none.
    #[error("a rebuild is no entry of a log that goes on: new nodes await it, and begin with it")]
    Rebuild,
    /// A request outside its limits.
    #[error(transparent)]
    Intent(#[from] IntentError),
}

impl Coded for AdmissionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Cluster { .. } => "admission.cluster",
            Self::Unknown { .. } => "admission.unknown",
            Self::Requester { .. } => "admission.requester",
            Self::Signature { .. } => "admission.signature",
            Self::BatchSize { .. } => "admission.batch_size",
            Self::Receipt { .. } => "admission.receipt",
            Self::Rebuild => "admission.rebuild",
            Self::Intent(error) => error.code(),
        }
    }

    fn blame(&self) -> Blame {
        Blame::Caller
    }
}
