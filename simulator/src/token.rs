//! Half of a node's key, in a token that somebody pulls out and puts back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keystead_base::{ClassicalHalf, HYBRID_SEED_BYTES, HybridSigner, KeyError, Secret};

use crate::faults::Fault;
use crate::simulation::{Event, Simulation};

/// The token of one node.
pub(crate) struct Token {
    half: HybridSigner,
    is_there: AtomicBool,
}

/// The trait's object: the simulation keeps hold of the token itself.
struct Slot(Arc<Token>);

impl Token {
    /// The token of a key that is made of this seed, and the signer that needs it.
    pub(crate) fn of(seed: &Secret<[u8; HYBRID_SEED_BYTES]>) -> (Arc<Self>, HybridSigner) {
        let half = HybridSigner::from_seed(seed).expect("a seed of a test");
        let token = Arc::new(Self { half, is_there: AtomicBool::new(true) });
        let quantum = Secret::new(*seed.expose().last_chunk().expect("the second half of a seed"));
        let signer = HybridSigner::from_halves(Arc::new(Slot(Arc::clone(&token))), &quantum);
        (token, signer.expect("a seed of a test"))
    }

    pub(crate) fn set(&self, is_there: bool) {
        self.is_there.store(is_there, Ordering::Relaxed);
    }
}

impl ClassicalHalf for Slot {
    fn public(&self) -> [u8; 32] {
        *self.0.half.public().ed25519()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        if !self.is_there() {
            return Err(KeyError::Away);
        }
        Ok(*self.0.half.sign(message)?.ed25519())
    }

    fn is_there(&self) -> bool {
        self.0.is_there.load(Ordering::Relaxed)
    }
}

impl Simulation {
    /// Draws when tokens go, from dice of their own, so that other seeds stay the runs that they were.
    pub(crate) fn schedule_tokens(&mut self) {
        if !self.plan.tokens {
            return;
        }
        for _ in 0..self.token_dice.between(10, 24) {
            let at = self.now + self.token_dice.between(3_000, 140_000);
            let pause = self.token_dice.between(10, 12_000);
            let node = self.token_dice.index(self.places.len());
            self.at(at, Event::Fault(Fault::Token(node, false)));
            self.at(at + pause, Event::Fault(Fault::Token(node, true)));
        }
    }
}
