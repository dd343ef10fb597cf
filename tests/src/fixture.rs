//! A small desk that most tests start from: one node, one trading desk, five people, two assets.
//!
//! | who | roles | |
//! |---|---|---|
//! | `desk` | desk | the service that asks for transfers |
//! | `ana`, `ben`, `cleo` | approver, founder | each with one device, `laptop` |
//! | `dora` | trader | asks, and approves nothing |
//! | `eve` | freezer, vetoer | stops things |
//!
//! Within 1 ether a transfer to the address book passes at once, above it two approvers are needed, and
//! no day sees more than 10 ether leave.

use alloy_primitives::{Address, address};
use keystead_base::{Amount, Digest, HYBRID_SEED_BYTES, HybridSigner, Name, Secret, Timestamp};
use keystead_decision::{Founder, Genesis, SignedGenesis};
use keystead_intent::{Asset, AssetEntry, AssetKind, ChainId, DangerClass};
use keystead_policy::{
    AddressEntry, AssuranceLevel, Device, Dimension, Factor, FreshHeadDemand, FreshHeadRule, Measure, Need,
    Node, Person, PolicyVersion, QuorumRow, Roster, Rule, Service, Threshold, Timing, TransportKey, Window,
};

/// The chain that the fixture's policy names: anvil's.
pub const CHAIN: ChainId = ChainId(31_337);
/// A destination in the address book, `friend`.
pub const FRIEND: Address = address!("00000000000000000000000000000000000f41e7");
/// A destination in the address book whose cool-off ends an hour after genesis, `young`.
pub const YOUNG: Address = address!("0000000000000000000000000000000000009047");
/// A destination in no address book.
pub const STRANGER: Address = address!("00000000000000000000000000000000005742a6");
/// The token of the registry, `USDT` with six decimals.
pub const TOKEN: Address = address!("0000000000000000000000000000000000707e40");
/// 2026-11-23 20:00:00 UTC.
pub const BIRTH: Timestamp = Timestamp(1_795_464_000_000);
/// One ether in wei.
pub const ETHER: u128 = 1_000_000_000_000_000_000;

/// Somebody with keys that only a test may have: derived from one byte.
#[derive(Debug)]
pub struct Member {
    /// The name.
    pub name: Name,
    /// The key that signs.
    pub signer: HybridSigner,
    /// The seed of the transport key.
    pub transport_seed: [u8; 32],
}

impl Member {
    /// A member whose keys come from one byte.
    #[must_use]
    pub fn new(member: &str, byte: u8) -> Self {
        let signer = HybridSigner::from_seed(&Secret::new([byte; HYBRID_SEED_BYTES])).expect("a seed");
        Self { name: name(member), signer, transport_seed: [byte ^ 0x80; 32] }
    }

    /// The pinned key of the member's connections.
    #[must_use]
    pub fn transport(&self) -> TransportKey {
        let mut seed = [0; HYBRID_SEED_BYTES];
        seed[..32].copy_from_slice(&self.transport_seed);
        let pair = HybridSigner::from_seed(&Secret::new(seed)).expect("a seed");
        TransportKey(Digest(*pair.public().ed25519()))
    }
}

/// Everybody of the fixture.
#[derive(Debug)]
pub struct Desk {
    /// The signer nodes; one, unless a test adds some.
    pub nodes: Vec<Member>,
    /// The service `desk`.
    pub desk: Member,
    /// `ana`, `ben`, `cleo`, `dora`, `eve`.
    pub people: Vec<Member>,
}

impl Default for Desk {
    fn default() -> Self {
        let people = ["ana", "ben", "cleo", "dora", "eve"];
        Self {
            nodes: vec![Member::new("node-1", 1)],
            desk: Member::new("desk", 20),
            people: people.iter().zip(30..).map(|(member, byte)| Member::new(member, byte)).collect(),
        }
    }
}

impl Desk {
    /// The person of this name.
    #[must_use]
    pub fn person(&self, who: &str) -> &Member {
        self.people.iter().find(|it| it.name.as_str() == who).expect("somebody of the fixture")
    }

    /// The first roster.
    #[must_use]
    pub fn roster(&self) -> Roster {
        let roles = |who: &str| match who {
            "ana" | "ben" | "cleo" => vec![name("approver"), name("founder")],
            "dora" => vec![name("trader")],
            _ => vec![name("freezer"), name("vetoer")],
        };
        Roster {
            quorum: u32::try_from(self.nodes.len() * 2 / 3 + 1).expect("few nodes"),
            nodes: self.nodes.iter().map(node).collect(),
            services: vec![Service {
                name: self.desk.name.clone(),
                key: self.desk.signer.public().clone(),
                transport: self.desk.transport(),
                roles: vec![name("desk")],
            }],
            people: self.people.iter().map(|it| person(it, roles(it.name.as_str()))).collect(),
        }
    }

    /// Policy version 0.
    #[must_use]
    pub fn policy(&self) -> PolicyVersion {
        let mut policy = PolicyVersion {
            number: 0,
            previous: Digest::ZERO,
            roster: self.roster(),
            rules: rules(),
            windows: windows(),
            quorums: quorums(),
            address_book: vec![
                AddressEntry {
                    chain: CHAIN,
                    address: YOUNG,
                    name: name("young"),
                    usable_from: BIRTH.plus_seconds(3600),
                },
                AddressEntry { chain: CHAIN, address: FRIEND, name: name("friend"), usable_from: BIRTH },
            ],
            assets: vec![asset(Asset::Native, "ETH", 18), asset(Asset::Token(TOKEN), "USDT", 6)],
            contracts: Vec::new(),
            chains: vec![CHAIN],
            prices: None,
            caps: Vec::new(),
            protections: Vec::new(),
            fresh_heads: vec![FreshHeadRule {
                level: AssuranceLevel::Process,
                demand: FreshHeadDemand::AtBoot,
            }],
            timing: Timing {
                max_lifetime_seconds: 86_400,
                certificate_seconds: 60,
                skew_seconds: 5,
                cool_off_seconds: 3600,
            },
        };
        policy.rules.sort_by(|a, b| a.id.cmp(&b.id));
        policy.windows.sort_by(|a, b| a.id.cmp(&b.id));
        policy.quorums.sort_by(|a, b| a.id.cmp(&b.id));
        policy.address_book.sort_by_key(|entry| (entry.chain, entry.address));
        policy
    }

    /// The genesis, signed by `ana`, `ben` and `cleo`.
    #[must_use]
    pub fn genesis(&self) -> SignedGenesis {
        self.genesis_with(self.policy())
    }

    /// The genesis of another policy.
    #[must_use]
    pub fn genesis_with(&self, policy: PolicyVersion) -> SignedGenesis {
        let founders = ["ana", "ben", "cleo"].map(|who| self.person(who));
        let genesis = Genesis {
            name: name("fixture"),
            created: BIRTH,
            founders: founders
                .iter()
                .map(|it| Founder { name: it.name.clone(), key: it.signer.public().clone() })
                .collect(),
            policy,
        };
        let signatures = founders.iter().map(|it| genesis.sign(&it.signer).expect("a signature")).collect();
        SignedGenesis { genesis, signatures }
    }
}

/// A name that is known to be one.
#[must_use]
pub fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn node(member: &Member) -> Node {
    Node {
        name: member.name.clone(),
        key: member.signer.public().clone(),
        transport: member.transport(),
        operator: "us".to_owned(),
        host: "localhost".to_owned(),
        provider: "none".to_owned(),
        build: "test".to_owned(),
    }
}

fn person(member: &Member, roles: Vec<Name>) -> Person {
    let device = Device {
        name: name("laptop"),
        factor: Factor::Software,
        key: member.signer.public().clone(),
        transport: member.transport(),
    };
    Person { name: member.name.clone(), roles, devices: vec![device], recipient: Some(vec![0; 1216]) }
}

fn rules() -> Vec<Rule> {
    [
        (
            "desk-moves-hot",
            r#"permit(principal in Role::"desk", action in Action::"sign", resource == Key::"hot")
               when { context.class == "transfer" };"#,
        ),
        (
            "traders-move-hot",
            r#"permit(principal in Role::"trader", action in Action::"sign", resource == Key::"hot")
               when { context.class == "transfer" };"#,
        ),
        ("statements", r#"permit(principal, action == Action::"message", resource) when { context.class == "statement" };"#),
        (
            "no-permits",
            r#"forbid(principal, action == Action::"typed_data", resource) when { context.by_signature };"#,
        ),
        ("authority", r#"permit(principal in Role::"founder", action == Action::"authority", resource);"#),
    ]
    .into_iter()
    .map(|(id, cedar)| Rule { id: name(id), cedar: cedar.to_owned() })
    .collect()
}

fn windows() -> Vec<Window> {
    let day = 86_400;
    let native = Measure::Asset { chain: CHAIN, asset: Asset::Native };
    let token = Measure::Asset { chain: CHAIN, asset: Asset::Token(TOKEN) };
    [
        ("ether-per-day", native, Vec::new(), Amount::from(10 * ETHER)),
        ("requests-per-day", Measure::Count, vec![Dimension::Key], Amount::from(1_000_000_u64)),
        ("usdt-per-day", token, Vec::new(), Amount::from(50_000_000_000_u64)),
    ]
    .into_iter()
    .map(|(id, measure, per, limit)| Window {
        id: name(id),
        keys: Vec::new(),
        chains: Vec::new(),
        destinations: Vec::new(),
        measure,
        per,
        limit,
        span_seconds: day,
    })
    .collect()
}

fn quorums() -> Vec<QuorumRow> {
    let two = vec![Need { role: name("approver"), count: 2, factors: Vec::new() }];
    let native = Measure::Asset { chain: CHAIN, asset: Asset::Native };
    let row = |id: &str, classes: &[DangerClass], from, needs, delay_seconds| QuorumRow {
        id: name(id),
        keys: Vec::new(),
        classes: classes.to_vec(),
        changes: Vec::new(),
        from,
        needs,
        delay_seconds,
        vetoers: vec![name("vetoer")],
    };
    let above = Some(Threshold { measure: native, amount: Amount::from(ETHER + 1) });
    vec![
        row("anything-small", &[DangerClass::Statement, DangerClass::Transfer], None, Vec::new(), 0),
        row("authority-two", &[DangerClass::Authority], None, two.clone(), 0),
        row("large-two", &[DangerClass::Transfer], above, two, 0),
    ]
}

fn asset(asset: Asset, symbol: &str, decimals: u8) -> AssetEntry {
    AssetEntry { chain: CHAIN, asset, symbol: symbol.to_owned(), decimals, kind: AssetKind::Fungible }
}
