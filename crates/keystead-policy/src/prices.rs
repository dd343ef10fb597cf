//! What things are worth: the latest verified price of each source, and the one that k of m agree on.

use alloy_primitives::U256;
use borsh::{BorshDeserialize, BorshSerialize};
use imbl::OrdMap;
use keystead_base::{Amount, Blame, Coded, Name, SignatureError, Signed, Timestamp};
use keystead_intent::{Asset, ChainId};

use crate::limits::MAX_SOURCES;
use crate::{Price, PriceRule, Reason};

/// The most prices of one source that are kept, so that no source takes the room of others.
pub const MAX_PRICES_PER_SOURCE: usize = 1024;
/// The most prices that are kept, over all sources and assets.
pub const MAX_PRICES: usize = MAX_PRICES_PER_SOURCE * MAX_SOURCES;
/// The most decimals that a price may speak of: 2^64 × 10^36 fits 256 bits.
pub const MAX_PRICE_DECIMALS: u8 = 36;

/// The latest price of each source for each asset. Cheap to clone.
///
/// Canonical bytes: those of a Borsh map, keys ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    latest: OrdMap<PriceKey, Price>,
}

type PriceKey = (Name, ChainId, Asset);

impl Prices {
    /// Takes over a price, if it is newer than the source's last one.
    ///
    /// # Errors
    ///
    /// [`PriceError`] says why the price does not count; nothing has changed then.
    pub fn insert(&mut self, signed: &Signed<Price>, rule: &PriceRule) -> Result<(), PriceError> {
        let price = &signed.body;
        let source = rule
            .sources
            .iter()
            .find(|source| source.name == signed.signer)
            .ok_or_else(|| PriceError::Source { found: signed.signer.clone() })?;
        check_shape(price, rule)?;
        let key = (source.name.clone(), price.chain, price.asset);
        match self.latest.get(&key) {
            Some(last) if last.at >= price.at => {
                return Err(PriceError::NotNewer { last: last.at, found: price.at });
            }
            None if self.count_of(&source.name) >= MAX_PRICES_PER_SOURCE => {
                return Err(PriceError::TooMany { limit: MAX_PRICES_PER_SOURCE });
            }
            Some(_) | None => {}
        }
        signed.verify(&source.key).map_err(PriceError::Signature)?;
        self.forget_others(rule);
        self.latest.insert(key, price.clone());
        Ok(())
    }

    /// The price that limits count with.
    ///
    /// Of the fresh prices, the `agree` that lie closest together, and of those the highest: as
    /// long as one of these is honest, liars cannot push the price below the lowest honest one.
    ///
    /// # Errors
    ///
    /// [`Reason`]: too few prices, too few fresh ones, or too wide a spread.
    pub fn quote(
        &self,
        rule: &PriceRule,
        chain: ChainId,
        asset: Asset,
        now: Timestamp,
    ) -> Result<Quote, Box<Reason>> {
        let known: Vec<&Price> = rule
            .sources
            .iter()
            .filter_map(|source| self.latest.get(&(source.name.clone(), chain, asset)))
            .filter(|price| price.currency == rule.currency)
            .collect();
        let oldest = now.minus_seconds(rule.max_age_seconds);
        let mut fresh: Vec<U256> =
            known.iter().filter(|price| price.at >= oldest && price.at <= now).map(|it| scaled(it)).collect();
        fresh.sort_unstable();
        let needed = rule.agree;
        if count(known.len()) < needed {
            return Err(Box::new(Reason::PriceMissing { chain, asset, needed, found: count(known.len()) }));
        }
        closest(&fresh, needed, rule.max_spread_bps).map_err(|disagreement| {
            Box::new(match disagreement {
                Disagreement::TooFew => {
                    Reason::PriceStale { chain, asset, needed, fresh: count(fresh.len()) }
                }
                Disagreement::Spread => Reason::PriceSpread { chain, asset, limit_bps: rule.max_spread_bps },
            })
        })
    }

    /// Of the prices that a node `held`, the first that this table does not know of and that is further than the
    /// rule tolerates from the source's price here. Their signatures are verified already.
    ///
    /// Where there is no price of the source here, or only an old one, nothing deviates: what needs it is denied.
    pub fn deviation<'a>(
        &self,
        mut held: impl Iterator<Item = &'a Signed<Price>>,
        rule: &PriceRule,
        now: Timestamp,
    ) -> Option<Deviation> {
        held.find_map(|signed| self.deviates(signed, rule, now))
    }

    fn deviates(&self, signed: &Signed<Price>, rule: &PriceRule, now: Timestamp) -> Option<Deviation> {
        let (held, source) = (&signed.body, &signed.signer);
        let counted = self.latest.get(&(source.clone(), held.chain, held.asset))?;
        let oldest = now.minus_seconds(rule.max_age_seconds);
        let is_fresh = |price: &Price| price.at >= oldest && price.at <= now;
        let is_named = rule.sources.iter().any(|it| it.name == *source) && check_shape(held, rule).is_ok();
        let is_news = is_named && held.at > counted.at && is_fresh(held) && is_fresh(counted);
        let (one, other) = (scaled(held), scaled(counted));
        let (low, high) = (one.min(other), one.max(other));
        let apart = high.saturating_sub(low).saturating_mul(U256::from(10_000_u32));
        let is_far = apart > low.saturating_mul(U256::from(rule.tolerance_bps));
        (is_news && is_far).then(|| Deviation {
            source: source.clone(),
            chain: held.chain,
            asset: held.asset,
            held: held.at,
            counted: counted.at,
        })
    }

    fn count_of(&self, source: &Name) -> usize {
        let first = (source.clone(), ChainId(0), Asset::Native);
        let own = self.latest.range(first..).take_while(|((name, ..), _)| name == source);
        own.take(MAX_PRICES_PER_SOURCE).count()
    }

    /// Makes room when the table is full: sources that the policy names no more.
    fn forget_others(&mut self, rule: &PriceRule) {
        if self.latest.len() >= MAX_PRICES {
            let named = |name: &Name| rule.sources.iter().any(|source| &source.name == name);
            let latest = std::mem::take(&mut self.latest);
            self.latest = latest.into_iter().filter(|((name, ..), _)| named(name)).collect();
        }
    }

    /// How many prices are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.latest.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }
}

/// A price that a node holds, and that the log leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The source of both prices.
    pub source: Name,
    /// The chain.
    pub chain: ChainId,
    /// The asset.
    pub asset: Asset,
    /// The moment of the price that the node holds.
    pub held: Timestamp,
    /// The moment of the price that the log counts with.
    pub counted: Timestamp,
}

/// What one asset is worth at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// Micro-units of fiat for 10^36 base units.
    scaled: U256,
}

impl Quote {
    /// The worth of `amount` base units in micro-units of fiat, rounded up, held at the maximum:
    /// both err to deny.
    #[must_use]
    pub fn worth(&self, amount: Amount) -> Amount {
        let Some(product) = amount.0.checked_mul(self.scaled) else { return Amount::MAX };
        let unit = power_of_ten(MAX_PRICE_DECIMALS);
        let (whole, rest) = product.div_rem(unit);
        Amount(if rest.is_zero() { whole } else { whole.saturating_add(U256::ONE) })
    }
}

enum Disagreement {
    TooFew,
    Spread,
}

/// The highest of the `needed` ascending prices that lie closest together.
fn closest(ascending: &[U256], needed: u32, max_spread_bps: u32) -> Result<Quote, Disagreement> {
    let width = usize::try_from(needed).unwrap_or(usize::MAX).max(1);
    let best = ascending
        .windows(width)
        .filter_map(|group| Some((*group.first()?, *group.last()?)))
        .min_by_key(|(low, high)| (high.saturating_sub(*low), std::cmp::Reverse(*high)))
        .ok_or(Disagreement::TooFew)?;
    let (low, high) = best;
    let spread = high.saturating_sub(low).saturating_mul(U256::from(10_000_u32));
    if spread > low.saturating_mul(U256::from(max_spread_bps)) {
        return Err(Disagreement::Spread);
    }
    Ok(Quote { scaled: high })
}

fn check_shape(price: &Price, rule: &PriceRule) -> Result<(), PriceError> {
    if price.currency != rule.currency {
        return Err(PriceError::Currency { expected: rule.currency.clone(), found: price.currency.clone() });
    }
    if price.decimals > MAX_PRICE_DECIMALS {
        return Err(PriceError::Decimals { limit: MAX_PRICE_DECIMALS, found: price.decimals });
    }
    if price.micro_per_unit == 0 { Err(PriceError::Zero) } else { Ok(()) }
}

fn scaled(price: &Price) -> U256 {
    let missing = MAX_PRICE_DECIMALS.saturating_sub(price.decimals);
    U256::from(price.micro_per_unit).saturating_mul(power_of_ten(missing))
}

fn power_of_ten(exponent: u8) -> U256 {
    U256::from(10_u8).saturating_pow(U256::from(exponent))
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

impl BorshSerialize for Prices {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        let pairs: Vec<(&PriceKey, &Price)> = self.latest.iter().collect();
        pairs.serialize(writer)
    }
}

impl BorshDeserialize for Prices {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let map = std::collections::BTreeMap::<PriceKey, Price>::deserialize_reader(reader)?;
        if map.len() > MAX_PRICES {
            let text = format!("at most {MAX_PRICES} prices are kept, found {}", map.len());
            return Err(borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, text));
        }
        Ok(Self { latest: map.into_iter().collect() })
    }
}

/// Why a price is not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// Not one of the named sources.
    #[error("`{found}` is not a price source of the policy")]
    Source {
        /// Who signed.
        found: Name,
    },
    /// Another currency.
    #[error("prices are in {expected}, found {found}")]
    Currency {
        /// The policy's.
        expected: String,
        /// The price's.
        found: String,
    },
    /// More decimals than fit.
    #[error("a price speaks of at most {limit} decimals, found {found}")]
    Decimals {
        /// The limit.
        limit: u8,
        /// The number found.
        found: u8,
    },
    /// A price of nothing would make every limit void.
    #[error("a price is above zero; speak of a larger unit")]
    Zero,
    /// Not newer than the last one.
    #[error("the last price is of {last}, found one of {found}")]
    NotNewer {
        /// The moment of the last price.
        last: Timestamp,
        /// The moment of this one.
        found: Timestamp,
    },
    /// The source's signature fails.
    #[error("the source's signature fails: {0}")]
    Signature(SignatureError),
    /// The source has used up its room.
    #[error("at most {limit} prices of one source are kept")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl Coded for PriceError {
    fn code(&self) -> &'static str {
        match self {
            Self::Source { .. } => "price.source",
            Self::Currency { .. } => "price.currency",
            Self::Decimals { .. } => "price.decimals",
            Self::Zero => "price.zero",
            Self::NotNewer { .. } => "price.not_newer",
            Self::Signature(_) => "price.signature",
            Self::TooMany { .. } => "price.too_many",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Peer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{CHAIN, ETHER, NOW, name, price, price_rule, signer};

    const ETH: Asset = Asset::Native;

    fn prices(of: &[(&str, u8, u64)]) -> Prices {
        let mut prices = Prices::default();
        for (source, byte, dollars) in of {
            prices.insert(&price(source, *byte, *dollars, NOW), &price_rule()).unwrap();
        }
        prices
    }

    #[test]
    fn the_closest_sources_count_and_of_these_the_highest() {
        let one = Amount::from(ETHER);
        for (of, expected) in [
            (vec![("alpha", 51, 2000), ("beta", 52, 2010), ("gamma", 53, 2100)], Ok(2010)),
            (vec![("alpha", 51, 1), ("beta", 52, 2010), ("gamma", 53, 2000)], Ok(2010)),
            (vec![("alpha", 51, 2000), ("beta", 52, 2010), ("gamma", 53, 2020)], Ok(2020)),
            (vec![("alpha", 51, 2000), ("beta", 52, 2020)], Ok(2020)),
            (vec![("alpha", 51, 2000), ("beta", 52, 2021)], Err("deny.price_spread")),
            (vec![("alpha", 51, 2000)], Err("deny.price_missing")),
            (vec![], Err("deny.price_missing")),
        ] {
            let quote = prices(&of).quote(&price_rule(), CHAIN, ETH, NOW);
            let found = quote.map(|it| it.worth(one)).map_err(|reason| reason.code());
            assert_eq!(found, expected.map(|dollars: u64| Amount::from(dollars * 1_000_000)), "{of:?}");
        }
    }

    #[test]
    fn old_prices_and_those_of_the_future_do_not_count() {
        let prices = prices(&[("alpha", 51, 2000), ("beta", 52, 2000)]);
        for (now, fresh) in [
            (NOW, true),
            (NOW.plus_seconds(60), true),
            (NOW.plus_seconds(61), false),
            (NOW.minus_seconds(1), false),
        ] {
            let found = prices.quote(&price_rule(), CHAIN, ETH, now).map_err(|reason| reason.code());
            assert_eq!(found.is_ok(), fresh, "{now}: {found:?}");
        }
    }

    #[test]
    fn a_price_counts_once_and_from_its_source_only() {
        let later = NOW.plus_seconds(1);
        let mut currency = price("alpha", 51, 1, later);
        currency.body.currency = "EUR".to_owned();
        let mut forged = price("alpha", 51, 1, later);
        forged.body.micro_per_unit = 2;
        let mut zero = price("alpha", 51, 1, later);
        zero.body.micro_per_unit = 0;
        let mut decimals = price("alpha", 51, 1, later);
        decimals.body.decimals = 37;
        for (signed, code) in [
            (price("alpha", 51, 1, NOW), "price.not_newer"),
            (price("alpha", 52, 1, later), "price.signature"),
            (price("delta", 51, 1, later), "price.source"),
            (currency, "price.currency"),
            (forged, "price.signature"),
            (zero, "price.zero"),
            (decimals, "price.decimals"),
        ] {
            let mut prices = prices(&[("alpha", 51, 2000)]);
            let before = prices.clone();
            assert_eq!(prices.insert(&signed, &price_rule()).unwrap_err().code(), code);
            assert_eq!(prices, before);
        }
    }

    #[test]
    fn s10_only_a_newer_fresh_price_that_is_too_far_away_deviates() {
        let rule = price_rule();
        let held = |dollars, at| price("alpha", 51, dollars, at);
        let later = NOW.plus_seconds(5);
        let mut currency = held(3000, later);
        currency.body.currency = "EUR".to_owned();
        for (what, held, now, deviates) in [
            ("within", held(2040, later), later, false),
            ("above", held(2041, later), later, true),
            ("below", held(1960, later), later, true),
            ("the very edge below", held(1961, later), later, false),
            ("the same moment", held(3000, NOW), later, false),
            ("older", held(3000, NOW.minus_seconds(1)), later, false),
            ("of the future", held(3000, later), NOW, false),
            ("stale", held(3000, later), later.plus_seconds(61), false),
            ("only the log's is stale", held(3000, later), NOW.plus_seconds(61), false),
            ("a source without a price here", price("beta", 52, 3000, later), later, false),
            ("no source of the rule", price("delta", 51, 3000, later), later, false),
            ("another currency", currency, later, false),
        ] {
            let found = prices(&[("alpha", 51, 2000)]).deviation([&held].into_iter(), &rule, now);
            assert_eq!(found.is_some(), deviates, "{what}: {found:?}");
        }
    }

    #[test]
    fn no_source_takes_the_room_of_others() {
        let mut table = prices(&[("alpha", 51, 1)]);
        let one = price("alpha", 51, 1, NOW).body;
        let more = (0..).map(|n| ((name("alpha"), ChainId(n + 2), ETH), one.clone()));
        table.latest.extend(more.take(MAX_PRICES_PER_SOURCE - 1));
        let mut another = price("alpha", 51, 1, NOW).body;
        another.chain = ChainId(u64::MAX);
        let another = Signed::new(another, name("alpha"), &signer(51)).unwrap();
        assert_eq!(table.insert(&another, &price_rule()).unwrap_err().code(), "price.too_many");
        assert_eq!(table.insert(&price("alpha", 51, 2, NOW.plus_seconds(1)), &price_rule()), Ok(()));
        assert_eq!(table.insert(&price("beta", 52, 2, NOW), &price_rule()), Ok(()));
        assert_eq!(table.len(), MAX_PRICES_PER_SOURCE + 1);
    }

    #[test]
    fn worth_is_rounded_up_and_held() {
        let mut rule = price_rule();
        rule.agree = 1;
        let quote = prices(&[("alpha", 51, 3)]).quote(&rule, CHAIN, ETH, NOW).unwrap();
        for (wei, micro) in
            [(0, 0_u64), (1, 1), (ETHER / 3_000_000, 1), (ETHER / 3_000_000 + 1, 2), (ETHER, 3_000_000)]
        {
            assert_eq!(quote.worth(Amount::from(wei)), Amount::from(micro), "{wei}");
        }
        assert_eq!(quote.worth(Amount::MAX), Amount::MAX);
    }

    #[test]
    fn the_table_has_one_encoding() {
        let one = prices(&[("alpha", 51, 1), ("beta", 52, 2)]);
        let other = prices(&[("beta", 52, 2), ("alpha", 51, 1)]);
        let bytes = borsh::to_vec(&one).unwrap();
        assert_eq!(borsh::to_vec(&other).unwrap(), bytes);
        assert_eq!(borsh::from_slice::<Prices>(&bytes).unwrap(), one);
        assert_eq!((one.len(), one.is_empty()), (2, false));
    }
}
