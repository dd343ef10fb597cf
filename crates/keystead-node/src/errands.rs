//! What is done for other nodes beside everything else: so much for each, so that none takes the others' places.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use keystead_base::Name;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of each node.
#[derive(Debug, Default)]
pub(crate) struct Errands(Mutex<BTreeMap<Name, Arc<Semaphore>>>);

impl Errands {
    /// A place of this node's, if one is free. Only nodes of a roster ask.
    pub(crate) fn place(&self, node: &Name) -> Option<OwnedSemaphorePermit> {
        let mut nodes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = nodes.entry(node.clone()).or_insert_with(|| Arc::new(Semaphore::new(MAX_ERRANDS)));
        Arc::clone(places).try_acquire_owned().ok()
    }
}

/// Things done for one node at once; what it asks beyond that is lost, and asked again.
const MAX_ERRANDS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d03_a_node_that_takes_all_its_places_takes_none_of_another_ones() {
        let errands = Errands::default();
        let (liar, honest) = ("node-1".parse().unwrap(), "node-2".parse().unwrap());
        let taken: Vec<_> = std::iter::from_fn(|| errands.place(&liar)).collect();
        assert_eq!(taken.len(), MAX_ERRANDS);
        assert!(errands.place(&honest).is_some());
        drop(taken);
        assert!(errands.place(&liar).is_some());
    }
}
