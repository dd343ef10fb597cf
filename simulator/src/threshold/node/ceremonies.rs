//! Ceremonies in two phases: a seat, a run, a share that is stored, a signature of the new shares; old ones go last.

use keystead_base::{Digest, Name};
use keystead_threshold::{Begun, PublicShares, Purpose};

use super::{Node, SEAT_MILLIS, TURN_MILLIS};
use crate::Dice;
use crate::threshold::ThresholdBug;
use crate::threshold::log::{GRANT_MILLIS, State, Word};
use crate::threshold::run;
use crate::threshold::shell::{Crashed, Shell, What};

impl Node {
    /// Old shares go when the log's epoch is another and nothing that was granted under theirs is good any more.
    pub(super) fn erase(&mut self, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(life) = self.life.as_ref().filter(|_| !self.evil) else { return Ok(()) };
        let Some(sharing) = life.view.sharing() else { return Ok(()) };
        let hasty = shell.has(ThresholdBug::ErasedAtSwitch);
        let current = (sharing.epoch, sharing.attempt);
        let over = hasty || life.seen > sharing.since + GRANT_MILLIS;
        let quiet = life.view.convening.is_none();
        let gone = |key: &(u32, Digest)| match key.0.cmp(&current.0) {
            std::cmp::Ordering::Less => over,
            std::cmp::Ordering::Equal => *key != current,
            std::cmp::Ordering::Greater => quiet,
        };
        for key in self.disk.shares.keys().copied().filter(gone).collect::<Vec<_>>() {
            let disk = &mut self.disk;
            shell.write(|| drop(disk.shares.remove(&key)))?;
        }
        Ok(())
    }

    /// Where the share is kept that the ceremony on its way makes.
    pub(super) fn place(view: &State) -> Option<(u32, Digest)> {
        let it = view.convening.as_ref()?;
        match it.purpose {
            Purpose::Repair { .. } => view.sharing().map(|sharing| (sharing.epoch, sharing.attempt)),
            _ => Some((it.next_epoch(), it.attempt())),
        }
    }

    /// Takes a seat, begins the ceremony when all have one, and reports what is stored.
    pub(super) fn convene(&mut self, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(view) = self.view() else { return Ok(()) };
        let (Some(it), Some(place)) = (&view.convening, Self::place(&view)) else { return Ok(()) };
        let session = it.session(view.scheme);
        let participants = session.participants();
        let Some(life) = &mut self.life else { return Ok(()) };
        let blocked = |name: &Name| *name != self.name && life.journal.is_blocked(&session.key, name);
        if !participants.contains(&self.name)
            || (!self.evil && participants.iter().any(blocked))
            || life.sulks
        {
            return Ok(());
        }
        let makes = it.makes().contains(&self.name);
        if let Some(bytes) = self.disk.shares.get(&place).filter(|_| makes) {
            if !it.dealt.contains_key(&self.name) && it.is_convened(view.scheme) {
                let word = dealt(self.evil, it.attempt(), run::public_of(view.scheme, bytes), shell.dice);
                shell.words.extend(word);
            }
            return Ok(());
        }
        if it.seats.get(&self.name) != Some(&life.seat) {
            if life.seated_at + SEAT_MILLIS <= shell.now {
                life.seated_at = shell.now;
                shell.words.push(Word::Seated { request: it.request, seat: life.seat });
            }
            return Ok(());
        }
        if !it.is_convened(view.scheme) || life.runs.contains_key(&session.id()) {
            return Ok(());
        }
        let sharing = view.sharings.get(&it.epoch);
        let share =
            sharing.and_then(|sharing| self.disk.shares.get(&(sharing.epoch, sharing.attempt))).cloned();
        let old = sharing.map(|sharing| (sharing.public.clone(), sharing.chain));
        let make = |begun: Begun| {
            run::ceremony(begun, share.as_deref(), old.as_ref().map(|(public, chain)| (public, *chain)))
        };
        self.begin(session, What::Ceremony(place.0, place.1), [0; 32], make, shell)
    }

    /// Leads the run that shows that its new share signs.
    pub(super) fn prove(&mut self, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(view) = self.view() else { return Ok(()) };
        let Some(it) = &view.convening else { return Ok(()) };
        if it.agreed().is_none() || !it.makes().contains(&self.name) || it.proven.contains(&self.name) {
            return Ok(());
        }
        let Some(life) = &mut self.life else { return Ok(()) };
        let what = What::Proof(it.attempt(), self.name.clone());
        if self.evil && shell.dice.chance(100) {
            shell.words.push(Word::Proven { attempt: it.attempt(), signature: [7; 64] });
        }
        if let Some(signature) = life.signatures.get(&what) {
            shell.words.push(Word::Proven { attempt: it.attempt(), signature: *signature });
            return Ok(());
        }
        let due = life.led.get(&what).is_none_or(|at| at + TURN_MILLIS <= shell.now);
        if !due {
            return Ok(());
        }
        life.led.insert(what.clone(), shell.now);
        self.call(what, it.next(), it.challenge(&self.name), shell)
    }
}

fn dealt(
    evil: bool,
    attempt: Digest,
    public: Option<(PublicShares, [u8; 32])>,
    dice: &mut Dice,
) -> Option<Word> {
    let (mut public, chain) = public?;
    if evil && dice.chance(150) {
        public.shares.reverse();
    }
    Some(Word::Dealt { attempt, public, chain })
}
