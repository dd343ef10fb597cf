//! The desk, the people and a coordinator that drops, repeats, reorders and replays what they say.

use alloy_primitives::{Address, Bytes};
use keystead_base::{Canonical as _, Digest, RequestId, RequestNonce, Signed, Timestamp};
use keystead_decision::Entry;
use keystead_fixture::{CHAIN, ETHER, FRIEND, STRANGER, YOUNG, name};
use keystead_intent::{
    AccountRef, Action, Approval, Asset, AuthorityChange, Freeze, GasTerms, Intent, RawEthereum, Replacement,
    RequestBatch, Transfer, Verdict, Veto,
};
use keystead_policy::PolicyVersion;

use crate::asked::{Asked, Payment, What};
use crate::rules::{APPROVERS, FOURTH, HUGE, LARGE, WEI_WINDOW, limit, set_limit};
use crate::simulation::{Event, Simulation};

/// Something that a client does later.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Asks again until there is an answer.
    Retry(RequestId),
    /// Approves, in a right or a wrong way.
    Approve(RequestId, &'static str, Bend),
    /// Stops a request.
    Veto(RequestId),
    /// Asks for the end of a freeze.
    Thaw,
    /// Asks for another limit.
    Policy(Turn),
    /// Asks for the key at its new home.
    Restore,
    /// The new home has it, if people said so.
    HandOver(RequestId),
}

/// How an approval is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bend {
    Straight,
    OtherDigest,
    OlderPolicy,
    Expired,
    AcrossPolicy,
    OwnRequest,
    SamePerson,
}

/// How a policy version follows the one in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Next,
    Gap,
    Rollback,
    OtherParent,
}

const BENDS: [Bend; 8] = [
    Bend::Straight,
    Bend::Straight,
    Bend::OtherDigest,
    Bend::OlderPolicy,
    Bend::Expired,
    Bend::AcrossPolicy,
    Bend::OwnRequest,
    Bend::SamePerson,
];

const GAS: u64 = 21_000;
/// So long clients have new ideas when everything is healed; then all is quiet but for what is due.
const ASKING_MILLIS: u64 = 20_000;

impl Simulation {
    /// The clients' next idea.
    pub(crate) fn clients(&mut self) {
        if self.healed {
            return self.ask_for_answers();
        }
        match self.dice.below(100) {
            0..=37 => self.pay_small(),
            38..=53 => self.pay_to_the_limit(),
            54..=68 => self.pay_large(),
            69..=77 => self.replace(),
            78..=80 => self.freeze(),
            81..=85 => self.change_policy(Turn::Next),
            86..=89 => {
                let turn = *self.dice.pick(&[Turn::Gap, Turn::Rollback, Turn::OtherParent]);
                self.change_policy(turn);
            }
            _ => self.replay(),
        }
        let pause = self.dice.between(400, 2_000);
        self.after(pause, Event::Clients);
    }

    pub(crate) fn act(&mut self, act: Act) {
        match act {
            Act::Retry(id) => self.retry(id),
            Act::Approve(id, who, bend) => self.approve(&id, who, bend),
            Act::Veto(id) => self.veto(id),
            Act::Thaw => self.thaw(),
            Act::Policy(turn) => self.change_policy(turn),
            Act::Restore => self.restore_key(),
            Act::HandOver(request) => self.hand_over(request),
        }
    }

    /// Through the coordinator: to some nodes, late, twice, or not at all.
    fn submit(&mut self, entry: Entry) {
        self.history.push(entry.clone());
        for _ in 0..self.dice.between(1, 3) {
            if self.dice.chance(150) {
                self.report.count("dropped by the coordinator");
                continue;
            }
            let node = self.dice.index(self.places.len());
            let pause = if self.dice.chance(50) {
                self.dice.between(2_000, 20_000)
            } else {
                self.dice.between(5, 800)
            };
            self.after(pause, Event::Submit { node, entry: Box::new(entry.clone()) });
        }
    }

    /// Directly to every node, around the coordinator.
    pub(crate) fn submit_everywhere(&mut self, entry: &Entry) {
        for node in 0..self.places.len() {
            let pause = self.dice.between(5, 60);
            self.after(pause, Event::Submit { node, entry: Box::new(entry.clone()) });
        }
    }

    /// When everything is healed, clients want their answers, and at first ask for more.
    fn ask_for_answers(&mut self) {
        let asks = self.stated.is_some_and(|(healed, _)| self.now < healed + ASKING_MILLIS);
        if asks {
            self.pay_small();
        }
        let now = Timestamp(self.now);
        let open = |(id, it): &(&RequestId, &Asked)| self.oracle.stand(id).is_none() && it.expires > now;
        let entries: Vec<Entry> = self.asked.iter().filter(open).map(|(_, it)| it.entry.clone()).collect();
        entries.iter().for_each(|it| self.submit_everywhere(it));
        self.after(if asks { 1_000 } else { 5_000 }, Event::Clients);
    }

    fn retry(&mut self, id: RequestId) {
        let Some(asked) = self.asked.get(&id) else { return };
        if self.oracle.stand(&id).is_none() && asked.expires > Timestamp(self.now) && !self.healed {
            let entry = asked.entry.clone();
            self.submit(entry);
            self.later(8_000, Act::Retry(id));
        }
    }

    fn replay(&mut self) {
        if !self.history.is_empty() {
            self.report.count("replayed by the coordinator");
            let index = self.dice.index(self.history.len());
            let entry = self.history[index].clone();
            self.submit_everywhere(&entry);
        }
    }

    /// A signed request, known to the oracle from now on.
    pub(crate) fn request(
        &mut self,
        requester: &str,
        action: Action,
        what: What,
        lives_millis: u64,
    ) -> (RequestId, Entry) {
        self.intents += 1;
        let mut nonce = [0; 16];
        nonce[..8].copy_from_slice(&self.intents.to_be_bytes());
        let expires = Timestamp(self.now + lives_millis);
        let cluster = self.genesis.genesis.cluster();
        let (requester, nonce) = (name(requester), RequestNonce(nonce));
        let intent = Intent { cluster, requester: requester.clone(), nonce, expires, action };
        let id = intent.id();
        let members = self.desk.people.iter().chain([&self.desk.desk]);
        let member = members.into_iter().find(|it| it.name == requester).expect("somebody of the fixture");
        let batch = RequestBatch { intents: vec![intent] };
        let signed = Signed::new(batch, requester.clone(), &member.signer).expect("a signature");
        let entry = Entry::Requests(signed);
        self.asked.insert(id, Asked { requester, expires, what, entry: entry.clone(), taken: None });
        (id, entry)
    }

    fn ask(&mut self, requester: &str, action: Action, what: What) -> RequestId {
        let lives = if self.dice.chance(100) { 6_000 } else { self.dice.between(40_000, 400_000) };
        let (id, entry) = self.request(requester, action, what, lives);
        self.submit(entry);
        self.later(8_000, Act::Retry(id));
        id
    }

    fn transfer(&mut self, to: Address, wei: u128, nonce: u64) -> (Action, Payment) {
        let price = u128::from(self.dice.between(1_000_000_000, 3_000_000_000));
        let transfer = Transfer {
            account: hot(),
            chain: CHAIN,
            asset: Asset::Native,
            to,
            amount: wei.into(),
            gas: GasTerms {
                nonce,
                gas_limit: GAS,
                max_fee_per_gas: price,
                max_priority_fee_per_gas: 1_000_000_000,
            },
        };
        let action = Action::Transfer(transfer);
        let digest = self.digest_of(&action);
        let fee = u128::from(GAS) * price;
        (action, Payment { nonce, digest, wei, fee, to, replaces: None })
    }

    fn digest_of(&self, action: &Action) -> Digest {
        keystead_chain::build(action, self.address).expect("a transfer has bytes").signing_digest()
    }

    /// A fresh nonce, or one that others contend for.
    fn nonce(&mut self) -> u64 {
        if self.next_nonce > 3 && self.dice.chance(250) {
            return self.next_nonce - 1 - self.dice.below(3);
        }
        self.next_nonce += 1;
        self.next_nonce - 1
    }

    fn pay(&mut self, requester: &str, to: Address, wei: u128) -> RequestId {
        let nonce = self.nonce();
        let (action, payment) = self.transfer(to, wei, nonce);
        self.ask(requester, action, What::Pay(payment))
    }

    fn pay_small(&mut self) {
        let to = match self.dice.below(100) {
            0..=9 => YOUNG,
            10..=13 => STRANGER,
            _ => FRIEND,
        };
        let wei = u128::from(self.dice.between(1, 1_000)) * (ETHER / 1_000);
        let requester = *self.dice.pick(&["desk", "desk", "dora", "cleo"]);
        self.pay(requester, to, wei);
    }

    /// Exactly what fits the window, one wei more, or as much as fits without the fee.
    fn pay_to_the_limit(&mut self) {
        let wei_limit = limit(&self.oracle.policy, WEI_WINDOW).to_string().parse().unwrap_or(u128::MAX);
        let left = wei_limit.saturating_sub(self.oracle.used().0);
        let nonce = self.nonce();
        let (_, sample) = self.transfer(FRIEND, 0, nonce);
        let wei = match self.dice.below(3) {
            0 => left.saturating_sub(sample.fee),
            1 => (left + 1).saturating_sub(sample.fee),
            _ => left,
        };
        if wei == 0 || wei > ETHER {
            return self.pay_small();
        }
        let price = sample.fee / u128::from(GAS);
        let (action, payment) = self.transfer_at(wei, nonce, price);
        let (id, entry) = self.request("desk", action, What::Pay(payment), 60_000);
        self.submit_everywhere(&entry);
        self.later(8_000, Act::Retry(id));
    }

    fn transfer_at(&self, wei: u128, nonce: u64, price: u128) -> (Action, Payment) {
        let gas = GasTerms { nonce, gas_limit: GAS, max_fee_per_gas: price, max_priority_fee_per_gas: 1 };
        let (chain, asset, to) = (CHAIN, Asset::Native, FRIEND);
        let action = Action::Transfer(Transfer { account: hot(), chain, asset, to, amount: wei.into(), gas });
        let digest = self.digest_of(&action);
        let fee = u128::from(GAS) * price;
        (action, Payment { nonce, digest, wei, fee, to, replaces: None })
    }

    /// A payment of the reservation model: what leaves with its fee, at a nonce.
    pub(crate) fn model_payment(
        &mut self,
        nonce: u64,
        total: u128,
        replaces: Option<RequestId>,
    ) -> (RequestId, Entry) {
        let (action, mut payment) = self.transfer_at(total - u128::from(GAS), nonce, 1);
        payment.replaces = replaces;
        let action = self.replacing(action, replaces);
        self.request("desk", action, What::Pay(payment), 86_000_000)
    }

    /// The same transaction in the slot of another request.
    fn replacing(&self, action: Action, replaces: Option<RequestId>) -> Action {
        let Some(replaces) = replaces else { return action };
        let unsigned = keystead_chain::build(&action, self.address).expect("a transfer has bytes");
        let preimage = Bytes::from(unsigned.signing_preimage());
        let transaction = RawEthereum { account: hot(), chain: CHAIN, preimage };
        Action::Replacement(Replacement { replaces, transaction })
    }

    /// Needs approvals, and gets right or wrong ones.
    fn pay_large(&mut self) {
        let bend = *self.dice.pick(&BENDS);
        let huge = self.dice.chance(400);
        let from = if huge { HUGE } else { LARGE };
        let wei = from + u128::from(self.dice.below(500)) * (ETHER / 1_000);
        let requester = if bend == Bend::OwnRequest { "cleo" } else { "desk" };
        let to = if self.dice.chance(50) { YOUNG } else { FRIEND };
        let id = self.pay(requester, to, wei);
        self.schedule_approvals(id, bend);
        if huge && self.dice.chance(200) {
            let pause = self.dice.between(2_000, 11_000);
            self.later(pause, Act::Veto(id));
        }
    }

    fn schedule_approvals(&mut self, id: RequestId, bend: Bend) {
        let first = self.dice.between(1_200, 4_000);
        let people: [&'static str; 2] = match bend {
            Bend::OwnRequest => ["cleo", "ana"],
            Bend::SamePerson => ["ana", "ana"],
            _ => *self.dice.pick(&[["ana", "ben"], ["ben", "ana"]]),
        };
        match bend {
            Bend::AcrossPolicy => {
                self.later(first, Act::Approve(id, people[0], Bend::Straight));
                self.later(first + 1_000, Act::Policy(Turn::Next));
                self.later(first + 9_000, Act::Approve(id, people[1], Bend::Straight));
            }
            _ => people.into_iter().enumerate().for_each(|(index, who)| {
                let pause = first + 700 * index as u64;
                self.later(pause, Act::Approve(id, who, bend));
            }),
        }
        if self.dice.chance(400) {
            let pause = self.dice.between(6_000, 20_000);
            for who in APPROVERS {
                self.later(pause, Act::Approve(id, who, Bend::Straight));
            }
        }
    }

    fn approve(&mut self, id: &RequestId, who: &str, bend: Bend) {
        let Some(asked) = self.asked.get(id) else { return };
        let mut digest = asked.approved_digest(id);
        let mut version = self.oracle.policy.number;
        let mut lives = i64::try_from(self.dice.between(3_000, 60_000)).unwrap_or_default();
        match bend {
            Bend::OtherDigest => digest.0[0] ^= 1,
            Bend::OlderPolicy => version = version.saturating_sub(1),
            Bend::Expired => lives = -20_000,
            Bend::Straight | Bend::AcrossPolicy | Bend::OwnRequest | Bend::SamePerson => {}
        }
        let entry = self.approval(id, who, digest, version, lives);
        self.submit(entry);
    }

    /// A signed approval.
    pub(crate) fn approval(
        &self,
        id: &RequestId,
        who: &str,
        signing_digest: Digest,
        policy_version: u64,
        lives_millis: i64,
    ) -> Entry {
        let body = Approval {
            cluster: self.genesis.genesis.cluster(),
            request: *id,
            signing_digest,
            policy_version,
            verdict: Verdict::Approve,
            person: name(who),
            device: name("laptop"),
            expires: Timestamp(self.now.saturating_add_signed(lives_millis)),
        };
        let person = self.desk.person(who);
        Entry::Approval(Signed::new(body, person.name.clone(), &person.signer).expect("a signature"))
    }

    fn veto(&mut self, request: RequestId) {
        let expires = Timestamp(self.now + 30_000);
        let (person, device) = (name("eve"), name("laptop"));
        let body = Veto { cluster: self.genesis.genesis.cluster(), request, person, device, expires };
        let eve = self.desk.person("eve");
        let entry = Entry::Veto(Signed::new(body, eve.name.clone(), &eve.signer).expect("a signature"));
        self.submit_everywhere(&entry);
    }

    fn replace(&mut self) {
        if self.next_nonce == 0 {
            return;
        }
        let nonce = self.next_nonce - 1 - self.dice.below(self.next_nonce.min(6));
        let latest = self.oracle.latest_at(nonce);
        let all: Vec<RequestId> = self.oracle.open();
        let other = if all.is_empty() { None } else { Some(*self.dice.pick(&all)) };
        let named = if self.dice.chance(700) { latest } else { other };
        let Some(replaces) = named.or(other) else { return };
        let wei = u128::from(self.dice.between(1, 1_000)) * (ETHER / 1_000);
        let (action, mut payment) = self.transfer(FRIEND, wei, nonce);
        payment.replaces = Some(replaces);
        let action = self.replacing(action, Some(replaces));
        self.ask("desk", action, What::Pay(payment));
    }

    fn freeze(&mut self) {
        self.report.count("freeze");
        let key = self.dice.chance(500).then(|| name("hot"));
        let (person, device) = (name("eve"), name("laptop"));
        let expires = Timestamp(self.now + 8_000);
        let body = Freeze { cluster: self.genesis.genesis.cluster(), key, person, device, expires };
        let eve = self.desk.person("eve");
        let entry = Entry::Freeze(Signed::new(body, eve.name.clone(), &eve.signer).expect("a signature"));
        self.submit_everywhere(&entry);
        let pause = self.dice.between(4_000, 12_000);
        self.later(pause, Act::Thaw);
    }

    fn thaw(&mut self) {
        let frozen = self.oracle.frozen();
        if self.healed || (!frozen.everything && frozen.keys.is_empty()) {
            return;
        }
        let key = if frozen.everything { None } else { Some(name("hot")) };
        self.change_authority(AuthorityChange::Thaw { key }, None);
        self.later(12_000, Act::Thaw);
    }

    fn change_policy(&mut self, turn: Turn) {
        if self.healed {
            return;
        }
        let current = self.oracle.policy.clone();
        let mut next = current.clone();
        next.previous = current.digest();
        next.number = match turn {
            Turn::Next | Turn::OtherParent => current.number + 1,
            Turn::Gap => current.number + 2,
            Turn::Rollback => current.number.saturating_sub(1),
        };
        if turn == Turn::OtherParent {
            next.previous.0[0] ^= 1;
        }
        let ether = u128::from(self.dice.between(40, 80)) * (ETHER / 10);
        set_limit(&mut next, WEI_WINDOW, ether.into());
        let document = next.to_document().into();
        self.change_authority(AuthorityChange::Policy { document }, Some(next));
    }

    /// `cleo` asks, and two people approve; sometimes she approves herself first.
    pub(crate) fn change_authority(&mut self, change: AuthorityChange, next: Option<PolicyVersion>) {
        let what = match (&change, next) {
            (_, Some(next)) => What::Policy(Box::new(next)),
            (AuthorityChange::Thaw { .. }, None) => What::Thaw,
            _ => What::Ceremony,
        };
        let (id, entry) = self.request("cleo", Action::Authority(change), what, 60_000);
        self.submit_everywhere(&entry);
        self.later(8_000, Act::Retry(id));
        let bend = if self.dice.chance(200) && !self.healed { Bend::OwnRequest } else { Bend::Straight };
        let people: &[&'static str] = match (bend, self.plan.lost) {
            (Bend::OwnRequest, _) => &["cleo", "ana"],
            (_, true) => &["ana", "ben", FOURTH],
            (_, false) => &["ana", "ben"],
        };
        for who in people {
            let pause = self.dice.between(1_000, 3_000);
            self.later(pause, Act::Approve(id, who, Bend::Straight));
            self.later(pause + 3_500, Act::Approve(id, who, Bend::Straight));
        }
    }
}

fn hot() -> AccountRef {
    AccountRef { key: name("hot"), index: 0 }
}
