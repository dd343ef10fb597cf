//! The ground that clients stand on: a desk with a token, a Safe and a policy that knows both.

use std::process::{Command, Output};

use alloy_primitives::{Address, address};
use keystead_base::Amount;
use keystead_intent::{Asset, AssetEntry, AssetKind, ContractEntry, ContractKind, DangerClass};
use keystead_policy::{
    AddressEntry, Measure, Need, PolicyVersion, QuorumRow, Rule, Simulate, SimulationRule, Threshold, Window,
};
use keystead_tests::fixture::{BIRTH, CHAIN, name};
use keystead_tests::{Anvil, compile, npm_package, root};
use serde_json::Value;

use crate::desk::{Desk, EXCHANGE, path, succeeds};

/// Anvil's first account, which deploys.
pub(crate) const DEPLOYER: Address = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

/// A desk, and contracts whose addresses are known before they are there.
pub(crate) struct Ground {
    pub(crate) desk: Desk,
    /// A token with permits (EIP-2612) and six decimals.
    pub(crate) token: Address,
    /// A Safe that is nobody's yet.
    pub(crate) safe: Address,
}

impl Ground {
    pub(crate) fn open() -> Self {
        let (token, singleton, safe) = (DEPLOYER.create(0), DEPLOYER.create(1), DEPLOYER.create(2));
        let anvil = Anvil::start(&["--hardfork", "osaka"]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        std::fs::write(&file, serde_json::to_vec(&policy(token, safe)).unwrap()).unwrap();
        let mut desk = Desk::found(anvil, &["--policy", path(&file)], |_| {});
        // Some clients compare addresses as texts, with their capitals (EIP-55).
        desk.account = desk.account.parse::<Address>().unwrap().to_string();
        let ground = Self { desk, token, safe };
        ground.deploy(singleton);
        ground
    }

    /// A contract's address is that of its deployer's nonce, so their order is the policy's.
    fn deploy(&self, singleton: Address) {
        let coin = format!("0x{}", compile(COIN)["Coin"].creation_code);
        let argument = hex(singleton.into_word().as_slice());
        let proxy = format!("{}{argument}", artifact("proxies/SafeProxy.sol/SafeProxy.json"));
        let contracts = [(self.token, coin), (singleton, artifact("Safe.sol/Safe.json")), (self.safe, proxy)];
        for (address, code) in contracts {
            assert_eq!(self.created(&code), address);
        }
        self.as_deployer(
            &self.token.to_string(),
            "mint(address,uint256)",
            &[&self.desk.account, "1000000000"],
        );
    }

    /// Makes the Safe (1.5) that of these owners, two of whom have to agree.
    pub(crate) fn set_up_safe(&self, owners: &[&str; 3]) {
        let (list, zero) = (format!("[{}]", owners.join(",")), Address::ZERO.to_string());
        let setup = "setup(address[],uint256,address,bytes,address,address,uint256,address)";
        let safe = self.safe.to_string();
        self.as_deployer(&safe, setup, &[&list, "2", &zero, "0x", &zero, &zero, "0", &zero]);
        self.desk.cast(&["rpc", "anvil_setBalance", &safe, "0xde0b6b3a7640000"], &self.desk.anvil.url());
    }

    fn created(&self, code: &str) -> Address {
        let from = DEPLOYER.to_string();
        let sent = ["send", "--unlocked", "--from", &from, "--json", "--create", code];
        let receipt: Value = serde_json::from_str(&self.cast_at_chain(&sent)).unwrap();
        receipt["contractAddress"].as_str().unwrap_or_else(|| panic!("{receipt}")).parse().unwrap()
    }

    pub(crate) fn as_deployer(&self, to: &str, function: &str, arguments: &[&str]) {
        let from = DEPLOYER.to_string();
        let head = ["send", "--unlocked", "--from", &from, to, function];
        self.cast_at_chain(&[&head, arguments].concat());
    }

    /// What a contract says, straight from the chain: the first word of its answer.
    pub(crate) fn asked(&self, to: Address, function: &str, arguments: &[&str]) -> String {
        let to = to.to_string();
        let answer = self.cast_at_chain(&[&["call", &to, function], arguments].concat());
        answer.split_whitespace().next().unwrap_or_default().to_owned()
    }

    /// `cast` with its address before its arguments, which may begin with anything.
    fn cast_at_chain(&self, arguments: &[&str]) -> String {
        let mut arguments = arguments.to_vec();
        let url = self.desk.anvil.url();
        arguments.splice(1..1, ["--rpc-url", &url]);
        let output = succeeds(crate::desk::cast().args(&arguments));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs a script of `tests/npm/clients` on node.
    pub(crate) fn node(&self, script: &str, arguments: &[&str]) -> Output {
        let script = root().join("tests/npm/clients").join(script);
        succeeds(Command::new("node").arg(script).arg(&self.desk.url).args(arguments))
    }
}

fn policy(token: Address, safe: Address) -> PolicyVersion {
    let mut policy = keystead_tests::fixture::Desk::default().policy();
    let rule = |(id, cedar): (&str, String)| Rule { id: name(id), cedar };
    policy.rules = rules(token).map(rule).to_vec();
    policy.quorums = quorums();
    let exchange = EXCHANGE.parse().unwrap();
    policy.address_book =
        vec![AddressEntry { chain: CHAIN, address: exchange, name: name("exchange"), usable_from: BIRTH }];
    policy.assets = vec![asset(Asset::Native, "ETH", 18), asset(Asset::Token(token), "COIN", 6)];
    policy.contracts =
        vec![ContractEntry { chain: CHAIN, address: safe, name: name("vault"), kind: ContractKind::Safe }];
    policy.simulation = Some(SimulationRule {
        keys: Vec::new(),
        classes: vec![DangerClass::Allowance, DangerClass::Authority],
        chains: Vec::new(),
        // Anvil makes a block where there is something for it, and not before.
        max_age_seconds: 3600,
        wait_seconds: 60,
        may_fail: false,
        simulate: Simulate::WhereAsked,
    });
    policy.windows.retain(|window| window.id != name("usdt-per-day"));
    policy.windows.push(coins_per_day(token));
    policy.windows.sort_by(|a, b| a.id.cmp(&b.id));
    policy
}

/// A little more than all clients together move.
fn coins_per_day(token: Address) -> Window {
    Window {
        id: name("coin-per-day"),
        keys: Vec::new(),
        chains: Vec::new(),
        destinations: Vec::new(),
        measure: Measure::Asset { chain: CHAIN, asset: Asset::Token(token) },
        per: Vec::new(),
        limit: Amount::from(8_100_000_u64),
        span_seconds: 86_400,
    }
}

/// In the order of their names.
fn rules(token: Address) -> [(&'static str, String); 7] {
    let desk = r#"permit(principal in Role::"desk", action in Action::"sign", resource)"#;
    let typed = r#"permit(principal in Role::"desk", action == Action::"typed_data", resource)"#;
    let opaque = format!("@opaque(\"{}/eip712\")", format!("{token:#x}").to_lowercase());
    [
        (
            "authority",
            r#"permit(principal in Role::"founder", action == Action::"authority", resource);"#.to_owned(),
        ),
        ("creations", format!("{desk} when {{ context.class == \"authority\" }};")),
        ("digests", format!("@blind(\"true\") {desk} when {{ context.class == \"blind_digest\" }};")),
        ("notes", format!("{opaque} {typed} when {{ context.class == \"opaque\" }};")),
        ("permits", format!("{desk} when {{ context.class == \"allowance\" }};")),
        ("statements", format!("{desk} when {{ context.class == \"statement\" }};")),
        ("transfers", format!("{desk} when {{ context.class == \"transfer\" }};")),
    ]
}

/// What moves value, or signs it away, beyond one transfer takes two people.
fn quorums() -> Vec<QuorumRow> {
    let row = |id: &str, classes: &[DangerClass], people| QuorumRow {
        id: name(id),
        keys: Vec::new(),
        classes: classes.to_vec(),
        changes: Vec::new(),
        from: None,
        needs: if people == 0 {
            Vec::new()
        } else {
            vec![Need { role: name("approver"), count: people, factors: Vec::new() }]
        },
        delay_seconds: 0,
        vetoers: vec![name("vetoer")],
    };
    let small = [DangerClass::Statement, DangerClass::Transfer, DangerClass::Opaque];
    let a_tenth = Threshold {
        measure: Measure::Asset { chain: CHAIN, asset: Asset::Native },
        amount: Amount::from(100_000_000_000_000_000_u128),
    };
    vec![
        row("by-people", &[DangerClass::Allowance, DangerClass::Authority, DangerClass::BlindDigest], 2),
        QuorumRow { from: Some(a_tenth), ..row("large", &[DangerClass::Transfer], 2) },
        row("small", &small, 0),
    ]
}

fn asset(asset: Asset, symbol: &str, decimals: u8) -> AssetEntry {
    AssetEntry { chain: CHAIN, asset, symbol: symbol.to_owned(), decimals, kind: AssetKind::Fungible }
}

/// The creation code of one of Safe's own contracts.
fn artifact(file: &str) -> String {
    let path = npm_package("@safe-global/safe-smart-account/build/artifacts/contracts").join(file);
    let artifact: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    artifact["bytecode"].as_str().unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn balance(ground: &Ground, who: &str) -> u128 {
    ground.desk.cast(&["balance", who], &ground.desk.anvil.url()).parse().unwrap()
}

const COIN: &str = r#"
    // SPDX-License-Identifier: MIT
    pragma solidity ^0.8.24;
    import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
    import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
    contract Coin is ERC20Permit {
        constructor() ERC20("Coin", "COIN") ERC20Permit("Coin") {}
        function decimals() public pure override returns (uint8) { return 6; }
        function mint(address to, uint256 value) external { _mint(to, value); }
    }
"#;
