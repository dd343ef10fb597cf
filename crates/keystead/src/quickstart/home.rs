//! The folder of the story: keys in sealed files, a signed genesis, a database.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use keystead_base::{Canonical, Digest, Name, Timestamp};
use keystead_decision::{Founder, Genesis, SignedGenesis};
use keystead_keys::{MemberKey, MemberKeyFile, MemberPublic};
use keystead_policy::{Device, Factor, Node, Person, Roster, Service, TransportKey};

use super::story::Story;
use super::{Trouble, sample};

/// Everybody's keys, and where things are.
pub(crate) struct Home {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// The genesis.
    pub(crate) genesis: SignedGenesis,
    /// The node, the service `desk`, then `ana`, `ben`, `cleo`.
    pub(crate) members: Vec<MemberKey>,
}

impl Home {
    /// Founds a cluster in `dir`, or in a fresh temporary folder.
    pub(crate) fn found(dir: Option<PathBuf>, story: &mut Story<'_>) -> Result<Self, Trouble> {
        let mut act = story.act("Genesis: three founders sign the first policy and roster");
        let folder = fresh_folder(dir)?;
        let members = MEMBERS.iter().map(|who| member(&folder, who)).collect::<Result<Vec<_>, _>>()?;
        let publics = members
            .iter()
            .map(|it| it.public().map_err(Trouble::of("reading a public key")))
            .collect::<Result<Vec<_>, _>>()?;
        let policy = sample::policy(roster(&publics)?, now()).map_err(Trouble::of("writing the policy"))?;
        let json = serde_json::to_string_pretty(&policy).map_err(Trouble::of("writing the policy"))?;
        write(&folder.join("policy.json"), json.as_bytes())?;
        let founders = members.iter().filter(|it| is_person(it.name().as_str()));
        let founders: Vec<&MemberKey> = founders.collect();
        let genesis = sign(policy, &founders)?;
        write(&folder.join("genesis.ks"), &genesis.to_document())?;
        act.say(format!("folder   {}", folder.display()));
        act.say(format!("cluster  {}", genesis.genesis.cluster()));
        act.say("ana, ben and cleo approve; `desk` asks; the coordinator holds no key of value");
        act.expect(
            "the genesis verifies: three hybrid signatures (Ed25519 and ML-DSA-65)",
            genesis.verify().is_ok(),
        );
        story.tell(act);
        Ok(Self { folder, genesis, members })
    }

    /// The member of this name.
    pub(crate) fn member(&self, who: &str) -> Result<&MemberKey, Trouble> {
        let found = self.members.iter().find(|it| it.name().as_str() == who);
        found.ok_or_else(|| Trouble::because("looking for a member", format!("there is no {who}")))
    }

    /// A member's key file.
    pub(crate) fn key_file(&self, who: &str) -> PathBuf {
        self.folder.join("keys").join(format!("{who}.key"))
    }

    /// The file with a passphrase.
    pub(crate) fn passphrase_file(&self, whose: &str) -> PathBuf {
        passphrase_path(&self.folder, whose)
    }
}

/// The moment by this machine's clock.
pub(crate) fn now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}

/// Random bytes from the system; a machine without them cannot go on.
pub(crate) fn fill(bytes: &mut [u8]) {
    let filled = getrandom::fill(bytes);
    assert!(filled.is_ok(), "the system gives no randomness");
}

fn fresh_folder(dir: Option<PathBuf>) -> Result<PathBuf, Trouble> {
    let folder = match dir {
        Some(dir) => dir,
        None => {
            let mut tag = [0; 6];
            fill(&mut tag);
            std::env::temp_dir().join(format!("keystead-quickstart-{}", const_hex::encode(tag)))
        }
    };
    if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let found = format!("expected a fresh folder, found files in {}", folder.display());
        return Err(Trouble::because("founding a cluster", found));
    }
    for part in ["keys", "secrets", "node"] {
        fs::create_dir_all(folder.join(part)).map_err(Trouble::of("making a folder"))?;
    }
    passphrase(&folder, VAULT)?;
    Ok(folder)
}

fn member(folder: &Path, who: &str) -> Result<MemberKey, Trouble> {
    let name: Name = who.parse().map_err(Trouble::of("naming a member"))?;
    let member = MemberKey::generate(name, &mut fill);
    let passphrase = passphrase(folder, who)?;
    let file: MemberKeyFile =
        member.seal(passphrase.as_bytes(), &mut fill).map_err(Trouble::of("sealing a key file"))?;
    write(&folder.join("keys").join(format!("{who}.key")), &file.to_document())?;
    Ok(member)
}

fn passphrase(folder: &Path, whose: &str) -> Result<String, Trouble> {
    let mut bytes = [0; 24];
    fill(&mut bytes);
    let passphrase = const_hex::encode(bytes);
    write(&passphrase_path(folder, whose), passphrase.as_bytes())?;
    Ok(passphrase)
}

fn passphrase_path(folder: &Path, whose: &str) -> PathBuf {
    folder.join("secrets").join(format!("{whose}.passphrase"))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.map_err(Trouble::of("writing a file"))?;
    file.write_all(bytes).map_err(Trouble::of("writing a file"))
}

fn roster(publics: &[MemberPublic]) -> Result<Roster, Trouble> {
    let [node, desk, people @ ..] = publics else {
        return Err(Trouble::because("writing the roster", "too few members"));
    };
    Ok(Roster {
        quorum: 1,
        nodes: vec![Node {
            name: node.name.clone(),
            key: node.signing.clone(),
            transport: transport(node),
            operator: "quickstart".to_owned(),
            host: "localhost".to_owned(),
            provider: "none".to_owned(),
            build: env!("CARGO_PKG_VERSION").to_owned(),
        }],
        services: vec![Service {
            name: desk.name.clone(),
            key: desk.signing.clone(),
            transport: transport(desk),
            roles: vec!["desk".parse().map_err(Trouble::of("naming a role"))?],
        }],
        people: people.iter().map(person).collect::<Result<_, _>>()?,
    })
}

fn person(public: &MemberPublic) -> Result<Person, Trouble> {
    let roles = ["approver", "founder", "freezer", "vetoer"];
    let roles = roles.iter().map(|role| role.parse()).collect::<Result<_, _>>();
    let recipient = borsh::to_vec(&public.recipient).map_err(Trouble::of("writing a recipient key"))?;
    Ok(Person {
        name: public.name.clone(),
        roles: roles.map_err(Trouble::of("naming a role"))?,
        devices: vec![Device {
            name: DEVICE.parse().map_err(Trouble::of("naming a device"))?,
            factor: Factor::Software,
            key: public.signing.clone(),
            transport: transport(public),
        }],
        recipient: Some(recipient),
    })
}

fn transport(public: &MemberPublic) -> TransportKey {
    TransportKey(Digest(public.transport))
}

fn sign(policy: keystead_policy::PolicyVersion, founders: &[&MemberKey]) -> Result<SignedGenesis, Trouble> {
    let public =
        |it: &&MemberKey| it.public().map(|public| Founder { name: public.name, key: public.signing });
    let genesis = Genesis {
        name: "quickstart".parse().map_err(Trouble::of("naming the cluster"))?,
        created: now(),
        founders: founders
            .iter()
            .map(public)
            .collect::<Result<_, _>>()
            .map_err(Trouble::of("naming founders"))?,
        policy,
    };
    let mut signatures = Vec::new();
    for founder in founders {
        let signer = founder.signer().map_err(Trouble::of("opening a founder's key"))?;
        signatures.push(genesis.sign(&signer).map_err(Trouble::of("signing the genesis"))?);
    }
    Ok(SignedGenesis { genesis, signatures })
}

fn is_person(who: &str) -> bool {
    ["ana", "ben", "cleo"].contains(&who)
}

const MEMBERS: [&str; 5] = ["node-1", "desk", "ana", "ben", "cleo"];
/// Everybody's one device.
pub(crate) const DEVICE: &str = "laptop";
/// Whose passphrase seals the vault.
pub(crate) const VAULT: &str = "vault";
