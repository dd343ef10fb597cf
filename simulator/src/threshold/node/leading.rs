//! Signatures: who leads a run, whom it calls, and what a node signs with when it is called.

use std::collections::BTreeSet;

use keystead_base::{Digest, Name, tagged_hash};
use keystead_threshold::{Holders, Purpose, Scheme, Session};

use super::{Node, TURN_MILLIS};
use crate::threshold::ThresholdBug;
use crate::threshold::evil::relabeled;
use crate::threshold::log::{Word, digest_of, session};
use crate::threshold::run;
use crate::threshold::shell::{Call, Crashed, Mail, Shell, What};

impl Node {
    /// Leads the runs whose turn it is.
    pub(super) fn lead(&mut self, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some(view) = self.view() else { return Ok(()) };
        if self.evil
            && shell.dice.chance(30)
            && let Some(sharing) = view.sharing()
        {
            shell.report.fault("call for nothing granted");
            let text = tagged_hash("keystead/simulated-theft", &shell.now.to_le_bytes()).0;
            self.call(What::Grant(u64::MAX), &sharing.public.holders, text, shell)?;
        }
        let clock = self.clock(shell.now);
        for (id, grant) in
            view.grants.iter().filter(|(_, grant)| grant.signed.is_none() && grant.expires > clock)
        {
            let Some(sharing) = view.sharings.get(&grant.epoch) else { continue };
            let what = What::Grant(*id);
            let Some(life) = &mut self.life else { return Ok(()) };
            if let Some(signature) = life.signatures.get(&what) {
                shell.words.push(Word::Signed { grant: *id, signature: *signature });
                continue;
            }
            let turn = clock.saturating_sub(grant.asked) / TURN_MILLIS;
            let held = self.disk.shares.contains_key(&(sharing.epoch, sharing.attempt));
            let mine = in_turn(&sharing.public.holders, *id, turn) == Some(&self.name);
            if held && mine && life.led.insert(what.clone(), turn) != Some(turn) {
                self.call(what, &sharing.public.holders, grant.text, shell)?;
            }
        }
        Ok(())
    }

    /// Calls a set of holders to a run: those who failed it least, and whom it does not keep out.
    pub(super) fn call(
        &mut self,
        what: What,
        holders: &Holders,
        text: [u8; 32],
        shell: &mut Shell<'_>,
    ) -> Result<(), Crashed> {
        let Some(life) = &self.life else { return Ok(()) };
        let key = "hot".parse().expect("a name");
        let free = |name: &&Name| **name != self.name && !life.journal.is_blocked(&key, name);
        let mut others: Vec<(u32, u64, Name)> = holders
            .members()
            .iter()
            .filter(free)
            .map(|name| (life.failures.get(name).copied().unwrap_or(0), shell.dice.roll(), name.clone()))
            .collect();
        others.sort();
        let mut signers = vec![self.name.clone()];
        signers.extend(others.into_iter().map(|(.., name)| name).take(usize::from(holders.threshold()) - 1));
        let salt = shell.dice.roll();
        let call = Call { what, leader: self.name.clone(), signers, salt, text };
        for to in call.signers.iter().filter(|name| **name != self.name) {
            shell.send(to, Mail::Call(call.clone()))?;
        }
        self.join(&call, shell)
    }

    pub(super) fn join(&mut self, call: &Call, shell: &mut Shell<'_>) -> Result<(), Crashed> {
        let Some((session, share, text)) = self.admit(call, shell) else { return Ok(()) };
        self.begin(session, call.what.clone(), text, |begun| run::sign(begun, &share, &text), shell)
    }

    /// INVARIANT S3: a node builds what it signs from the log's word, whatever the leader says.
    fn admit(&mut self, call: &Call, shell: &mut Shell<'_>) -> Option<(Session, Vec<u8>, [u8; 32])> {
        let view = self.view()?;
        let (holders, place, text) = match &call.what {
            What::Grant(id) => {
                let granted = view.grants.get(id).filter(|grant| grant.expires > self.clock(shell.now));
                let (text, epoch) = match granted {
                    Some(grant) => (grant.text, grant.epoch),
                    None if self.evil || shell.has(ThresholdBug::GrantUnchecked) => (call.text, view.epoch),
                    None => return None,
                };
                let sharing = view.sharings.get(&epoch)?;
                (sharing.public.holders.clone(), (sharing.epoch, sharing.attempt), text)
            }
            What::Proof(attempt, of) => {
                let it = view.convening.as_ref().filter(|it| it.attempt() == *attempt)?;
                it.agreed().filter(|_| it.makes().contains(of))?;
                (it.next().clone(), Self::place(&view)?, it.challenge(of))
            }
            What::Ceremony(..) => return None,
        };
        let share = self.share(place, view.scheme, shell)?;
        let bytes = borsh::to_vec(&(&call.leader, &call.signers, call.salt, text)).expect("bytes");
        let digest = digest_of(view.scheme, &text);
        let purpose = Purpose::Sign { signers: call.signers.clone(), digest, path: Vec::new() };
        let attempt = tagged_hash("keystead/simulated-call", &bytes);
        Some((session(view.scheme, place.0, holders, purpose, attempt), share, text))
    }

    /// What it signs with: a malicious one takes an old scalar in a share that says that it is the new one at times.
    fn share(&self, place: (u32, Digest), scheme: Scheme, shell: &mut Shell<'_>) -> Option<Vec<u8>> {
        let newest = self.disk.shares.get(&place)?;
        let old = self.disk.shares.iter().find(|(key, _)| key.0 < place.0).map(|(_, bytes)| bytes);
        match old {
            Some(old) if self.evil && scheme != Scheme::EcdsaDkls23 && shell.dice.chance(150) => {
                shell.report.fault("old share");
                Some(relabeled(newest, old))
            }
            _ => Some(newest.clone()),
        }
    }
}

/// Whose turn it is to lead: all compute one order.
fn in_turn(holders: &Holders, grant: u64, turn: u64) -> Option<&Name> {
    let rank = |name: &Name| {
        let bytes = [grant.to_le_bytes().as_slice(), name.as_str().as_bytes()].concat();
        tagged_hash("keystead/simulated-turn", &bytes)
    };
    let order: BTreeSet<(Digest, &Name)> = holders.members().iter().map(|name| (rank(name), name)).collect();
    let at = usize::try_from(turn).ok()?.checked_rem(order.len())?;
    order.into_iter().nth(at).map(|(_, name)| name)
}
