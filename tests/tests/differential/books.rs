//! What became of the cases: the same, refused by both, or by one of them for a reason that is listed.

use std::collections::BTreeMap;

/// One implementation's word: what it makes of a case, or why nothing.
pub(crate) type Word = Result<String, String>;

/// A reason why one side refuses what the other takes: a piece of its message, and why that is right.
pub(crate) type Reason = (&'static str, &'static str);

/// The counts of one comparison.
pub(crate) struct Books {
    with: &'static str,
    same: usize,
    refused_by_both: usize,
    refused_by_us: BTreeMap<&'static str, usize>,
    refused_by_them: BTreeMap<&'static str, usize>,
    /// One line for each reason that is not listed, with the first case of it.
    unlisted: BTreeMap<String, String>,
    ours: &'static [Reason],
    theirs: &'static [Reason],
}

impl Books {
    /// A comparison with somebody, the reasons that we may have alone, and those that they may.
    pub(crate) fn with(with: &'static str, ours: &'static [Reason], theirs: &'static [Reason]) -> Self {
        let (refused_by_us, refused_by_them) = (BTreeMap::new(), BTreeMap::new());
        let unlisted = BTreeMap::new();
        Self { with, same: 0, refused_by_both: 0, refused_by_us, refused_by_them, unlisted, ours, theirs }
    }

    /// Holds both words on a case against one another.
    pub(crate) fn compare(&mut self, ours: &Word, theirs: &Word, case: &dyn std::fmt::Display) {
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => {
                assert_eq!(ours, theirs, "left: ours, right: {}; {case}", self.with);
                self.same += 1;
            }
            (Err(_), Err(_)) => self.refused_by_both += 1,
            (Err(why), Ok(_)) => match listed(self.ours, why) {
                Some(piece) => *self.refused_by_us.entry(piece).or_default() += 1,
                None => self.unlisted("us", why, case),
            },
            (Ok(_), Err(why)) => match listed(self.theirs, why) {
                Some(piece) => *self.refused_by_them.entry(piece).or_default() += 1,
                None => self.unlisted(self.with, why, case),
            },
        }
    }

    fn unlisted(&mut self, who: &str, why: &str, case: &dyn std::fmt::Display) {
        let start: String = why.chars().take(48).collect();
        self.unlisted.entry(format!("{who}: {start}")).or_insert_with(|| format!("{why}; {case}"));
    }

    /// Prints the counts, and insists on at least so many that are the same and that both refuse.
    pub(crate) fn close(self, same: usize, refused: usize) {
        let alone = |by: &BTreeMap<_, usize>| by.values().sum::<usize>();
        let (us, them) = (alone(&self.refused_by_us), alone(&self.refused_by_them));
        keystead_tests::tell(&format!(
            "{}: {} the same, {} refused by both",
            self.with, self.same, self.refused_by_both
        ));
        keystead_tests::tell(&format!("    {us} refused by us alone, {them} by {} alone:", self.with));
        for (who, by, reasons) in
            [("us", &self.refused_by_us, self.ours), (self.with, &self.refused_by_them, self.theirs)]
        {
            for (piece, count) in by {
                let why = reasons.iter().find(|it| it.0 == *piece).map_or("", |it| it.1);
                keystead_tests::tell(&format!("    {count} by {who}, {piece:?}: {why}"));
            }
        }
        assert!(self.unlisted.is_empty(), "refused by one side for no listed reason: {:#?}", self.unlisted);
        assert!(self.same >= same, "{}: expected {same} the same, found {}", self.with, self.same);
        let refused_by_both = self.refused_by_both;
        assert!(refused_by_both >= refused, "{}: expected {refused}, found {refused_by_both}", self.with);
    }
}

fn listed(reasons: &'static [Reason], why: &str) -> Option<&'static str> {
    reasons.iter().find(|(piece, _)| why.contains(piece)).map(|it| it.0)
}
