//! What must hold after a storm, found in the four ledgers, in what clients were told, and on the chain.
//!
//! Nothing here calls the state machine's own accounting, but for one thing: each ledger is audited from its
//! genesis on, row by row, as an auditor would.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, U256};
use keystead_base::{Amount, ClusterId, Digest, Name, RequestId};
use keystead_decision::{Decision, Entry, Outcome, Strict};
use keystead_intent::{Action, Intent, Slot, Transfer};
use keystead_ledger::{Ledger, SignatureRecord};
use keystead_policy::{Reason, Window};
use keystead_tests::fixture::name;
use keystead_wire::RequestView;

use crate::orders::{self, Order};

/// Everything that is known when a storm is over.
#[derive(Clone, Default)]
pub(crate) struct Story {
    /// The header digests of each node's log.
    pub(crate) logs: Vec<Vec<Digest>>,
    /// What each node's log replays to: height and digest of the state.
    pub(crate) states: Vec<(u64, Digest)>,
    /// The decisions, in their order.
    pub(crate) decisions: Vec<Decision>,
    pub(crate) intents: BTreeMap<RequestId, Intent>,
    /// The windows of each policy version.
    pub(crate) windows: BTreeMap<u64, Vec<Window>>,
    /// The signatures in each node's ledger.
    pub(crate) signatures: Vec<SignatureRecord>,
    /// What clients were told.
    pub(crate) answers: Vec<RequestView>,
    /// Transaction hashes that a wallet was told.
    pub(crate) hashes: Vec<Digest>,
    /// What became of orders.
    pub(crate) orders: Vec<Order>,
    /// What the chain executed from the key's accounts.
    pub(crate) mined: Vec<Mined>,
}

/// A transaction of the chain.
#[derive(Clone, Copy)]
pub(crate) struct Mined {
    pub(crate) hash: Digest,
    pub(crate) to: Address,
    pub(crate) value: U256,
}

impl Story {
    /// Reads the ledgers of nodes that do not run, by their URLs, the first one's decisions for all.
    pub(crate) async fn read(&mut self, cluster: ClusterId, ledgers: &[String]) {
        for (node, url) in ledgers.iter().enumerate() {
            let ledger = Ledger::open(url).await.unwrap();
            let report = ledger.audit(cluster, None, &Strict::default()).await;
            let report = report.unwrap_or_else(|error| panic!("node-{}: {error}", node + 1));
            self.states.push((report.blocks, report.state));
            let digests = self.read_log(&ledger, node == 0).await;
            self.logs.push(digests);
            let allowed: BTreeSet<_> = self.allows().map(|(decision, _)| decision.subject).collect();
            for request in allowed {
                self.signatures.extend(ledger.signature(&request).await.unwrap());
            }
            ledger.close().await;
        }
    }

    async fn read_log(&mut self, ledger: &Ledger, decisions: bool) -> Vec<Digest> {
        use keystead_base::Canonical as _;
        let (mut digests, tip) = (Vec::new(), ledger.tip().await.unwrap().0);
        for first in (1..=tip).step_by(64) {
            for block in ledger.blocks(first, 64).await.unwrap() {
                digests.push(block.commit.header.digest());
                if decisions {
                    self.decisions.extend(ledger.decisions(block.commit.header.height).await.unwrap());
                    self.intents.extend(intents(&block.entries));
                }
            }
        }
        for number in 0.. {
            let Some((_, policy)) = ledger.policy(number).await.unwrap() else { break };
            self.windows.insert(number, policy.windows);
        }
        digests
    }

    /// Everything that is wrong.
    pub(crate) fn findings(&self) -> Vec<String> {
        let mut findings = self.forks();
        findings.extend(self.slots());
        findings.extend(self.sums());
        findings.extend(self.signed());
        findings.extend(self.freezes());
        findings.extend(self.told());
        findings.extend(self.executed());
        let froze = self.decisions.iter().any(|it| matches!(it.outcome, Outcome::Frozen { .. }));
        findings.extend(orders::findings(&self.orders, &self.mined, froze));
        findings
    }

    /// S3, L2: one header for each height, and one state for the log.
    fn forks(&self) -> Vec<String> {
        let mut headers: BTreeMap<usize, BTreeSet<&Digest>> = BTreeMap::new();
        for (index, digest) in self.logs.iter().flat_map(|log| log.iter().enumerate()) {
            headers.entry(index + 1).or_default().insert(digest);
        }
        let forks = headers.iter().filter(|(_, digests)| digests.len() > 1);
        let mut findings: Vec<_> =
            forks.map(|(height, digests)| format!("S3: {} headers at {height}", digests.len())).collect();
        let states: BTreeSet<_> = self.states.iter().collect();
        let heights: BTreeSet<_> = self.states.iter().map(|(height, _)| height).collect();
        if states.len() > heights.len() {
            findings.push(format!("L1: one log replays to several states: {:?}", self.states));
        }
        findings
    }

    /// S4: one digest for each slot, in the log and in what was signed.
    fn slots(&self) -> Vec<String> {
        let mut slots: BTreeMap<Slot, BTreeSet<Digest>> = BTreeMap::new();
        for (_, grant) in self.allows() {
            if let Some(slot) = grant.slot {
                slots.entry(slot).or_default().insert(grant.signing_digest);
            }
        }
        let many = slots.iter().filter(|(_, digests)| digests.len() > 1);
        many.map(|(slot, digests)| format!("S4: {} digests at {slot:?}", digests.len())).collect()
    }

    /// S10: each window recounted from the requests, at each decision about one.
    fn sums(&self) -> Vec<String> {
        let (mut findings, mut sums, mut counted) =
            (Vec::new(), BTreeMap::<Name, U256>::new(), BTreeSet::new());
        for decision in &self.decisions {
            let Some(windows) = self.windows.get(&decision.policy.number) else { continue };
            match &decision.outcome {
                Outcome::Allow(_) if counted.insert(decision.subject) => {
                    for (window, asked) in self.charges(windows, &decision.subject) {
                        let sum = sums.entry(window.id.clone()).or_default();
                        *sum += asked;
                        if *sum > window.limit.0 {
                            findings.push(format!("S10: {} holds {sum} of {:?}", window.id, window.limit));
                        }
                    }
                }
                Outcome::Deny { reasons, .. } => {
                    findings.extend(reasons.iter().filter_map(|it| miscounted(it, &sums)));
                }
                _ => {}
            }
        }
        findings
    }

    fn charges<'w>(&self, windows: &'w [Window], request: &RequestId) -> Vec<(&'w Window, U256)> {
        let Some(transfer) = self.intents.get(request).and_then(transfer_of) else { return Vec::new() };
        let fee = U256::from(transfer.gas.gas_limit) * U256::from(transfer.gas.max_fee_per_gas);
        let ether = windows.iter().filter(|it| it.id == name("ether-per-day") || it.id == name("narrow"));
        let counted = ether.filter_map(|window| match window.destinations.as_slice() {
            [] => Some((window, transfer.amount.0 + fee)),
            named => named.contains(&transfer.to).then_some((window, transfer.amount.0)),
        });
        counted.collect()
    }

    /// S3, S5: each signature is one that the log allows, and there is one for each request, everywhere the same.
    fn signed(&self) -> Vec<String> {
        let allowed: BTreeMap<(u64, RequestId), Digest> =
            self.allows().map(|(it, grant)| ((it.height, it.subject), grant.signing_digest)).collect();
        let (mut findings, mut bytes) = (Vec::new(), BTreeMap::<RequestId, &[u8]>::new());
        for record in &self.signatures {
            if allowed.get(&(record.height, record.request)) != Some(&record.signing_digest) {
                findings
                    .push(format!("S3: {} is signed at {} and not allowed", record.request, record.height));
            }
            if *bytes.entry(record.request).or_insert(&record.signature) != record.signature {
                findings.push(format!("S5: {} has two signatures", record.request));
            }
        }
        findings
    }

    /// S14: nothing is allowed, and so nothing signed, between a freeze and its thaw.
    fn freezes(&self) -> Vec<String> {
        let (mut findings, mut frozen) = (Vec::new(), None);
        for decision in &self.decisions {
            match &decision.outcome {
                Outcome::Frozen { .. } | Outcome::Found { .. } => frozen = Some(decision.height),
                Outcome::Thawed { .. } => frozen = None,
                Outcome::Allow(_) if frozen.is_some() => {
                    findings.push(format!("S14: {} is allowed at {}", decision.subject, decision.height));
                }
                _ => {}
            }
        }
        findings
    }

    /// D4: whatever a client was told is in the log, with the very decision and the very signature.
    fn told(&self) -> Vec<String> {
        let mut decided: BTreeMap<RequestId, Vec<&Decision>> = BTreeMap::new();
        for decision in &self.decisions {
            decided.entry(decision.subject).or_default().push(decision);
        }
        let signatures: BTreeMap<_, _> = self.signatures.iter().map(|it| (it.request, it)).collect();
        let mut findings = Vec::new();
        for answer in &self.answers {
            if !decided.get(&answer.request).is_some_and(|it| it.contains(&&answer.decision)) {
                findings.push(format!("D4: {} was answered and is not in the log", answer.request));
            }
            let stored = signatures.get(&answer.request).map(|it| it.signed.as_slice());
            if answer.signed.as_ref().is_some_and(|it| Some(&it.raw[..]) != stored) {
                findings.push(format!("D4: the signature of {} was answered and is gone", answer.request));
            }
        }
        let known = self.transactions();
        let unknown = self.hashes.iter().filter(|it| !known.contains(it));
        findings.extend(unknown.map(|it| format!("D4: a wallet was told of {it}, which nobody signed")));
        findings
    }

    /// S3, S10: what the chain executed was signed, and is within the limits. D4: what a wallet was told of is executed.
    fn executed(&self) -> Vec<String> {
        let known = self.transactions();
        let stray = self.mined.iter().filter(|it| !known.contains(&it.hash));
        let mut findings: Vec<_> =
            stray.map(|it| format!("S3: {} executed and nobody signed it", it.hash)).collect();
        let executed: BTreeSet<_> = self.mined.iter().map(|it| it.hash).collect();
        let lost = self.hashes.iter().filter(|it| !executed.contains(it));
        findings.extend(lost.map(|it| format!("D4: {it} was promised and is not executed")));
        let narrow = self.mined.iter().filter(|it| it.to == crate::founded::NARROW);
        let left: U256 = narrow.map(|it| it.value).sum();
        let widest = self.windows.values().flatten().filter(|it| it.id == name("narrow")).map(|it| it.limit);
        if left > widest.max().unwrap_or(Amount::MAX).0 {
            findings.push(format!("S10: {left} wei left on the chain"));
        }
        findings
    }

    fn transactions(&self) -> BTreeSet<Digest> {
        self.signatures.iter().filter_map(|it| it.transaction).collect()
    }

    fn allows(&self) -> impl Iterator<Item = (&Decision, &keystead_decision::Grant)> {
        self.decisions.iter().filter_map(|it| match &it.outcome {
            Outcome::Allow(grant) => Some((it, grant)),
            _ => None,
        })
    }

    /// How much there was to look at.
    pub(crate) fn size(&self) -> String {
        let allowed: BTreeSet<_> = self.allows().map(|(decision, _)| decision.subject).collect();
        let denied = self.decisions.iter().filter(|it| matches!(it.outcome, Outcome::Deny { .. })).count();
        format!(
            "{} blocks, {} allowed, {denied} denied, {} answers, {} orders, {} executed",
            self.logs.iter().map(Vec::len).max().unwrap_or_default(),
            allowed.len(),
            self.answers.len(),
            self.orders.len(),
            self.mined.len(),
        )
    }
}

/// A denial for a limit names the sum that was used, and one unit less would have been allowed or not by it.
fn miscounted(reason: &Reason, sums: &BTreeMap<Name, U256>) -> Option<String> {
    let Reason::LimitExceeded { window, limit, used, asked, .. } = reason else { return None };
    let sum = sums.get(window).copied().unwrap_or_default();
    let right = used.0 == sum && sum + asked.0 > limit.0;
    (!right).then(|| format!("S10: {window} denies {asked:?} at {used:?}, the sum is {sum} of {limit:?}"))
}

fn intents(entries: &[Entry]) -> Vec<(RequestId, Intent)> {
    let batches = entries.iter().filter_map(|it| match it {
        Entry::Requests(signed) => Some(&signed.body.intents),
        _ => None,
    });
    batches.flatten().map(|intent| (intent.id(), intent.clone())).collect()
}

fn transfer_of(intent: &Intent) -> Option<&Transfer> {
    match &intent.action {
        Action::Transfer(transfer) => Some(transfer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use keystead_base::{Canonical as _, Timestamp};
    use keystead_decision::Grant;
    use keystead_intent::{AccountRef, DangerClass};
    use keystead_policy::{Bucket, PolicyRef};
    use keystead_tests::fixture::{CHAIN, Desk};
    use keystead_wire::{RequestStage, SignedPayload};

    use super::*;
    use crate::founded::{NARROW, narrowed};
    use crate::people::{People, transfer};

    /// Breaks a story.
    type Forge = fn(&mut Story);

    const LIMIT: u64 = crate::founded::NARROW_LIMIT;

    /// A desk that paid twice, up to the narrow limit, and asked for one wei more.
    fn story() -> Story {
        let desk = Desk::default();
        let mut policy = desk.policy();
        narrowed(&mut policy);
        let people = People::new(desk, ClusterId(digest(1)), Vec::new());
        let mut story = Story { windows: BTreeMap::from([(0, policy.windows)]), ..Story::default() };
        let mut ids = Vec::new();
        for (nonce, wei) in [(0, LIMIT - 1), (1, 1), (2, 1)] {
            let intent = people.intent("dora", transfer(1, NARROW, wei, nonce));
            ids.push(intent.id());
            story.intents.insert(intent.id(), intent);
        }
        for (height, id) in (1..).zip(&ids[..2]) {
            story.decisions.push(decision(height, *id, allow(height)));
            let (signed, transaction) = (vec![u8::try_from(height).unwrap()], Some(digest(height)));
            let (position, signing_digest) = (0, digest(height));
            let signature = signed.clone();
            let request = *id;
            story.signatures.push(SignatureRecord {
                request,
                height,
                position,
                signing_digest,
                signature,
                signed,
                transaction,
            });
            story.mined.push(Mined { hash: digest(height), to: NARROW, value: U256::from(height) });
        }
        story.decisions.push(decision(3, ids[2], exceeded(LIMIT)));
        story.answers = story.decisions.iter().map(answer).collect();
        story.answers[0].signed = Some(payload(&story.signatures[0]));
        story.hashes = vec![digest(1), digest(2)];
        story.logs = vec![vec![digest(1), digest(2), digest(3)]; 4];
        story.states = vec![(3, digest(9)); 4];
        story
    }

    fn digest(number: u64) -> Digest {
        Digest([u8::try_from(number).unwrap(); 32])
    }

    fn decision(height: u64, subject: RequestId, outcome: Outcome) -> Decision {
        let policy = PolicyRef { number: 0, digest: digest(0) };
        Decision { cluster: ClusterId(digest(1)), height, subject, policy, rules: Vec::new(), outcome }
    }

    fn allow(nonce: u64) -> Outcome {
        Outcome::Allow(Grant {
            account: AccountRef { key: name("hot"), index: 1 },
            address: NARROW,
            epoch: 1,
            chain: CHAIN,
            signing_digest: digest(nonce),
            slot: Some(Slot { chain: CHAIN, account: NARROW, nonce }),
            class: DangerClass::Transfer,
            expires: Timestamp(0),
        })
    }

    fn exceeded(used: u64) -> Outcome {
        let reason = Reason::LimitExceeded {
            window: name("narrow"),
            bucket: Bucket::default(),
            limit: Amount::from(LIMIT),
            used: Amount::from(used),
            asked: Amount::from(1_u64),
        };
        Outcome::Deny { class: None, reasons: vec![reason] }
    }

    fn answer(decision: &Decision) -> RequestView {
        RequestView {
            request: decision.subject,
            stage: RequestStage::Signed,
            decision: decision.clone(),
            signed: None,
            refusal: None,
            file: None,
        }
    }

    fn payload(record: &SignatureRecord) -> SignedPayload {
        SignedPayload {
            signing_digest: record.signing_digest,
            signature: record.signature.clone().into(),
            raw: record.signed.clone().into(),
            transaction: record.transaction,
        }
    }

    fn frozen(story: &mut Story) {
        let outcome = Outcome::Frozen { key: None, person: name("eve") };
        story.decisions.insert(0, decision(1, RequestId(digest(7)), outcome));
    }

    fn once_more(story: &mut Story, outcome: Outcome) {
        let id = *story.intents.keys().find(|id| story.decisions[2].subject == **id).unwrap();
        story.decisions.push(decision(4, id, outcome));
    }

    #[test]
    fn a_story_without_a_break_has_no_finding() {
        assert_eq!(story().findings(), Vec::<String>::new());
        assert_ne!(story().intents.first_key_value().unwrap().1.digest(), digest(0));
    }

    #[test]
    fn each_break_is_found_and_named() {
        let breaks: [(&str, Forge); 18] = [
            ("S3: 2 headers at 3", |it| it.logs[1][2] = digest(8)),
            ("S3: 2 headers at 1", |it| it.logs[3][0] = digest(8)),
            ("L1:", |it| it.states[2].1 = digest(8)),
            ("S4:", |it| once_more(it, allow_other_digest())),
            ("S10: narrow holds 401", |it| once_more(it, allow(5))),
            ("S10: narrow denies", |it| it.decisions[2].outcome = exceeded(LIMIT - 1)),
            ("S10: narrow denies", |it| drop(it.decisions.remove(1))),
            ("S3: ", |it| it.signatures[1].signing_digest = digest(8)),
            ("S3: ", |it| drop(it.decisions.remove(0))),
            ("S5:", |it| {
                let other = SignatureRecord { signature: vec![9], ..it.signatures[0].clone() };
                it.signatures.push(other);
            }),
            ("S14:", frozen),
            ("D4: ", |it| it.answers[2].decision.height = 2),
            ("D4: the signature", |it| it.answers[0].signed.as_mut().unwrap().raw = vec![7].into()),
            ("D4: a wallet", |it| it.hashes.push(digest(8))),
            ("S3: ", |it| it.mined[0].hash = digest(8)),
            ("D4: ", |it| it.mined.truncate(1)),
            ("S5: the order", |it| it.orders.push(Order { wei: 7, hash: Some(digest(1)) })),
            ("S10: 401 wei", |it| it.mined[0].value = U256::from(399)),
        ];
        for (named, forge) in breaks {
            let mut forged = story();
            forge(&mut forged);
            let findings = forged.findings();
            assert!(findings.iter().any(|it| it.starts_with(named)), "{named}: {findings:?}");
        }
    }

    fn allow_other_digest() -> Outcome {
        let Outcome::Allow(grant) = allow(1) else { unreachable!("it allows") };
        Outcome::Allow(Grant { signing_digest: digest(8), ..grant })
    }
}
