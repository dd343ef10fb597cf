//! The network between the nodes: loss, duplicates, delays with a long tail, partitions.

use crate::Dice;

/// What the network does to each message now.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// The group of each node: messages between groups are lost.
    groups: Vec<usize>,
    /// Lost, in a thousand.
    pub(crate) loss: u64,
    /// Delivered twice, in a thousand.
    pub(crate) twice: u64,
    /// Very late, in a thousand.
    pub(crate) late: u64,
}

impl Network {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { groups: vec![0; nodes], loss: 10, twice: 20, late: 10 }
    }

    /// Splits the nodes into two groups.
    pub(crate) fn split(&mut self, dice: &mut Dice) {
        self.groups.iter_mut().for_each(|group| *group = dice.index(2));
    }

    /// All nodes reach one another again.
    pub(crate) fn join(&mut self) {
        self.groups.iter_mut().for_each(|group| *group = 0);
    }

    /// No faults any more.
    pub(crate) fn heal(&mut self) {
        self.join();
        (self.loss, self.twice, self.late) = (0, 0, 0);
    }

    pub(crate) fn reaches(&self, from: usize, to: usize) -> bool {
        self.groups[from] == self.groups[to]
    }

    /// After how many milliseconds a message arrives: not at all, once or twice.
    pub(crate) fn deliveries(&self, dice: &mut Dice, from: usize, to: usize) -> Vec<u64> {
        if !self.reaches(from, to) || dice.chance(self.loss) {
            return Vec::new();
        }
        let copies = 1 + usize::from(dice.chance(self.twice));
        (0..copies).map(|_| self.delay(dice)).collect()
    }

    fn delay(&self, dice: &mut Dice) -> u64 {
        if dice.chance(self.late) { dice.between(300, 6_000) } else { dice.between(1, 40) }
    }
}
