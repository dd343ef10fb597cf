//! The founders' ceremony on one machine: keys, first policy, signed genesis, configuration.

use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, ClusterId, Digest, Name, Timestamp};
use keystead_decision::{Founder, Genesis, SignedGenesis};
use keystead_keys::MemberKey;
use keystead_node::{
    ChainConfig, Config as NodeConfig, EnclaveConfig, EndpointConfig, MemberConfig, NodeLimits, PeerConfig,
    Times,
};
use keystead_policy::{Device, Engine, Factor, Node, Person, PolicyVersion, Roster, Service, TransportKey};

use crate::config::{ClientConfig, Config, CoordinatorConfig, FILE};
use crate::failure::{Advise as _, Failure};
use crate::member::generate;
use crate::output::Voice;
use crate::outside;

/// What the founders decide before the ceremony.
pub(crate) struct Plan {
    pub(crate) name: Name,
    pub(crate) founders: Vec<Name>,
    pub(crate) chain: u64,
    pub(crate) endpoint: Option<String>,
    pub(crate) confirmations: Option<u64>,
    pub(crate) node_listen: String,
    pub(crate) coordinator_listen: String,
}

/// What came out.
pub(crate) struct Founded {
    pub(crate) cluster: ClusterId,
    pub(crate) people: Vec<MemberKey>,
}

/// Makes a folder from which node, coordinator and people of one machine work.
///
/// `policy` gives the first version for a roster; its own roster is replaced by the new keys.
pub(crate) fn found(
    folder: &Path,
    plan: &Plan,
    voice: Voice,
    policy: impl FnOnce(Roster, Timestamp) -> PolicyVersion,
) -> Result<Founded, Failure> {
    refuse_a_used(folder)?;
    let founded = make(folder, plan, voice, policy);
    if founded.is_err() {
        // What a failed ceremony leaves would only be in the way of the next one; the error says enough.
        let _ = std::fs::remove_dir_all(folder.join(MEMBERS));
        let _ = std::fs::remove_file(folder.join(GENESIS));
    }
    founded
}

fn make(
    folder: &Path,
    plan: &Plan,
    voice: Voice,
    policy: impl FnOnce(Roster, Timestamp) -> PolicyVersion,
) -> Result<Founded, Failure> {
    let members = folder.join(MEMBERS);
    outside::private_folder(&members)?;
    let names = [vec![node_name()?, service_name()?], plan.founders.clone()].concat();
    voice.progress(&format!("making keys for {} members (Argon2id, a moment each)", names.len()));
    let mut keys = generate_all(&members, &names)?;
    let people = keys.split_off(2);
    let (Some(node), Some(service)) = (keys.first(), keys.get(1)) else { return Err(unnamed()) };
    let created = outside::now();
    let version = policy(roster(node, service, &people)?, created).into_canonical();
    Engine::compile(version.clone())
        .advise("mend the policy file; specs/policy-schema.md says what a version holds")?;
    let genesis = sign(plan, created, version, &people)?;
    let cluster = genesis.genesis.cluster();
    outside::create(&folder.join(GENESIS), &genesis.to_document())?;
    vault_passphrase(&members)?;
    let config = configuration(plan, cluster)?;
    let text = toml::to_string_pretty(&config)
        .map_err(|error| Failure::new("config.toml", error.to_string(), "report this as a bug"))?;
    outside::create(&folder.join(FILE), text.as_bytes())?;
    Ok(Founded { cluster, people })
}

fn refuse_a_used(folder: &Path) -> Result<(), Failure> {
    outside::private_folder(folder)?;
    if [FILE, MEMBERS, GENESIS].iter().any(|name| folder.join(name).exists()) {
        let what = format!("{} holds a cluster already; a ceremony never writes over one", folder.display());
        return Err(Failure::new("init.exists", what, "name a new folder: `keystead init OTHER`"));
    }
    Ok(())
}

/// Key stretching takes time and memory on purpose; two at once keep two cores busy.
fn generate_all(members: &Path, names: &[Name]) -> Result<Vec<MemberKey>, Failure> {
    let mut keys = Vec::with_capacity(names.len());
    for pair in names.chunks(2) {
        let made: Vec<Result<MemberKey, Failure>> = std::thread::scope(|scope| {
            let threads: Vec<_> = pair.iter().map(|name| scope.spawn(|| generate(members, name))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(unnamed()))).collect()
        });
        for key in made {
            keys.push(key?);
        }
    }
    Ok(keys)
}

fn roster(node: &MemberKey, service: &MemberKey, people: &[MemberKey]) -> Result<Roster, Failure> {
    let (first, second) = (node.public()?, service.public()?);
    let transport = |key: [u8; 32]| TransportKey(Digest(key));
    Ok(Roster {
        quorum: 1,
        nodes: vec![Node {
            name: first.name,
            key: first.signing,
            transport: transport(first.transport),
            operator: "founders".to_owned(),
            host: "this machine".to_owned(),
            provider: "own".to_owned(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
            boot: 0,
        }],
        services: vec![Service {
            name: second.name,
            key: second.signing,
            transport: transport(second.transport),
            roles: vec!["desk".parse()?],
        }],
        people: people.iter().map(person).collect::<Result<_, _>>()?,
    })
}

fn person(key: &MemberKey) -> Result<Person, Failure> {
    let public = key.public()?;
    let roles = ["approver", "founder", "freezer", "vetoer"].map(str::parse::<Name>);
    Ok(Person {
        name: public.name,
        roles: roles.into_iter().collect::<Result<_, _>>()?,
        devices: vec![Device {
            name: DEVICE.parse()?,
            factor: Factor::Software,
            key: public.signing,
            transport: TransportKey(Digest(public.transport)),
        }],
        recipient: Some(public.recipient.as_bytes().to_vec()),
    })
}

fn sign(
    plan: &Plan,
    created: Timestamp,
    policy: PolicyVersion,
    people: &[MemberKey],
) -> Result<SignedGenesis, Failure> {
    let mut founders: Vec<&MemberKey> = people.iter().collect();
    founders.sort_by(|a, b| a.name().cmp(b.name()));
    let entry = |key: &&MemberKey| Ok(Founder { name: key.name().clone(), key: key.public()?.signing });
    let listed = founders.iter().map(entry).collect::<Result<Vec<_>, Failure>>()?;
    let genesis = Genesis { name: plan.name.clone(), created, founders: listed, policy };
    let signature = |key: &&MemberKey| Ok(genesis.sign(&key.signer()?)?);
    let signatures = founders.iter().map(signature).collect::<Result<Vec<_>, Failure>>()?;
    Ok(SignedGenesis { genesis, signatures })
}

fn vault_passphrase(members: &Path) -> Result<(), Failure> {
    let mut random = keystead_base::Secret::new([0; 32]);
    outside::fill(random.expose_mut());
    let text = keystead_base::Secret::new(const_hex::encode(random.expose()));
    outside::create_secret(&members.join(VAULT_PASSPHRASE), text.expose().as_bytes())
}

fn configuration(plan: &Plan, cluster: ClusterId) -> Result<Config, Failure> {
    let members = PathBuf::from(MEMBERS);
    let member = |name: &str| MemberConfig {
        key: members.join(format!("{name}.key")),
        passphrase: members.join(format!("{name}.passphrase")),
    };
    let endpoints: Vec<EndpointConfig> = plan
        .endpoint
        .iter()
        .filter_map(|url| Some(EndpointConfig { name: "endpoint".parse().ok()?, url: url.clone(), ca: None }))
        .collect();
    let chain = ChainConfig {
        chain: plan.chain,
        agree: 1,
        endpoints: endpoints.clone(),
        confirmations: plan.confirmations,
    };
    Ok(Config {
        cluster,
        client: ClientConfig {
            genesis: GENESIS.into(),
            members: MEMBERS.into(),
            person: plan.founders.first().cloned(),
            token: None,
            ca: None,
            nodes: vec![PeerConfig { name: node_name()?, address: plan.node_listen.clone() }],
        },
        node: Some(NodeConfig {
            data: "node".into(),
            genesis: GENESIS.into(),
            member: member(NODE),
            enclave: EnclaveConfig {
                program: None,
                passphrase: members.join(VAULT_PASSPHRASE),
                require: Vec::new(),
            },
            ledger: None,
            listen: plan.node_listen.clone(),
            peers: Vec::new(),
            times: Times::default(),
            chains: if endpoints.is_empty() { Vec::new() } else { vec![chain] },
            limits: NodeLimits { settlement_seconds: 1, ..NodeLimits::default() },
        }),
        coordinator: Some(CoordinatorConfig {
            member: member(SERVICE),
            listen: plan.coordinator_listen.clone(),
            data: "coordinator".into(),
            chain: plan.chain,
            endpoints,
            agree: 1,
            deadline_seconds: 60,
            lifetime_seconds: 3600,
            addresses_per_key: 4,
            token: None,
            hosts: Vec::new(),
        }),
    })
}

fn node_name() -> Result<Name, Failure> {
    Ok(NODE.parse()?)
}

fn service_name() -> Result<Name, Failure> {
    Ok(SERVICE.parse()?)
}

fn unnamed() -> Failure {
    Failure::new("init.keys", "the keys of a member could not be made", "report this as a bug")
}

const NODE: &str = "node-1";
const SERVICE: &str = "desk";
const DEVICE: &str = "laptop";
const MEMBERS: &str = "members";
const GENESIS: &str = "genesis";
const VAULT_PASSPHRASE: &str = "vault.passphrase";
