//! From how many blocks on one of Bitcoin's is final: nothing on the chain says so, and so people do.

use borsh::{BorshDeserialize, BorshSerialize};
use keystead_intent::ChainId;
use serde::{Deserialize, Serialize};

use crate::limits::MAX_INNER;
use crate::structure::{Known, ascending, at_most, not_zero, unknown, within};
use crate::{PolicyError, PolicyVersion};

/// How many blocks make one final on one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BitcoinFinality {
    /// The network.
    pub chain: ChainId,
    /// With so many blocks on it, itself included.
    pub confirmations: u32,
}

impl PolicyVersion {
    /// With how many blocks on it, itself included, a block of a network of Bitcoin's is final; [`DEFAULT_CONFIRMATIONS`] where
    /// nobody said. A node may wait for more, and never for less.
    #[must_use]
    pub fn confirmations(&self, chain: ChainId) -> u32 {
        let mut listed = self.bitcoin.iter().flat_map(|it| &it.finality).filter(|it| it.chain == chain);
        listed.next().map_or(DEFAULT_CONFIRMATIONS, |it| it.confirmations)
    }
}

pub(crate) fn check(rules: &[BitcoinFinality], known: &Known) -> Result<(), PolicyError> {
    at_most("the list of final blocks", rules.len(), MAX_INNER)?;
    ascending("final blocks", rules.iter().map(|it| it.chain))?;
    rules.iter().try_for_each(|it| {
        known.check_chain("final blocks", it.chain)?;
        if it.chain.bitcoin().is_none() {
            return Err(unknown("final blocks", "network of Bitcoin's", it.chain));
        }
        not_zero("the confirmations of", it.chain, it.confirmations.into())?;
        within("the confirmations of a block", it.confirmations.into(), MAX_CONFIRMATIONS)
    })
}

/// What most of those wait for who take bitcoin for goods.
pub const DEFAULT_CONFIRMATIONS: u32 = 6;
/// A week of blocks.
const MAX_CONFIRMATIONS: u64 = 1_008;

#[cfg(test)]
mod tests {
    use keystead_base::Coded as _;

    use super::*;
    use crate::fixture::version;
    use crate::{BitcoinTerms, Engine};

    #[test]
    fn s10_policy_says_when_a_block_of_bitcoin_is_final() {
        let (regtest, mainnet) = (ChainId::BITCOIN_REGTEST, ChainId::BITCOIN_MAINNET);
        let with = |finality: &[(ChainId, u32)]| {
            let mut version = version();
            version.chains.extend([mainnet, regtest]);
            let listed = finality.iter().map(|(chain, confirmations)| BitcoinFinality {
                chain: *chain,
                confirmations: *confirmations,
            });
            version.bitcoin = Some(BitcoinTerms { finality: listed.collect(), ..BitcoinTerms::default() });
            version
        };
        let both = with(&[(mainnet, 3), (regtest, 1)]);
        assert_eq!([mainnet, regtest].map(|it| both.confirmations(it)), [3, 1]);
        assert_eq!(with(&[(mainnet, 3)]).confirmations(regtest), DEFAULT_CONFIRMATIONS);
        assert!(Engine::compile(both).is_ok());
        let ethereum = version().chains[0];
        for (finality, code) in [
            (vec![(mainnet, 0)], "policy.empty"),
            (vec![(mainnet, 1_009)], "policy.too_large"),
            (vec![(regtest, 6), (mainnet, 6)], "policy.order"),
            (vec![(mainnet, 6), (mainnet, 7)], "policy.order"),
            (vec![(ethereum, 6)], "policy.unknown"),
            (vec![(ChainId::BITCOIN_SIGNET, 6)], "policy.unknown"),
        ] {
            assert_eq!(Engine::compile(with(&finality)).unwrap_err().code(), code, "{finality:?}");
        }
    }
}
