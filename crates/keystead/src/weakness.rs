//! The search for weak generators, on all cores.

use std::thread;

use keystead_entropy::weak::{Family, WeakSeed, plain};

/// What is searched without being asked for more.
pub(crate) const AT_ONCE: &str = "patterns and low entropy; all seeds of Trust Wallet for iOS of 2018";
/// What is searched with `--all`.
pub(crate) const EVERYTHING: &str = "patterns and low entropy; all seeds of Trust Wallet for iOS of 2018, of Libbitcoin Explorer 3 (Milk Sad), \
                                     and of Trust Wallet's extension of 2022";

/// Searches a seed of 32 bytes.
pub(crate) fn search(entropy: &[u8; 32], all: bool) -> Result<(), WeakSeed> {
    plain(entropy)?;
    Family::Congruential.search(entropy, Family::Congruential.seeds())?;
    if all {
        everywhere(Family::MilkSad, entropy)?;
        everywhere(Family::TrustWallet, entropy)?;
    }
    Ok(())
}

/// All seeds of a family, a part of them on each core. A part ends at the first that is found in it.
fn everywhere(family: Family, entropy: &[u8; 32]) -> Result<(), WeakSeed> {
    let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
    let all = family.seeds();
    let part = (all.end - all.start).div_ceil(cores);
    let begins = (0..cores).map(|core| all.start + core * part);
    thread::scope(|scope| {
        let searches: Vec<_> = begins
            .map(|from| scope.spawn(move || family.search(entropy, from..(from + part).min(all.end))))
            .collect();
        searches.into_iter().try_for_each(|search| match search.join() {
            Ok(found) => found,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
}
