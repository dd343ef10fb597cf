//! Dice and coins: symbols as a person types them, and whether they are as even as chance makes them.

use keystead_base::Secret;

use crate::{EntropyError, Source};

/// Symbols of a die or a coin that were typed so far.
pub struct Symbols {
    source: Source,
    faces: u8,
    values: Secret<Vec<u8>>,
}

/// What was counted so far, for whoever rolls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// How often each face came, the first one first.
    pub counts: Vec<u32>,
    /// How many are still needed.
    pub missing: u32,
}

impl Symbols {
    /// None yet.
    ///
    /// # Errors
    ///
    /// [`EntropyError::NotByHand`] for a source that no person works.
    pub fn new(source: Source) -> Result<Self, EntropyError> {
        let faces = source.faces().ok_or(EntropyError::NotByHand { source_name: source })?;
        // Reserved at once, so that no copy stays behind in a buffer that grew.
        Ok(Self { source, faces, values: Secret::new(Vec::with_capacity(MAX_SYMBOLS)) })
    }

    /// Takes typed text: digits 1 to 6, or `h` and `t` (`1` and `0`), with anything blank between. All of it or none.
    ///
    /// # Errors
    ///
    /// [`EntropyError::Symbol`] with the place of the first character that is no symbol; [`EntropyError::TooMany`].
    pub fn take(&mut self, text: &str) -> Result<(), EntropyError> {
        let before = self.values.expose().len();
        let taken = self.append(text);
        if taken.is_err() {
            self.values.expose_mut().truncate(before);
        }
        taken
    }

    fn append(&mut self, text: &str) -> Result<(), EntropyError> {
        for (at, letter) in text.chars().enumerate().filter(|(_, it)| !it.is_whitespace() && *it != ',') {
            let position = at + 1;
            let value =
                self.value(letter).ok_or(EntropyError::Symbol { source_name: self.source, position })?;
            if self.values.expose().len() >= MAX_SYMBOLS {
                return Err(EntropyError::TooMany { source_name: self.source, limit: MAX_SYMBOLS });
            }
            self.values.expose_mut().push(value);
        }
        Ok(())
    }

    fn value(&self, letter: char) -> Option<u8> {
        match (self.source, letter) {
            (Source::Dice, '1'..='6') => letter.to_digit(10).and_then(|it| u8::try_from(it).ok()),
            (Source::Coins, 'h' | 'H' | '1') => Some(1),
            (Source::Coins, 't' | 'T' | '0') => Some(0),
            _ => None,
        }
    }

    /// What was counted so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let found = u32::try_from(self.values.expose().len()).unwrap_or(u32::MAX);
        let counts = self.counts(self.values.expose().iter().map(|it| self.place(*it)));
        Tally { counts, missing: self.source.claim().fewest.saturating_sub(found) }
    }

    /// The symbols, once there are enough of them and nothing speaks against chance. Each of the two chi-square tests
    /// refuses one honest series in a thousand, so that about one ceremony in 500 is to be rolled anew; what a mild
    /// bias takes is not seen, and made up for by the machine's own sources.
    ///
    /// # Errors
    ///
    /// [`EntropyError`]: too few; faces that come unevenly; steps from one symbol to the next that do; or a series that
    /// repeats itself.
    pub fn judged(&self) -> Result<&Secret<Vec<u8>>, EntropyError> {
        let (source_name, needed) = (self.source, self.source.claim().fewest);
        let values = self.values.expose();
        if values.len() < needed as usize {
            return Err(EntropyError::TooFew { source_name, found: values.len(), needed });
        }
        self.even(values.iter().map(|it| self.place(*it)))
            .map_err(|()| EntropyError::Uneven { source_name })?;
        let steps = values.iter().zip(values.iter().skip(1));
        self.even(steps.map(|(one, next)| (self.place(*next) + self.faces - self.place(*one)) % self.faces))
            .map_err(|()| EntropyError::Steps { source_name })?;
        match (1..=MAX_PERIOD).find(|lag| repeats(values, *lag)) {
            Some(period) => Err(EntropyError::Periodic { source_name, period }),
            None => Ok(&self.values),
        }
    }

    /// Pearson's chi-square against even faces, below the critical value for one in a thousand.
    fn even(&self, places: impl Iterator<Item = u8>) -> Result<(), ()> {
        let counts = self.counts(places);
        let (faces, total) = (u64::from(self.faces), counts.iter().copied().map(u64::from).sum::<u64>());
        let squares: u64 = counts.iter().map(|it| (faces * u64::from(*it)).abs_diff(total).pow(2)).sum();
        let critical = if self.faces == 2 { CHI_SQUARE_1 } else { CHI_SQUARE_5 };
        if squares * 1000 > critical * faces * total { Err(()) } else { Ok(()) }
    }

    fn counts(&self, places: impl Iterator<Item = u8>) -> Vec<u32> {
        let mut counts = vec![0; usize::from(self.faces)];
        for place in places {
            if let Some(count) = counts.get_mut(usize::from(place)) {
                *count += 1;
            }
        }
        counts
    }

    /// A face's place from zero.
    fn place(&self, value: u8) -> u8 {
        if self.source == Source::Dice { value.saturating_sub(1) } else { value }
    }
}

/// Whether three quarters of the symbols are the one `lag` before them: with a die, chance never does that.
fn repeats(values: &[u8], lag: usize) -> bool {
    let pairs = values.iter().zip(values.iter().skip(lag));
    let (same, all) =
        pairs.fold((0, 0), |(same, all), (one, other)| (same + usize::from(one == other), all + 1));
    all > 0 && same * 4 >= all * 3
}

/// The most symbols of a ceremony.
const MAX_SYMBOLS: usize = 4096;
/// Periods up to half of 99 rolls are looked for.
const MAX_PERIOD: usize = 48;
/// Critical values of chi-square for one in a thousand, in thousandths: five degrees of freedom, and one.
const CHI_SQUARE_5: u64 = 20_515;
const CHI_SQUARE_1: u64 = 10_828;

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    /// Rolls as even as a hash makes them.
    fn rolled(source: Source, seed: u32, count: usize) -> String {
        let faces = source.faces().unwrap();
        let bytes = (0_u32..).flat_map(|n| Sha256::digest([seed.to_be_bytes(), n.to_be_bytes()].concat()));
        let fair = bytes.filter(|it| *it < 252).map(|it| it % faces);
        let letter =
            |it: u8| if source == Source::Dice { (b'1' + it) as char } else { ['t', 'h'][it as usize] };
        fair.take(count).map(letter).collect()
    }

    fn judged(source: Source, text: &str) -> Result<(), EntropyError> {
        let mut symbols = Symbols::new(source).unwrap();
        symbols.take(text).unwrap();
        symbols.judged().map(|_| ())
    }

    #[test]
    fn e1_honest_series_are_refused_about_once_in_500() {
        for (source, count) in [(Source::Dice, 99), (Source::Dice, 150), (Source::Coins, 256)] {
            let refused =
                (0..2_000).filter(|seed| judged(source, &rolled(source, *seed, count)).is_err()).count();
            println!("{source}: {refused} of 2,000 honest series of {count} are refused");
            assert!(refused <= 16, "{source}: {refused}");
        }
    }

    #[test]
    fn e1_fewer_than_99_rolls_are_no_seed() {
        let error = judged(Source::Dice, &rolled(Source::Dice, 1, 98)).unwrap_err();
        assert_eq!(error, EntropyError::TooFew { source_name: Source::Dice, found: 98, needed: 99 });
        assert_eq!(judged(Source::Dice, &rolled(Source::Dice, 1, 99)), Ok(()));
    }

    /// A die with a heavy face, a person who types in order, one who copies a line, one who alternates.
    #[test]
    fn e1_biased_and_typed_series_are_refused() {
        let heavy = rolled(Source::Dice, 1, 200).replace(['1', '2'], "6");
        let counting = "123456".repeat(20);
        let honest = rolled(Source::Dice, 3, 40);
        let copied = [&*honest, &*honest, &*honest].concat();
        for (text, code) in [
            (heavy.as_str(), "entropy.uneven"),
            (counting.as_str(), "entropy.steps"),
            (copied.as_str(), "entropy.periodic"),
        ] {
            assert_eq!(judged(Source::Dice, text).unwrap_err(), refusal(code), "{text}");
        }
        let alternating = "ht".repeat(128);
        assert_eq!(
            judged(Source::Coins, &alternating),
            Err(EntropyError::Steps { source_name: Source::Coins })
        );
        assert_eq!(
            judged(Source::Coins, &"hhht".repeat(64)),
            Err(EntropyError::Uneven { source_name: Source::Coins })
        );
    }

    fn refusal(code: &str) -> EntropyError {
        let source_name = Source::Dice;
        let all = [
            EntropyError::Uneven { source_name },
            EntropyError::Steps { source_name },
            EntropyError::Periodic { source_name, period: 40 },
        ];
        all.into_iter().find(|it| keystead_base::Coded::code(it) == code).unwrap()
    }

    #[test]
    fn what_is_no_face_is_named_by_its_place_and_nothing_of_that_line_is_taken() {
        let mut dice = Symbols::new(Source::Dice).unwrap();
        dice.take("1 2, 3\n4").unwrap();
        let error = dice.take("56 7").unwrap_err();
        assert_eq!(error, EntropyError::Symbol { source_name: Source::Dice, position: 4 });
        assert_eq!(dice.tally(), Tally { counts: vec![1, 1, 1, 1, 0, 0], missing: 95 });
        let mut coins = Symbols::new(Source::Coins).unwrap();
        coins.take("hT10").unwrap();
        assert_eq!(coins.tally(), Tally { counts: vec![2, 2], missing: 252 });
        assert!(Symbols::new(Source::Rdseed).is_err());
    }
}
