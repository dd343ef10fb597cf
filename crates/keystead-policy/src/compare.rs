//! What a new policy version would change: the same questions, put to both.

use crate::{Engine, Question, Ruling};

/// One question that two versions answer differently.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The question's place in the list.
    pub index: usize,
    /// What the version in force says.
    pub before: Ruling,
    /// What the next version would say.
    pub after: Ruling,
    /// In which direction it changes.
    pub direction: Direction,
}

/// In which direction an answer changes, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// What passes is denied.
    Denies,
    /// What is denied passes.
    Permits,
    /// It passes under both, with other people, delays or counts.
    Terms,
    /// It is denied under both, for other reasons or by other rules.
    Reasons,
}

/// Answers every question under one version.
#[must_use]
pub fn simulate(engine: &Engine, questions: &[Question<'_>]) -> Vec<Ruling> {
    questions.iter().map(|question| engine.decide(question)).collect()
}

/// The questions that `next` answers in another way than `current`, in the questions' order.
#[must_use]
pub fn compare(current: &Engine, next: &Engine, questions: &[Question<'_>]) -> Vec<Difference> {
    let (before, after) = (simulate(current, questions), simulate(next, questions));
    let pairs = before.into_iter().zip(after).enumerate();
    pairs.filter_map(|(index, (before, after))| difference(index, before, after)).collect()
}

fn difference(index: usize, before: Ruling, after: Ruling) -> Option<Difference> {
    if before == after {
        return None;
    }
    let direction = match (&before, &after) {
        (Ruling::Pass { .. }, Ruling::Deny { .. }) => Direction::Denies,
        (Ruling::Deny { .. }, Ruling::Pass { .. }) => Direction::Permits,
        (Ruling::Pass { .. }, Ruling::Pass { .. }) => Direction::Terms,
        (Ruling::Deny { .. }, Ruling::Deny { .. }) => Direction::Reasons,
    };
    Some(Difference { index, before, after, direction })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{Ask, FRIEND, STRANGER, pay, version};

    #[test]
    fn only_what_changes_is_shown_and_in_which_direction() {
        let current = Engine::compile(version()).unwrap();
        let mut looser = version();
        looser.rules.iter_mut().filter(|rule| rule.id.as_str() == "pay").for_each(|rule| {
            rule.cedar = format!("@any_destination(\"true\") {}", rule.cedar);
        });
        let looser = Engine::compile(looser).unwrap();
        let asks = [Ask::new("hot", vec![pay(FRIEND, 1)]), Ask::new("hot", vec![pay(STRANGER, 1)])];
        let facts: Vec<_> = asks.iter().map(Ask::facts).collect();
        let questions: Vec<_> = asks.iter().zip(&facts).map(|(ask, facts)| ask.question(facts)).collect();
        let shown = |from: &Engine, to: &Engine| -> Vec<_> {
            compare(from, to, &questions).into_iter().map(|it| (it.index, it.direction)).collect()
        };
        assert_eq!(shown(&current, &looser), [(1, Direction::Permits)]);
        assert_eq!(shown(&looser, &current), [(1, Direction::Denies)]);
        assert_eq!(shown(&current, &current), []);

        let mut slower = version();
        slower.quorums.iter_mut().for_each(|row| row.delay_seconds = 9000);
        let slower = Engine::compile(slower).unwrap();
        assert_eq!(shown(&current, &slower), [(0, Direction::Terms)]);
        let mut silent = version();
        silent.rules.retain(|rule| rule.id.as_str() != "pay");
        let silent = Engine::compile(silent).unwrap();
        assert_eq!(shown(&current, &silent), [(0, Direction::Denies), (1, Direction::Reasons)]);
    }
}
