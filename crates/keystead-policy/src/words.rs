//! Reasons for people: amounts in the units that a limit counts in, with the symbols of the signed registry.

use keystead_base::{Amount, Name};
use keystead_intent::AssetIndex;

use crate::{AssuranceLevel, FeePart, Measure, PolicyVersion, Reason};

impl Reason {
    /// The reason with its amounts as people say them, base units beside them:
    /// `10 ETH (10000000000000000000 wei)`. `version` is the policy that gave the reason; what it does not
    /// explain stays in base units.
    #[must_use]
    pub fn words(&self, version: &PolicyVersion) -> String {
        match self {
            Self::CapExceeded { level, limit, asked } => {
                let units = Units::of_cap(version, *level, *limit);
                let (limit, asked) = (units.say(*limit), units.say_asked(*asked));
                format!("a key of level `{level}` may move at most {limit} at once, asked {asked}")
            }
            Self::AmountTooLarge { window, limit, asked } => {
                let units = Units::of_window(version, window);
                let (limit, asked) = (units.say(*limit), units.say_asked(*asked));
                format!("window `{window}` holds at most {limit}, asked {asked}")
            }
            Self::LimitExceeded { window, bucket, limit, used, asked } => {
                let units = Units::of_window(version, window);
                let (limit, used, asked) = (units.say(*limit), units.say(*used), units.say_asked(*asked));
                format!("window `{window}` ({bucket}) allows {limit}, used {used}, asked {asked}")
            }
            Self::FeeTooHigh { cap, part: FeePart::FeeFiat, limit, asked } => {
                let units = Units { version, measure: Some(Measure::Fiat) };
                let (limit, asked) = (units.say(*limit), units.say(*asked));
                format!("fee cap `{cap}` allows {limit}, asked {asked}")
            }
            other => other.to_string(),
        }
    }
}

impl PolicyVersion {
    /// An amount of a measure as people say it, base units beside it.
    #[must_use]
    pub fn amount(&self, measure: Measure, amount: Amount) -> String {
        Units { version: self, measure: Some(measure) }.say(amount)
    }

    /// What amounts of a measure are in, and how many of their digits stand after the point.
    #[must_use]
    pub fn unit(&self, measure: Measure) -> (String, u8) {
        match measure {
            Measure::Count => ("requests".to_owned(), 0),
            Measure::Fiat => {
                let currency = self.prices.as_ref().map_or("", |rule| rule.currency.as_str());
                (currency.to_owned(), FIAT_DECIMALS)
            }
            Measure::Asset { chain, asset } => {
                let named = self.assets.iter().find(|it| it.chain == chain && it.asset == asset);
                named.map_or_else(|| ("base units".to_owned(), 0), |it| (it.symbol.clone(), it.decimals))
            }
        }
    }
}

/// What an amount counts; none where the version does not say.
struct Units<'a> {
    version: &'a PolicyVersion,
    measure: Option<Measure>,
}

impl<'a> Units<'a> {
    fn of_window(version: &'a PolicyVersion, id: &Name) -> Self {
        let window = version.windows.iter().find(|window| &window.id == id);
        Self { version, measure: window.map(|window| window.measure) }
    }

    /// A level may have several caps; two with one amount in different units cannot be told apart.
    fn of_cap(version: &'a PolicyVersion, level: AssuranceLevel, limit: Amount) -> Self {
        let mut caps = version.caps.iter().filter(|cap| cap.level == level && cap.amount == limit);
        let measure = match (caps.next(), caps.next()) {
            (Some(cap), None) => Some(cap.measure),
            _ => None,
        };
        Self { version, measure }
    }

    fn say(&self, amount: Amount) -> String {
        match self.measure {
            Some(Measure::Asset { chain, asset }) => {
                // One entry is enough: a version with a contradicting registry was never in force.
                let named = |it: &&keystead_intent::AssetEntry| it.chain == chain && it.asset == asset;
                let entry: Vec<_> = self.version.assets.iter().filter(named).cloned().collect();
                let index = AssetIndex::new(&entry, &[]).unwrap_or_default();
                index.exact_amount(chain, asset, amount)
            }
            Some(Measure::Fiat) => {
                let currency = self.version.prices.as_ref().map_or("", |rule| rule.currency.as_str());
                format!("{} {currency}", amount.with_decimals(FIAT_DECIMALS)).trim_end().to_owned()
            }
            Some(Measure::Count) | None => amount.to_string(),
        }
    }

    /// The most that there can be stands for an amount that the bytes do not say.
    fn say_asked(&self, amount: Amount) -> String {
        match amount == Amount::MAX {
            true => "an amount that nobody can tell from the bytes".to_owned(),
            false => self.say(amount),
        }
    }
}

/// Fiat amounts are micro-units.
const FIAT_DECIMALS: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AssuranceCap, Bucket, Dimension, Window, fixture};

    const ETHER: u128 = 1_000_000_000_000_000_000;

    fn window(id: &str, measure: Measure) -> Window {
        Window {
            id: id.parse().unwrap(),
            keys: Vec::new(),
            chains: Vec::new(),
            destinations: Vec::new(),
            measure,
            per: vec![Dimension::Key],
            limit: Amount::from(10 * ETHER),
            span_seconds: 60,
        }
    }

    fn exceeded(id: &str, used: Amount, asked: Amount) -> Reason {
        Reason::LimitExceeded {
            window: id.parse().unwrap(),
            bucket: Bucket::default(),
            limit: Amount::from(10 * ETHER),
            used,
            asked,
        }
    }

    #[test]
    fn amounts_are_said_in_the_units_of_their_window() {
        let mut version = fixture::version();
        version.prices = Some(fixture::price_rule());
        version.windows = vec![
            window("ether", fixture::native()),
            window("fiat", Measure::Fiat),
            window("count", Measure::Count),
        ];
        let (used, asked) = (Amount::from(9 * ETHER), Amount::from(ETHER / 2));
        for (id, said) in [
            ("ether", "allows 10 ETH (10000000000000000000 wei), used 9 ETH (9000000000000000000 wei)"),
            ("fiat", "allows 10000000000000 USD, used 9000000000000 USD"),
            ("count", "allows 10000000000000000000, used"),
            ("gone", "allows 10000000000000000000, used"),
        ] {
            let words = exceeded(id, used, asked).words(&version);
            assert!(words.contains(said), "{words}");
        }
        let unsaid = exceeded("ether", used, Amount::MAX).words(&version);
        assert!(unsaid.ends_with("asked an amount that nobody can tell from the bytes"), "{unsaid}");
        let other = Reason::BlindDigest;
        assert_eq!(other.words(&version), other.to_string());
    }

    #[test]
    fn each_measure_has_a_unit() {
        let mut version = fixture::version();
        version.prices = Some(fixture::price_rule());
        let elsewhere =
            Measure::Asset { chain: keystead_intent::ChainId(9), asset: keystead_intent::Asset::Native };
        for (measure, symbol, decimals) in [
            (fixture::native(), "ETH", 18),
            (elsewhere, "base units", 0),
            (Measure::Fiat, "USD", 6),
            (Measure::Count, "requests", 0),
        ] {
            assert_eq!(version.unit(measure), (symbol.to_owned(), decimals));
        }
    }

    #[test]
    fn a_cap_that_could_be_two_stays_in_base_units() {
        let mut version = fixture::version();
        let cap = |measure| AssuranceCap {
            level: AssuranceLevel::Process,
            measure,
            amount: Amount::from(20 * ETHER),
        };
        let reason = Reason::CapExceeded {
            level: AssuranceLevel::Process,
            limit: Amount::from(20 * ETHER),
            asked: Amount::from(30 * ETHER),
        };
        version.caps = vec![cap(fixture::native())];
        assert!(reason.words(&version).contains("at most 20 ETH (20000000000000000000 wei)"));
        version.caps.push(cap(Measure::Fiat));
        assert_eq!(reason.words(&version), reason.to_string());
    }
}
