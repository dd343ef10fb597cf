//! The founders' ceremony on one machine: keys, first policy, signed genesis, configuration.

mod layout;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use keystead_base::{Canonical as _, ClusterId, Digest, Name, Timestamp};
use keystead_decision::{Founder, Genesis, SignedGenesis, check_registered};
use keystead_keys::MemberKey;
use keystead_node::{LogTokenConfig, PeerConfig};
use keystead_policy::{Device, Engine, Factor, Node, Person, PolicyVersion, Roster, Service, TransportKey};

use crate::config::FILE;
use crate::failure::{Advise as _, Failure};
use crate::member::{generate, generate_beside};
use crate::output::Voice;
use crate::outside;
use layout::Layout;
pub(crate) use layout::vault_passphrase;

/// What the founders decide before the ceremony.
pub(crate) struct Plan {
    pub(crate) name: Name,
    pub(crate) founders: Vec<Name>,
    pub(crate) chain: u64,
    pub(crate) endpoint: Option<String>,
    pub(crate) confirmations: Option<u64>,
    /// The nodes, by name ascending, and where each listens.
    pub(crate) nodes: Vec<PeerConfig>,
    pub(crate) coordinator_listen: String,
    /// The tokens in which nodes have half of their signing keys made.
    pub(crate) tokens: BTreeMap<Name, LogTokenConfig>,
}

/// What came out.
pub(crate) struct Founded {
    pub(crate) cluster: ClusterId,
    pub(crate) people: Vec<MemberKey>,
}

impl Plan {
    /// How many votes commit.
    pub(crate) fn quorum(&self) -> Result<u32, Failure> {
        let found = self.nodes.len();
        Roster::usual_quorum(found).ok_or_else(|| {
            let what = format!("expected 1, 3, 4 or 7 nodes, found {found}");
            Failure::usage(what, "4 withstand one that lies or is down, 7 two; other sizes withstand no more")
        })
    }
}

/// Makes a folder from which nodes, coordinator and people of one machine work.
///
/// `policy` gives the first version for a roster; its own roster is replaced by the new keys.
pub(crate) fn found(
    folder: &Path,
    plan: &Plan,
    voice: Voice,
    policy: impl FnOnce(Roster, Timestamp) -> Result<PolicyVersion, Failure>,
) -> Result<Founded, Failure> {
    plan.quorum()?;
    let layout = Layout { folder, plan };
    refuse_a_used(&layout)?;
    let founded = make(&layout, voice, policy);
    if founded.is_err() {
        // What a failed ceremony leaves would only be in the way of the next one; the error says enough.
        let _ = std::fs::remove_dir_all(folder.join(MEMBERS));
        let _ = std::fs::remove_file(folder.join(GENESIS));
        layout.own_homes().for_each(|home| drop(std::fs::remove_dir_all(home)));
    }
    founded
}

fn make(
    layout: &Layout<'_>,
    voice: Voice,
    policy: impl FnOnce(Roster, Timestamp) -> Result<PolicyVersion, Failure>,
) -> Result<Founded, Failure> {
    let plan = layout.plan;
    layout.folders()?;
    let places = layout.keys()?;
    voice.progress(&format!("making keys for {} members (Argon2id, a moment each)", places.len()));
    let mut keys = generate_all(&places, &plan.tokens)?;
    let people = keys.split_off(plan.nodes.len() + 1);
    let Some((service, nodes)) = keys.split_last() else { return Err(unnamed()) };
    let created = outside::now();
    let version = policy(roster(plan, nodes, service, &people)?, created)?.into_canonical();
    Engine::compile(version.clone())
        .advise("mend the policy file; specs/policy-schema.md says what a version holds")?;
    check_registered(&version).advise("take the text that `keystead psbt wallet --shared` would show")?;
    let genesis = sign(plan, created, version, &people)?;
    let cluster = genesis.genesis.cluster();
    layout.write(cluster, &genesis.to_document())?;
    Ok(Founded { cluster, people })
}

fn refuse_a_used(layout: &Layout<'_>) -> Result<(), Failure> {
    outside::private_folder(layout.folder)?;
    let mut names = [FILE, MEMBERS, GENESIS].iter().map(|name| layout.folder.join(name));
    if names.any(|path| path.exists()) || layout.own_homes().any(|home| home.exists()) {
        let what =
            format!("{} holds a cluster already; a ceremony never writes over one", layout.folder.display());
        return Err(Failure::new("init.exists", what, "name a new folder: `keystead init OTHER`"));
    }
    Ok(())
}

/// Key stretching takes time and memory on purpose; two at once keep two cores busy.
fn generate_all(
    places: &[(Name, PathBuf)],
    tokens: &BTreeMap<Name, LogTokenConfig>,
) -> Result<Vec<MemberKey>, Failure> {
    let make = |name: &Name, folder: &Path| match tokens.get(name) {
        Some(token) => generate_beside(folder, name, token),
        None => generate(folder, name),
    };
    let mut keys = Vec::with_capacity(places.len());
    for pair in places.chunks(2) {
        let made: Vec<Result<MemberKey, Failure>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                pair.iter().map(|(name, folder)| scope.spawn(|| make(name, folder))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(unnamed()))).collect()
        });
        for key in made {
            keys.push(key?);
        }
    }
    Ok(keys)
}

fn roster(
    plan: &Plan,
    nodes: &[MemberKey],
    service: &MemberKey,
    people: &[MemberKey],
) -> Result<Roster, Failure> {
    let service = service.public()?;
    Ok(Roster {
        quorum: plan.quorum()?,
        nodes: nodes.iter().map(node).collect::<Result<_, _>>()?,
        services: vec![Service {
            name: service.name,
            key: service.signing,
            transport: TransportKey(Digest(service.transport)),
            roles: vec!["desk".parse()?],
        }],
        people: people.iter().map(person).collect::<Result<_, _>>()?,
        devices: None,
    })
}

fn node(key: &MemberKey) -> Result<Node, Failure> {
    let public = key.public()?;
    Ok(Node {
        name: public.name,
        key: public.signing,
        transport: TransportKey(Digest(public.transport)),
        operator: "founders".to_owned(),
        host: "this machine".to_owned(),
        provider: "own".to_owned(),
        build: env!("CARGO_PKG_VERSION").to_owned(),
        boot: 0,
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

fn service_name() -> Result<Name, Failure> {
    Ok(SERVICE.parse()?)
}

fn unnamed() -> Failure {
    Failure::new("init.keys", "the keys of a member could not be made", "report this as a bug")
}

const SERVICE: &str = "desk";
const DEVICE: &str = "laptop";
pub(crate) const MEMBERS: &str = "members";
pub(crate) const GENESIS: &str = "genesis";
pub(crate) const VAULT_PASSPHRASE: &str = "vault.passphrase";
