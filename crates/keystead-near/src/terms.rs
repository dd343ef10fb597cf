//! What a transaction is taken for on a network, and under a registry.

use keystead_base::{Amount, Coded as _};
use keystead_intent::{
    Asset, AssetEntry, AssetIndex, AssetKind, AuthorityKind, DangerClass, EffectKind as Kind, OpaqueReason,
};
use keystead_quantum::{QuantumKey, Scheme};
use keystead_speech::Language;

use crate::{
    AccountId, Action, Draft, Network, Permission, PublicKey, Refusal, Speaker, Subject, Unsigned,
    describe_as,
};

const THIEF: PublicKey = PublicKey::Ed25519([0xba; 32]);

fn read(network: Network, [signer, receiver]: [&str; 2], action: Action) -> Result<Unsigned, Refusal> {
    let key = QuantumKey::from_seed(Scheme::MlDsa65, &[7; 32]).unwrap().public().clone();
    let [signer, receiver] = [signer, receiver].map(|it| it.parse().unwrap());
    let draft = Draft { signer, key, nonce: 1, receiver, block: [9; 32], actions: vec![action] };
    Unsigned::of_any_key(network, &draft.to_bytes()?)
}

fn kind(action: Action) -> Kind {
    let it = read(Network::Testnet, ["us.testnet", "token.testnet"], action).unwrap();
    it.effects(&AssetIndex::default()).items.remove(0).kind
}

fn tokens(args: &str) -> Action {
    Action::FunctionCall {
        method: "ft_transfer".to_owned(),
        args: args.as_bytes().to_vec(),
        gas: 0,
        deposit: 1,
    }
}

#[test]
fn s08_an_account_that_says_it_is_another_networks_is_refused() {
    for (network, names, good) in [
        (Network::Testnet, ["us.testnet", "bob.testnet"], true),
        (Network::Testnet, ["us.near", "bob.testnet"], false),
        (Network::Testnet, ["us.testnet", "bob.near"], false),
        (Network::Mainnet, ["us.near", "bob.near"], true),
        (Network::Mainnet, ["us.testnet", "bob.near"], false),
        (Network::Mainnet, ["us.near", "bob.testnet"], false),
        (Network::Mainnet, ["us.example", "bob-near"], true),
        (Network::Testnet, ["us.example", "bob-near"], true),
    ] {
        let found = read(network, names, Action::Transfer { deposit: 1 }).map_err(|it| it.code());
        assert_eq!(found.err(), (!good).then_some("near.other_network"), "{network} {names:?}");
    }
}

#[test]
fn s02_an_account_is_not_deleted_in_its_own_favor() {
    let gone = |to: &str| Action::DeleteAccount { beneficiary: to.parse().unwrap() };
    let of = |to| read(Network::Testnet, ["us.testnet", "us.testnet"], gone(to)).map_err(|it| it.code());
    assert_eq!(of("us.testnet").unwrap_err(), "near.beneficiary");
    assert!(of("bob.testnet").is_ok());
}

/// INVARIANT S9: the registry says what a token is, not a contract's method.
#[test]
fn s09_tokens_are_those_of_the_registry_and_have_no_memo() {
    let network = Network::Testnet;
    let token = "token.testnet".parse::<AccountId>().unwrap().id(network);
    let index = |chain, kind| {
        let (asset, symbol) = (Asset::Token(token), "T".to_owned());
        AssetIndex::new(&[AssetEntry { chain, asset, symbol, decimals: 0, kind }], &[]).unwrap()
    };
    let plain = r#"{"receiver_id":"bob.testnet","amount":"7"}"#;
    let memo = r#"{"receiver_id":"bob.testnet","amount":"7","memo":"m"}"#;
    let nothing = r#"{"receiver_id":"bob.testnet","amount":"7","memo":null}"#;
    let listed = index(network.chain(), AssetKind::Fungible);
    let others = [
        AssetIndex::default(),
        index(network.chain(), AssetKind::NonFungible),
        index(Network::Mainnet.chain(), AssetKind::Fungible),
    ];
    let cases = others.iter().map(|it| (it, plain, Some(OpaqueReason::AmbiguousContract)));
    let malformed = Some(OpaqueReason::MalformedArguments);
    for (registry, args, expected) in
        cases.chain([(&listed, plain, None), (&listed, memo, malformed), (&listed, nothing, malformed)])
    {
        let it = read(network, ["us.testnet", "token.testnet"], tokens(args)).unwrap();
        let effects = it.effects(registry);
        let found = match &effects.items[0].kind {
            Kind::Opaque { reason, value, .. } => {
                assert_eq!(*value, Amount::from(1_u128));
                Some(*reason)
            }
            Kind::Transfer { asset: Asset::Token(it), .. } if *it == token => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{args}");
        // The one yoctoNEAR is counted once: with the fee, or as what goes along.
        let gas = crate::fee::ceiling(it.transaction(), &[]);
        assert_eq!(effects.fee.max, Amount::from(gas + u128::from(expected.is_none())));
        let speaker = Speaker { registry, names: &|_| None, language: Language::English };
        let class = describe_as(&it, &speaker)[0].class;
        assert_eq!(class, Some(effects.class()));
        assert_eq!(effects.class() == DangerClass::Transfer, expected.is_none());
    }
}

/// INVARIANT S12: whoever can act from now on is somebody whom the address book knows, or a stranger.
#[test]
fn s12_a_key_and_code_are_subjects_and_what_leaves_is_none() {
    let may =
        Permission::FunctionCall { allowance: None, receiver: "app.testnet".to_owned(), methods: vec![] };
    let add = |permission| Action::AddKey { key: THIEF, nonce: 0, permission };
    let id = |text: String| Some(text.parse::<Subject>().unwrap().id(Network::Testnet));
    let thief = || id(THIEF.listed());
    let code = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for (action, expected, whom) in [
        (add(Permission::FullAccess), AuthorityKind::Owner, thief()),
        (add(may), AuthorityKind::Role, thief()),
        (Action::DeleteKey { key: THIEF }, AuthorityKind::Switch, None),
        (Action::CreateAccount, AuthorityKind::Switch, None),
        (Action::DeployContract { code: vec![] }, AuthorityKind::Upgrade, id(format!("code:{code}"))),
    ] {
        let Kind::Authority { change, subject, .. } = kind(action) else { panic!("{expected:?}") };
        assert_eq!((change, subject), (expected, whom));
    }
}

#[test]
fn approvers_read_what_a_limited_key_may_do_and_which_code_comes() {
    let may = |allowance, methods: &[&str]| Permission::FunctionCall {
        allowance,
        receiver: "app.testnet".to_owned(),
        methods: methods.iter().map(|&it| it.to_owned()).collect(),
    };
    let add = |permission| Action::AddKey { key: THIEF, nonce: 0, permission };
    let said = |action| {
        let it = read(Network::Testnet, ["us.testnet", "us.testnet"], action).unwrap();
        let registry = &AssetIndex::default();
        let speaker = Speaker { registry, names: &|_| None, language: Language::English };
        describe_as(&it, &speaker)[1].text.clone()
    };
    let all = said(add(may(None, &[])));
    assert!(
        all.contains("EVERY METHOD") && all.contains("WITHOUT LIMIT") && all.contains("app.testnet"),
        "{all}"
    );
    let some = said(add(may(Some(5), &["play", "st\nop"])));
    assert!(some.contains(r#""play", "st\nop" of the contract "app.testnet""#), "{some}");
    assert!(some.contains("0.000000000000000000000005 NEAR") && !some.contains("EVERY"), "{some}");
    let code = said(Action::DeployContract { code: vec![] });
    assert!(code.contains("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), "{code}");
}

/// Nobody here knows what a call means: its bytes are what there is to say yes to, beside it, however many actions there are.
#[test]
fn s02_approvers_read_the_arguments_of_a_call_that_is_not_understood() {
    let call = |method: &str, args: &str| Action::FunctionCall {
        method: method.to_owned(),
        args: args.as_bytes().to_vec(),
        gas: 0,
        deposit: 0,
    };
    let key = QuantumKey::from_seed(Scheme::MlDsa65, &[7; 32]).unwrap().public().clone();
    let [signer, receiver] = ["us.testnet", "app.testnet"].map(|it| it.parse().unwrap());
    let actions = vec![Action::Transfer { deposit: 1 }, call("vote", r#"{"for":"eve"}"#), call("stop", "")];
    let draft = Draft { signer, key, nonce: 1, receiver, block: [9; 32], actions };
    let it = Unsigned::of_any_key(Network::Testnet, &draft.to_bytes().unwrap()).unwrap();
    let registry = &AssetIndex::default();
    let said = |language| {
        let lines = describe_as(&it, &Speaker { registry, names: &|_| None, language });
        let texts: Vec<_> = lines.iter().take(6).map(|it| it.text.clone()).collect();
        let opaque = lines[1..5].iter().all(|it| it.class == Some(DangerClass::Opaque));
        assert!(opaque && lines[5].class == Some(DangerClass::Transfer), "the worst first: {texts:?}");
        texts
    };
    let english = said(Language::English);
    assert!(english[1].starts_with("Calls \"vote\" of"), "{english:?}");
    assert_eq!(english[2], r#"Its arguments, 13 bytes: {"for":"eve"}"#);
    assert!(english[3].starts_with("Calls \"stop\" of") && english[4] == "No arguments", "{english:?}");
    assert_eq!(said(Language::German)[2], r#"Seine Argumente, 13 Bytes: {"for":"eve"}"#);
}
