//! What is believed of several answers. Pure.

use keystead_base::{Blame, Coded, Name};

use crate::error::listed;
use crate::{EndpointError, TransmitError};

/// How many of how many endpoints must say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    agree: usize,
    of: usize,
}

impl Quorum {
    /// `agree` of `of`.
    ///
    /// # Errors
    ///
    /// [`TransmitError::Quorum`] unless `of / 2 < agree ≤ of`.
    pub fn new(agree: usize, of: usize) -> Result<Self, TransmitError> {
        match agree <= of && agree > of / 2 {
            true => Ok(Self { agree, of }),
            false => Err(TransmitError::Quorum { agree, of }),
        }
    }

    /// How many must agree.
    #[must_use]
    pub fn agree(&self) -> usize {
        self.agree
    }

    /// How many there are.
    #[must_use]
    pub fn of(&self) -> usize {
        self.of
    }
}

/// Too few endpoints said the same: nothing is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "nothing is known about {question}: {most} endpoints agree, {needed} must; {} failed ({})",
    failures.len(),
    listed(failures)
)]
pub struct Unknown {
    /// The method that was asked.
    pub question: &'static str,
    /// How many must agree.
    pub needed: usize,
    /// The size of the largest group that said the same.
    pub most: usize,
    /// How many different answers there were: more than one, and somebody lies or lags.
    pub answers: usize,
    /// Who gave no usable answer, and why.
    pub failures: Vec<(Name, EndpointError)>,
}

impl Unknown {
    /// Whether every endpoint that failed answered that it has no such thing, and none answered otherwise: asking
    /// again changes nothing. Whoever refuses for load, or in words that are not known here, did not say that.
    #[must_use]
    pub fn is_had_by_nobody(&self) -> bool {
        let has_none =
            |error: &EndpointError| error.is_no_state() || matches!(error, EndpointError::Malformed { .. });
        self.answers == 0
            && !self.failures.is_empty()
            && self.failures.iter().all(|(_, error)| has_none(error))
    }

    /// Whether nobody contradicts anybody, and whoever failed had more to tell than is listened to: asking again changes nothing.
    #[must_use]
    pub fn is_too_much(&self) -> bool {
        let too_many = |error: &EndpointError| matches!(error, EndpointError::TooMany { .. });
        self.answers <= 1
            && !self.failures.is_empty()
            && self.failures.iter().all(|(_, error)| too_many(error))
    }
}

impl Coded for Unknown {
    fn code(&self) -> &'static str {
        "transmit.unknown"
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

/// Counts answers that are equal.
pub(crate) struct Tally<T> {
    quorum: Quorum,
    groups: Vec<(T, usize)>,
    failures: Vec<(Name, EndpointError)>,
}

impl<T: PartialEq> Tally<T> {
    pub(crate) fn new(quorum: Quorum) -> Self {
        Self { quorum, groups: Vec::new(), failures: Vec::new() }
    }

    /// Adds an answer, and gives it back once enough endpoints have said the same.
    pub(crate) fn add(&mut self, name: Name, answer: Result<T, EndpointError>) -> Option<T> {
        match answer {
            Err(error) => self.failures.push((name, error)),
            Ok(answer) => match self.groups.iter_mut().find(|(known, _)| *known == answer) {
                Some((_, count)) => *count += 1,
                None => self.groups.push((answer, 1)),
            },
        }
        let won = self.groups.iter().position(|(_, count)| *count >= self.quorum.agree)?;
        Some(self.groups.swap_remove(won).0)
    }

    pub(crate) fn unknown(self, question: &'static str) -> Unknown {
        Unknown {
            question,
            needed: self.quorum.agree,
            most: self.groups.iter().map(|(_, count)| *count).max().unwrap_or_default(),
            answers: self.groups.len(),
            failures: self.failures,
        }
    }
}

/// The greatest height that enough endpoints have reached: an exaggerated one needs as many liars as a
/// lie about anything else.
pub(crate) fn reached(quorum: Quorum, heights: &[u64]) -> Option<u64> {
    let mut sorted = heights.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    sorted.get(quorum.agree.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late() -> EndpointError {
        EndpointError::Malformed { expected: "anything" }
    }

    #[test]
    fn a_quorum_is_more_than_half() {
        for (agree, of, fits) in [
            (1, 1, true),
            (2, 3, true),
            (3, 3, true),
            (1, 2, false),
            (2, 4, false),
            (4, 3, false),
            (0, 0, false),
        ] {
            assert_eq!(Quorum::new(agree, of).is_ok(), fits, "{agree} of {of}");
        }
    }

    #[test]
    fn a01_fewer_than_k_liars_are_never_believed() {
        let quorum = Quorum::new(2, 3).unwrap();
        for (answers, believed) in [
            (vec![Ok(1), Ok(1), Ok(9)], Some(1)),
            (vec![Ok(9), Ok(1), Ok(1)], Some(1)),
            (vec![Ok(9), Ok(1), Ok(2)], None),
            (vec![Ok(9), Err(late()), Ok(1)], None),
            (vec![Ok(9), Err(late()), Err(late())], None),
            (vec![Err(late()), Ok(1), Ok(1)], Some(1)),
        ] {
            let mut tally = Tally::new(quorum);
            let name: Name = "a".parse().unwrap();
            let won = answers.into_iter().find_map(|answer| tally.add(name.clone(), answer));
            assert_eq!(won, believed);
        }
    }

    #[test]
    fn a_height_is_reached_by_enough() {
        let quorum = Quorum::new(2, 3).unwrap();
        for (heights, believed) in [
            (vec![10, 11, 999], Some(11)),
            (vec![999, 10, 10], Some(10)),
            (vec![0, 10, 11], Some(10)),
            (vec![10], None),
        ] {
            assert_eq!(reached(quorum, &heights), believed);
        }
    }

    #[test]
    fn unknown_says_who_failed_and_how_far_they_agreed() {
        let mut tally = Tally::new(Quorum::new(3, 4).unwrap());
        for answer in [Ok(1), Ok(1), Ok(2), Err(late())] {
            assert_eq!(tally.add("a".parse().unwrap(), answer), None);
        }
        let unknown = tally.unknown("eth_test");
        assert_eq!((unknown.needed, unknown.most, unknown.answers), (3, 2, 2));
        assert_eq!(
            unknown.to_string(),
            "nothing is known about eth_test: 2 endpoints agree, 3 must; 1 failed \
             (a: its answer does not parse: expected anything)"
        );
    }
}
