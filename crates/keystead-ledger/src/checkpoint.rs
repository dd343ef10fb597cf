//! Checkpoints: size and root of the log, signed by the nodes of its roster (C2SP tlog-checkpoint).

use keystead_base::{ClusterId, Digest, HybridPublicKey, HybridSigner, Name};
use keystead_decision::{Genesis, LightClient, SignedGenesis, Transition};
use keystead_policy::Roster;
use tlog_tiles::Hash;

use crate::LogError;
use crate::note::{Lines, SignError, Statement, hybrid};

/// Size and root of the log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: see [`origin`].
    pub origin: String,
    /// How many headers.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
}

impl Checkpoint {
    /// The three lines that are signed.
    #[must_use]
    pub fn text(&self) -> String {
        // `Hash` shows itself in base64, as the form demands.
        format!("{}\n{}\n{}\n", self.origin, self.size, Hash(self.root.0))
    }

    fn parse(text: &str) -> Result<Self, LogError> {
        let malformed = |reason| LogError::Malformed { reason };
        let parsed = tlog_tiles::Checkpoint::from_bytes(text.as_bytes())
            .map_err(|_| malformed("expected an origin, a size and a root"))?;
        if !parsed.extension().is_empty() {
            return Err(malformed("extension lines mean nothing here"));
        }
        if parsed.size() > MAX_SIZE {
            return Err(malformed("larger than any log"));
        }
        Ok(Self { origin: parsed.origin().to_owned(), size: parsed.size(), root: Digest(parsed.hash().0) })
    }
}

/// The origin line of a cluster's log: `keystead/<name>/<first 16 hex digits of the cluster's id>`.
#[must_use]
pub fn origin(name: &Name, cluster: ClusterId) -> String {
    let id: String = cluster.to_string().chars().take(16).collect();
    format!("keystead/{name}/{id}")
}

/// A checkpoint with signature lines. Parsed is not verified: see [`SignedCheckpoint::verify`].
#[derive(Clone, Debug, PartialEq)]
pub struct SignedCheckpoint {
    body: Checkpoint,
    pub(crate) lines: Lines,
}

impl SignedCheckpoint {
    /// Signs a checkpoint as a node of the log.
    ///
    /// # Errors
    ///
    /// [`SignError`] when the library fails to sign.
    pub fn sign(body: Checkpoint, key: &HybridSigner) -> Result<Self, SignError> {
        let mut signed = Self { lines: Lines::new(body.text()), body };
        signed.add(key)?;
        Ok(signed)
    }

    /// Adds the two lines of another node of the log.
    ///
    /// # Errors
    ///
    /// [`SignError`] when the library fails to sign.
    pub fn add(&mut self, key: &HybridSigner) -> Result<(), SignError> {
        let text = self.lines.text.clone();
        self.lines.sign(Statement::Log, &self.body.origin, key, text.as_bytes(), &[])
    }

    /// Parses a note.
    ///
    /// # Errors
    ///
    /// [`LogError::Malformed`] says what is wrong.
    pub fn parse(note: &str) -> Result<Self, LogError> {
        let lines = Lines::parse(note)?;
        Ok(Self { body: Checkpoint::parse(&lines.text)?, lines })
    }

    /// The note.
    #[must_use]
    pub fn to_note(&self) -> String {
        self.lines.to_note()
    }

    /// What is said, whoever signed it.
    #[must_use]
    pub fn body(&self) -> &Checkpoint {
        &self.body
    }

    /// Verifies that a quorum of the log's nodes signed, each with both halves of its key.
    ///
    /// # Errors
    ///
    /// [`LogError`] names the node whose signature fails, or says how many are missing.
    pub fn verify(&self, keys: &LogKeys) -> Result<&Checkpoint, LogError> {
        if self.body.origin != keys.origin {
            let (expected, found) = (keys.origin.clone(), self.body.origin.clone());
            return Err(LogError::Origin { expected, found });
        }
        let mut found = 0;
        for (node, key) in &keys.nodes {
            let named = |error| LogError::Signature { node: node.to_string(), error };
            let Some((first, second)) = self.lines.halves(Statement::Log, &self.body.origin, key)? else {
                continue;
            };
            let signature = hybrid(first, second)
                .ok_or(LogError::Malformed { reason: "a signature has another length" })?;
            key.verify(self.lines.text.as_bytes(), &signature).map_err(named)?;
            found += 1;
        }
        let expected = keys.quorum.max(1);
        if found < expected { Err(LogError::Quorum { expected, found }) } else { Ok(&self.body) }
    }

    /// Whether it has the two lines of one signer and no more. What a single node answers has; anything else in it
    /// would be carried along by whoever gathers, until no honest line finds room.
    #[must_use]
    pub fn is_of_one(&self) -> bool {
        self.lines.count() == 2
    }

    /// Takes over the signatures of another checkpoint that says the same; of one that says something else, none.
    #[must_use]
    pub fn with_signatures_of(&self, other: &Self) -> Self {
        let note = other.to_note();
        let lines = note.strip_prefix(&self.lines.text).and_then(|rest| rest.strip_prefix('\n'));
        lines.and_then(|lines| self.with_lines(lines).ok()).unwrap_or_else(|| self.clone())
    }

    /// Takes over lines that somebody added to the same text: a witness's answer.
    ///
    /// # Errors
    ///
    /// [`LogError::Malformed`] when they are no signature lines.
    pub fn with_lines(&self, lines: &str) -> Result<Self, LogError> {
        Self::parse(&format!("{}{lines}", self.to_note()))
    }
}

/// Whose signatures make a checkpoint of this log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    /// The log's origin line.
    pub origin: String,
    /// How many nodes have to sign.
    pub quorum: u32,
    /// The nodes.
    pub nodes: Vec<(Name, HybridPublicKey)>,
}

impl LogKeys {
    /// The nodes of a roster.
    #[must_use]
    pub fn of(genesis: &Genesis, roster: &Roster) -> Self {
        Self {
            origin: origin(&genesis.name, genesis.cluster()),
            quorum: roster.quorum,
            nodes: roster.nodes.iter().map(|node| (node.name.clone(), node.key.clone())).collect(),
        }
    }

    /// The nodes after these changes of policy, each committed by the roster before it.
    ///
    /// # Errors
    ///
    /// [`LogError::Light`] names the change that does not verify.
    pub fn follow(
        signed: &SignedGenesis,
        pinned: ClusterId,
        transitions: &[Transition],
    ) -> Result<Self, LogError> {
        let mut client = LightClient::new(signed, pinned)?;
        for transition in transitions {
            client.follow(transition)?;
        }
        Ok(Self::of(&signed.genesis, client.roster()))
    }
}

/// The largest size of a log: it fits the databases' signed numbers.
const MAX_SIZE: u64 = i64::MAX as u64;

#[cfg(test)]
mod tests {
    use keystead_base::{Coded as _, HYBRID_SEED_BYTES, Secret};
    use signed_note::{Note, StandardVerifier, VerifierList};

    use super::*;
    use crate::note::verifier_key;

    fn signer(byte: u8) -> HybridSigner {
        HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).unwrap()
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint { origin: "keystead/hot/0123456789abcdef".to_owned(), size: 7, root: Digest([9; 32]) }
    }

    fn keys(quorum: u32, signers: &[&HybridSigner]) -> LogKeys {
        let nodes = (0..)
            .zip(signers)
            .map(|(n, it): (u8, _)| (format!("node-{n}").parse().unwrap(), it.public().clone()));
        LogKeys { origin: checkpoint().origin, quorum, nodes: nodes.collect() }
    }

    #[test]
    fn l1_a_checkpoint_is_believed_from_a_quorum_only() {
        let (a, b, c) = (signer(1), signer(2), signer(3));
        let mut signed = SignedCheckpoint::sign(checkpoint(), &a).unwrap();
        let trusted = keys(2, &[&a, &b]);
        assert_eq!(signed.verify(&trusted).unwrap_err().code(), "log.quorum");
        signed.add(&c).unwrap();
        assert_eq!(signed.verify(&trusted).unwrap_err().code(), "log.quorum");
        signed.add(&b).unwrap();
        let parsed = SignedCheckpoint::parse(&signed.to_note()).unwrap();
        assert_eq!(parsed, signed);
        assert_eq!(parsed.verify(&trusted).unwrap(), &checkpoint());
        let other = LogKeys { origin: "keystead/other/0123456789abcdef".to_owned(), ..trusted };
        assert_eq!(parsed.verify(&other).unwrap_err().code(), "log.origin");
    }

    #[test]
    fn l1_signatures_of_the_same_checkpoint_are_gathered() {
        let (a, b) = (signer(1), signer(2));
        let own = SignedCheckpoint::sign(checkpoint(), &a).unwrap();
        let theirs = SignedCheckpoint::sign(checkpoint(), &b).unwrap();
        let both = own.with_signatures_of(&theirs);
        assert_eq!(both.verify(&keys(2, &[&a, &b])).unwrap(), &checkpoint());
        let other = Checkpoint { size: 8, ..checkpoint() };
        let unfit = SignedCheckpoint::sign(other, &b).unwrap();
        assert_eq!(own.with_signatures_of(&unfit), own);
        assert!(own.is_of_one() && theirs.is_of_one() && !both.is_of_one());
    }

    #[test]
    fn q1_one_line_of_a_pair_is_no_signature() {
        let a = signer(1);
        let note = SignedCheckpoint::sign(checkpoint(), &a).unwrap().to_note();
        let lines: Vec<&str> = note.lines().collect();
        let (text, signatures) = lines.split_at(4);
        for kept in signatures {
            let note = format!("{}\n{kept}\n", text.join("\n"));
            let parsed = SignedCheckpoint::parse(&note).unwrap();
            assert_eq!(parsed.verify(&keys(1, &[&a])).unwrap_err().code(), "log.half");
        }
    }

    #[test]
    fn l2_another_size_or_root_under_the_same_lines_fails() {
        let a = signer(1);
        let note = SignedCheckpoint::sign(checkpoint(), &a).unwrap().to_note();
        let changed = note.replacen("\n7\n", "\n8\n", 1);
        let parsed = SignedCheckpoint::parse(&changed).unwrap();
        assert_eq!(parsed.verify(&keys(1, &[&a])).unwrap_err().code(), "log.signature");
    }

    #[test]
    fn the_ed25519_line_is_one_that_other_programs_verify() {
        let a = signer(1);
        let note = SignedCheckpoint::sign(checkpoint(), &a).unwrap().to_note();
        let verifier = StandardVerifier::new(&verifier_key(&checkpoint().origin, a.public())).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier)]);
        let (verified, other) = Note::from_bytes(note.as_bytes()).unwrap().verify(&known).unwrap();
        assert_eq!((verified.len(), other.len()), (1, 1));
    }

    #[test]
    fn what_is_no_checkpoint_is_refused() {
        let good = SignedCheckpoint::sign(checkpoint(), &signer(1)).unwrap().to_note();
        let extended = good.replacen("\n\n", "\nextension\n\n", 1);
        let huge = good.replacen("\n7\n", "\n9223372036854775808\n", 1);
        for bad in
            ["", "a\n", "a\n1\nAAAA\n\n", &extended, &huge, &good[..good.len() - 3], &good.replace('7', "07")]
        {
            assert_eq!(SignedCheckpoint::parse(bad).unwrap_err().code(), "log.malformed");
        }
    }
}
