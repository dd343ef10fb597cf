//! The model against the engine: what one lets pass, the other does, for requests drawn at random.

use alloy_primitives::{Address, B256, U256, hex};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Request, RestrictedExpression as Value,
};
use keystead_base::{Amount, Coded as _, Digest, Name, Timestamp};
use keystead_fixture::{BIRTH, CHAIN, Desk, FRIEND, STRANGER, TOKEN, name};
use keystead_intent::{
    ActionKind, Allowance, Asset, AuthorityKind, ChainId, DangerClass, Effect, EffectKind, Effects, Fee,
    OpaqueReason, Slot,
};
use keystead_policy::{
    AssuranceLevel, Cooling, Engine, Facts, FeeCap, Measure, Need, PolicyVersion, Prices, Question,
    QuorumRow, Reason, Requirement, Rule, Ruling, Simulated, Subject, Threshold,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::auxiliary::{Seat, Vocabulary};
use crate::passage::{Passage, Scene};

const ACCOUNT: Address = Address::repeat_byte(0xaa);
const NATIVE: Measure = Measure::Asset { chain: CHAIN, asset: Asset::Native };
const COINS: Measure = Measure::Asset { chain: CHAIN, asset: Asset::Token(TOKEN) };
/// Beyond what Cedar's numbers hold.
const HUGE: u128 = 20_000_000_000_000_000_000;

/// Rows with ladders, delays and vetoers; rules with every exception that an annotation names.
fn version() -> PolicyVersion {
    let mut version = Desk::default().policy();
    let rule = |id: &str, cedar: String| Rule { id: name(id), cedar };
    let call = format!("{TOKEN:#x}/0x01020304");
    version.rules = vec![
        rule("anywhere", "@any_destination(\"true\") permit(principal, action in Action::\"sign\", resource == Key::\"warm\") when { context.class == \"transfer\" };".to_owned()),
        rule("known", "permit(principal in Role::\"desk\", action in Action::\"sign\", resource) when { context.class != \"blind_digest\" };".to_owned()),
        rule("near-nonces", "forbid(principal, action in Action::\"sign\", resource) when { context.nonce_ahead > 2 && !context.cancels };".to_owned()),
        rule("opaque", format!("@opaque(\"{call}\") permit(principal, action in Action::\"sign\", resource) when {{ context.class == \"opaque\" }};")),
        rule("small-only", "forbid(principal, action in Action::\"sign\", resource) when { context.effects > 2 };".to_owned()),
    ];
    let need = |role: &str, count| Need { role: name(role), count, factors: Vec::new() };
    let row = |id: &str,
               classes: &[DangerClass],
               from: Option<(Measure, u128)>,
               needs: Vec<Need>,
               delay_seconds| QuorumRow {
        id: name(id),
        keys: Vec::new(),
        classes: classes.to_vec(),
        changes: Vec::new(),
        from: from.map(|(measure, amount)| Threshold { measure, amount: Amount::from(amount) }),
        needs,
        delay_seconds,
        vetoers: if delay_seconds > 0 { vec![name("vetoer")] } else { Vec::new() },
    };
    let transfer = &[DangerClass::Transfer][..];
    version.quorums = vec![
        row("a-transfers", transfer, None, Vec::new(), 0),
        row("b-coins", transfer, Some((COINS, 1_000)), vec![need("approver", 1)], 0),
        row("c-much", transfer, Some((NATIVE, HUGE)), vec![need("approver", 2), need("freezer", 1)], 60),
        row(
            "d-more",
            &[DangerClass::Transfer, DangerClass::Allowance],
            Some((NATIVE, 2 * HUGE)),
            vec![need("approver", 3)],
            600,
        ),
        QuorumRow {
            keys: vec![name("warm")],
            ..row(
                "e-rights",
                &[DangerClass::Allowance, DangerClass::Opaque],
                None,
                vec![need("approver", 1)],
                0,
            )
        },
        row("f-authority", &[DangerClass::Authority], None, vec![need("founder", 2)], 0),
        row("g-cancels", &[DangerClass::Cancel], None, vec![need("freezer", 1)], 0),
        QuorumRow {
            keys: vec![name("hot")],
            ..row("h-replaces", &[DangerClass::Replacement], None, vec![need("founder", 1)], 30)
        },
    ];
    version.windows.clear();
    version.fee_caps = fee_caps();
    version
}

/// One for everything, and a lower one for one key on one chain.
fn fee_caps() -> Vec<FeeCap> {
    vec![
        FeeCap {
            max_fee_per_gas: Some(Amount::from(100_u64)),
            fee: Some(Amount::from(HUGE)),
            ..fee_cap("a-all")
        },
        FeeCap {
            keys: vec![name("warm")],
            chains: vec![CHAIN],
            max_priority_fee_per_gas: Some(Amount::from(3_u64)),
            fee: Some(Amount::from(1_000_u64)),
            ..fee_cap("b-warm")
        },
    ]
}

fn fee_cap(id: &str) -> FeeCap {
    FeeCap {
        id: name(id),
        keys: Vec::new(),
        chains: Vec::new(),
        max_fee_per_gas: None,
        max_priority_fee_per_gas: None,
        fee: None,
        fee_fiat: None,
    }
}

fn fee() -> impl Strategy<Value = Fee> {
    let per_gas = prop_oneof![4 => Just(0_u64), 2 => Just(100), 1 => Just(101)];
    let tip = prop_oneof![Just(0_u64), Just(3), Just(4)];
    let max = prop_oneof![Just(0_u128), Just(1), Just(1_000), Just(1_001), Just(HUGE)];
    (per_gas, tip, max).prop_map(|(per_gas, tip, max)| Fee {
        max: max.into(),
        per_gas: per_gas.into(),
        tip_per_gas: tip.into(),
    })
}

fn kind() -> impl Strategy<Value = EffectKind> {
    let address = prop_oneof![Just(FRIEND), Just(STRANGER), Just(ACCOUNT), Just(Address::ZERO)];
    let native = prop_oneof![Just(0), Just(HUGE - 1), Just(HUGE), Just(HUGE + 1), Just(2 * HUGE)];
    let coins = prop_oneof![Just(0_u128), Just(500), Just(999), Just(1_000)];
    (address, native, coins, 0_u8..9).prop_map(|(to, native, coins, which)| match which {
        0 | 1 => {
            EffectKind::Transfer { asset: Asset::Native, from: ACCOUNT, to, amount: Amount::from(native) }
        }
        2 | 3 => EffectKind::Transfer {
            asset: Asset::Token(TOKEN),
            from: ACCOUNT,
            to,
            amount: Amount::from(coins),
        },
        4 => EffectKind::Allowance(Allowance {
            token: TOKEN,
            owner: ACCOUNT,
            spender: to,
            amount: Amount::from(coins),
            increase: native == 0,
            deadline: None,
            by_signature: false,
        }),
        5 => EffectKind::Opaque {
            to: Some(TOKEN),
            value: Amount::from(native),
            reason: OpaqueReason::UnknownSelector,
            data_hash: B256::ZERO,
        },
        6 => EffectKind::Authority { change: AuthorityKind::Owner, target: TOKEN, subject: Some(to) },
        7 => EffectKind::Delegation { authority: Some(ACCOUNT), delegate: to, chain: CHAIN, nonce: 0 },
        _ => EffectKind::NoValue,
    })
}

/// One opaque call is named by a rule, another is not.
fn selector(kind: &EffectKind) -> Option<[u8; 4]> {
    match kind {
        EffectKind::NoValue => None,
        EffectKind::Opaque { value, .. } if *value == Amount::ZERO => Some([9; 4]),
        _ => Some([1, 2, 3, 4]),
    }
}

#[derive(Clone, Debug)]
struct Ask {
    requester: Name,
    key: Name,
    action: ActionKind,
    effects: Effects,
    /// How many nonces in front of its own nobody holds.
    nonce_ahead: u64,
}

fn ask() -> impl Strategy<Value = Ask> {
    let requester = prop_oneof![Just("desk"), Just("ana")];
    let key = prop_oneof![Just("hot"), Just("warm")];
    let ahead = prop_oneof![8 => Just(0_u64), 2 => Just(2), 1 => Just(3), 1 => Just(u64::MAX)];
    let flags = (any::<bool>(), any::<bool>(), ahead);
    (requester, key, prop::collection::vec(kind(), 1..4), flags, fee()).prop_map(
        |(requester, key, kinds, (home, replaces, nonce_ahead), fee)| {
            let effect = |kind| Effect {
                path: Vec::new(),
                contract: Some(if kind == EffectKind::NoValue { ACCOUNT } else { TOKEN }),
                selector: selector(&kind),
                arguments: Vec::new(),
                kind,
            };
            let effects = Effects {
                signing_digest: Digest::ZERO,
                chain: if home { CHAIN } else { ChainId(CHAIN.0 + u64::from(kinds.len() == 2)) },
                slot: Some(Slot { chain: CHAIN, account: ACCOUNT, nonce: 0 }),
                fee,
                items: kinds.into_iter().map(effect).collect(),
                typed: None,
                coins: None,
            };
            let action = if replaces { ActionKind::Replacement } else { ActionKind::ContractCall };
            Ask { requester: name(requester), key: name(key), action, effects, nonce_ahead }
        },
    )
}

/// What people did about a request.
#[derive(Clone, Debug)]
struct Given {
    seats: Vec<(Seat, u32)>,
    waited_seconds: u64,
    vetoed_by: Vec<Name>,
}

impl Given {
    fn exactly(requirement: &Requirement) -> Self {
        let seats = requirement.needs.iter().map(|need| (Seat::of(need), need.count)).collect();
        Self { seats, waited_seconds: requirement.delay_seconds, vetoed_by: Vec::new() }
    }

    /// More than any row asks for.
    fn plenty(vocabulary: &Vocabulary) -> Self {
        let seats = vocabulary.seats.iter().map(|seat| (seat.clone(), 1_000)).collect();
        Self { seats, waited_seconds: 1_000_000, vetoed_by: Vec::new() }
    }
}

struct Model {
    engine: Engine,
    vocabulary: Vocabulary,
    policies: cedar_policy::PolicySet,
    entities: Entities,
}

impl Model {
    fn new() -> Self {
        let version = version();
        let vocabulary = Vocabulary::of(&[&version]).unwrap();
        let passage = Passage { version: &version, vocabulary: &vocabulary, scene: Scene::Effect };
        let policies = passage.policies().unwrap();
        let entities = entities(&version, &vocabulary.schema);
        Self { engine: Engine::compile(version).unwrap(), vocabulary, policies, entities }
    }

    fn question<T>(&self, ask: &Ask, then: impl FnOnce(&Question<'_>) -> T) -> T {
        let (prices, cooling) = (Prices::default(), Cooling::default());
        let facts = Facts {
            now: Timestamp(BIRTH.0 + 1),
            account: Some(ACCOUNT),
            assurance: AssuranceLevel::Process,
            prices: &prices,
            cooling: &cooling,
            simulation: Simulated::NotApplicable,
            nonce_ahead: ask.nonce_ahead,
            drill_age_seconds: 0,
        };
        then(&Question {
            requester: &ask.requester,
            action: ask.action,
            key: Some(&ask.key),
            subject: Subject::Payload(&ask.effects),
            facts: &facts,
        })
    }

    /// Whether the model lets every effect pass.
    fn passes(&self, ask: &Ask, given: &Given) -> bool {
        let contexts = self.question(ask, |question| self.engine.contexts(question));
        assert_eq!(contexts.len(), ask.effects.items.len());
        let effects = ask.effects.items.iter().zip(contexts);
        effects.into_iter().all(|(effect, context)| {
            let added = Context::from_pairs(self.added(ask, effect, given)).unwrap();
            let context = context.merge(added).unwrap();
            let (principal, resource) = (uid("Member", &ask.requester), uid("Key", &ask.key));
            let action = format!("Action::\"{}\"", ask.action.as_str()).parse().unwrap();
            let request =
                Request::new(principal, action, resource, context, Some(&self.vocabulary.schema)).unwrap();
            let answer = Authorizer::new().is_authorized(&request, &self.policies, &self.entities);
            assert_eq!(answer.diagnostics().errors().count(), 0);
            answer.decision() == Decision::Allow
        })
    }

    fn added(&self, ask: &Ask, effect: &Effect, given: &Given) -> Vec<(String, Value)> {
        let seats = self.vocabulary.seats.iter().map(|seat| {
            let given = given.seats.iter().find(|(it, _)| it == seat).map_or(0, |(_, count)| *count);
            (seat.name(), Value::new_long(i64::from(given)))
        });
        let approvals: u32 = given.seats.iter().map(|(_, count)| *count).sum();
        let vetoes = given.vetoed_by.iter().map(|role| Value::new_string(role.to_string()));
        let mut added = vec![
            ("approved".to_owned(), Value::new_record(seats).unwrap()),
            ("approvals".to_owned(), Value::new_long(i64::from(approvals))),
            ("requester_approves".to_owned(), Value::new_bool(false)),
            ("waited_seconds".to_owned(), Value::new_long(given.waited_seconds.try_into().unwrap())),
            ("vetoed_by".to_owned(), Value::new_set(vetoes)),
            ("outflow_fiat".to_owned(), Value::new_long(0)),
            ("to_itself".to_owned(), Value::new_bool(moved(effect).is_some_and(|(to, ..)| to == ACCOUNT))),
            (
                "takes_back".to_owned(),
                Value::new_bool(matches!(&effect.kind, EffectKind::Allowance(it) if !it.increase)),
            ),
            (
                "opaque_call".to_owned(),
                Value::new_string(format!(
                    "{TOKEN:#x}/{}",
                    hex::encode_prefixed(effect.selector.unwrap_or_default())
                )),
            ),
        ];
        for ladder in self.vocabulary.ladders.iter() {
            let step = step(&ask.effects, ladder.measure, ladder.steps);
            added.push((ladder.attribute, Value::new_long(step.try_into().unwrap())));
        }
        added
    }
}

/// To whom, what and how much an effect moves, or lets others move.
fn moved(effect: &Effect) -> Option<(Address, Asset, Amount)> {
    match &effect.kind {
        EffectKind::Transfer { asset, to, amount, .. } => Some((*to, *asset, *amount)),
        EffectKind::Allowance(it) => Some((it.spender, Asset::Token(it.token), it.amount)),
        EffectKind::Opaque { to, value, .. } => Some(((*to)?, Asset::Native, *value)),
        _ => None,
    }
}

/// The highest threshold that the sum of what leaves reaches.
fn step(effects: &Effects, measure: Measure, steps: &[Amount]) -> usize {
    let Measure::Asset { chain, asset } = measure else { return 0 };
    if chain != effects.chain {
        return 0;
    }
    let boundless = |it: &Effect| match &it.kind {
        EffectKind::Opaque { .. } | EffectKind::Authority { .. } => true,
        EffectKind::Delegation { delegate, .. } => !delegate.is_zero(),
        _ => false,
    };
    if effects.items.iter().any(boundless) {
        return steps.len();
    }
    let leaves =
        effects.items.iter().filter_map(moved).filter(|(to, what, _)| *to != ACCOUNT && *what == asset);
    let fee = if asset == Asset::Native { effects.fee.max.0 } else { U256::ZERO };
    let sum = leaves.fold(fee, |sum, (.., amount)| sum + amount.0);
    steps.iter().filter(|amount| amount.0 <= sum).count()
}

fn entities(version: &PolicyVersion, schema: &cedar_policy::Schema) -> Entities {
    let people = version.roster.people.iter().map(|it| (&it.name, &it.roles, true));
    let services = version.roster.services.iter().map(|it| (&it.name, &it.roles, false));
    let member = |(who, roles, person): (&Name, &Vec<Name>, bool)| {
        let attributes = [("person".to_owned(), Value::new_bool(person))].into();
        Entity::new(uid("Member", who), attributes, roles.iter().map(|role| uid("Role", role)).collect())
            .unwrap()
    };
    let fields = Entity::new_no_attrs("Fields::\"fields\"".parse().unwrap(), [].into());
    Entities::from_entities(people.chain(services).map(member).chain([fields]), Some(schema)).unwrap()
}

fn uid(kind: &str, id: &Name) -> EntityUid {
    format!("{kind}::\"{id}\"").parse().unwrap()
}

/// What the model does not speak of.
fn is_outside_the_model(reason: &Reason) -> bool {
    !matches!(
        reason,
        Reason::NoRulePermits { .. }
            | Reason::Forbidden { .. }
            | Reason::DestinationUnknown { .. }
            | Reason::Opaque { .. }
            | Reason::BlindDigest
            | Reason::NoQuorumRow { .. }
            | Reason::ChainNotAllowed { .. }
            | Reason::FeeTooHigh { .. }
    )
}

fn agree(model: &Model, ask: &Ask) {
    match model.question(ask, |question| model.engine.decide(question)) {
        Ruling::Deny { reasons, .. } if reasons.iter().any(is_outside_the_model) => {
            panic!("the version of this test has none of these: {reasons:?}");
        }
        Ruling::Deny { reasons, .. } => {
            assert!(!model.passes(ask, &Given::plenty(&model.vocabulary)), "{reasons:?}");
        }
        Ruling::Pass { requirement, .. } => agree_on_people(model, ask, &requirement),
    }
}

/// Exactly what is required passes, and any less of it does not.
fn agree_on_people(model: &Model, ask: &Ask, requirement: &Requirement) {
    let exact = Given::exactly(requirement);
    assert!(model.passes(ask, &exact), "{requirement:?}");
    for place in 0..exact.seats.len() {
        let mut fewer = exact.clone();
        fewer.seats[place].1 -= 1;
        assert!(!model.passes(ask, &fewer), "one fewer than {requirement:?}");
    }
    if requirement.delay_seconds > 0 {
        let sooner = Given { waited_seconds: requirement.delay_seconds - 1, ..exact.clone() };
        assert!(!model.passes(ask, &sooner), "sooner than {requirement:?}");
    }
    let vetoed = |role: &Name| model.passes(ask, &Given { vetoed_by: vec![role.clone()], ..exact.clone() });
    assert!(requirement.vetoers.iter().all(|role| !vetoed(role)), "vetoed: {requirement:?}");
    assert!(vetoed(&name("nobody")), "vetoed by somebody who may not: {requirement:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s11_the_model_lets_pass_what_the_engine_does(ask in ask()) {
        thread_local!(static MODEL: Model = Model::new());
        MODEL.with(|model| agree(model, &ask));
    }
}

/// Both answers occur, for many reasons: a drawing that is always denied would agree with anything.
#[test]
fn the_requests_drawn_pass_and_are_denied_in_many_ways() {
    let model = Model::new();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = std::collections::BTreeSet::new();
    let mut turned = std::collections::BTreeSet::new();
    for _ in 0..5_000 {
        let drawn = ask().new_tree(&mut runner).unwrap().current();
        if drawn.nonce_ahead > 0 {
            let near = Ask { nonce_ahead: 0, ..drawn.clone() };
            let passes =
                |ask| model.question(ask, |it| matches!(model.engine.decide(it), Ruling::Pass { .. }));
            turned.insert((drawn.nonce_ahead > 2, passes(&near), passes(&drawn)));
        }
        match model.question(&drawn, |question| model.engine.decide(question)) {
            Ruling::Pass { requirement, .. } => seen.insert(format!("{:?}", requirement.rows)),
            Ruling::Deny { reasons, .. } => seen.insert(reasons[0].code().to_owned()),
        };
    }
    assert!(seen.len() > 8, "{seen:?}");
    assert!(turned.contains(&(true, true, false)), "a far nonce turns a yes into a no");
    assert!(turned.contains(&(true, true, true)), "and not where it calls off");
    assert!(
        turned.contains(&(false, true, true)) && !turned.contains(&(false, true, false)),
        "a near one does not"
    );
    for code in [
        "deny.no_rule_permits",
        "deny.forbidden",
        "deny.destination_unknown",
        "deny.opaque",
        "deny.no_quorum_row",
        "deny.fee_too_high",
    ] {
        assert!(seen.contains(code), "{code} is not among {seen:?}");
    }
}
