//! One value in the format that its field names.

use alloy_primitives::U256;
use keystead_base::Amount;
use keystead_intent::{Asset, ChainId};
use keystead_speech::Phrase;

use super::Scene;
use crate::field::{Format, Leaf, TokenAmount};
use crate::phrase;
use crate::value::Value;

/// Where a value stands among how many.
pub(super) type Place = Option<(usize, usize)>;

impl Scene<'_> {
    /// The value; none where the format is not for it.
    pub(super) fn shown_as(&mut self, leaf: &Leaf, value: &Value, at: Place) -> Option<String> {
        if let Some(label) = &leaf.encrypted {
            return Some(format!("{} {}", self.say(label), self.raw(value)));
        }
        match &leaf.format {
            Format::Raw => Some(self.raw(value)),
            Format::Amount => Some(self.speaker.amount(Asset::Native, Amount(value.uint()?))),
            Format::TokenAmount(it) => self.token_amount(it, value.uint()?, at),
            Format::NftName { collection } => {
                let collection = self.parameter(collection, at)?.address()?;
                let (token, id) = (self.speaker.token(collection), value.uint()?.to_string());
                Some(self.phrase(Phrase::NumberedToken { token: &token, id: &id }))
            }
            Format::Timestamp => phrase::date(value.uint()?),
            Format::BlockHeight => {
                Some(self.phrase(Phrase::BlockHeight { number: &value.uint()?.to_string() }))
            }
            Format::Duration => Some(phrase::duration(value.uint()?)),
            Format::Unit { base, decimals, prefix } => {
                Some(phrase::unit(value.uint()?, base, *decimals, *prefix))
            }
            Format::Enumeration(list) => {
                let (_, text) = list.iter().find(|(written, _)| value.is_written(written))?;
                Some(self.say(text).to_owned())
            }
            Format::ChainId => Some(phrase::chain(value.uint()?)),
            Format::AddressName { senders } => match value.address()? {
                it if senders.contains(&it) => {
                    Some(self.phrase(Phrase::Sender { who: &self.speaker.giver(self.call.from) }))
                }
                // A descriptor does not say whether somebody gives or receives.
                it => Some(self.speaker.party(it)),
            },
            Format::TokenTicker { chain } => {
                let elsewhere = self.elsewhere(chain.as_ref(), at);
                let token = value.address()?;
                Some(match elsewhere {
                    Some(chain) => format!("{token} ({chain})"),
                    None => self.speaker.token(token),
                })
            }
            // Calls have lines of their own, and of the other no part is understood here.
            Format::Calldata(_) | Format::InteroperableAddress => None,
        }
    }

    /// An amount of a token; in a token that nobody vouches for, in base units.
    fn token_amount(&mut self, it: &TokenAmount, amount: U256, at: Place) -> Option<String> {
        let Some(token) = it.token.as_ref().and_then(|source| self.parameter(source, at)?.address()) else {
            return Some(self.phrase(Phrase::OfUnknownToken { amount: &amount.to_string() }));
        };
        let much = it.threshold.is_some_and(|threshold| amount >= threshold);
        let native = it.native.contains(&token);
        let asset = if native { Asset::Native } else { Asset::Token(token) };
        if let Some(chain) = self.elsewhere(it.chain.as_ref(), at) {
            let said = self.speaker.registry().amount(chain, asset, Amount(amount));
            return Some(format!("{said} ({chain})"));
        }
        Some(match (much, native) {
            (true, false) => format!("{} {}", self.say(&it.message), self.speaker.token(token)),
            (true, true) => {
                let coin = self.speaker.registry().asset(self.speaker.chain(), Asset::Native);
                let symbol = coin.map_or("", |coin| coin.symbol.as_str());
                format!("{} {symbol}", self.say(&it.message)).trim_end().to_owned()
            }
            (false, _) => self.amount(asset, amount),
        })
    }

    /// What the registry does not know the file may say of its own contract, and then it is said to.
    fn amount(&self, asset: Asset, amount: U256) -> String {
        let registry = self.speaker.registry();
        let own =
            asset == Asset::Token(self.call.to) && registry.asset(self.speaker.chain(), asset).is_none();
        match self.descriptor.token.as_ref().filter(|_| own) {
            Some(token) => {
                let amount = Amount(amount).with_decimals(token.decimals);
                self.phrase(Phrase::ByTheDescriptorsWord { amount: &amount, ticker: &token.ticker })
            }
            None => self.speaker.amount(asset, Amount(amount)),
        }
    }

    /// The chain of a parameter, where it is another one.
    fn elsewhere(&mut self, source: Option<&crate::field::Source>, at: Place) -> Option<ChainId> {
        let chain = self.parameter(source?, at)?.uint()?;
        let chain = ChainId(u64::try_from(chain).unwrap_or(u64::MAX));
        (chain != self.speaker.chain()).then_some(chain)
    }
}
