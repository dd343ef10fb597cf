//! The keys of people and services on this machine.

use std::path::{Path, PathBuf};

use keystead_base::{HybridSigner, Name, Secret};
use keystead_decision::SignedGenesis;
use keystead_decision::rebuild::{FinishedRebuild, RebuildBundle};
use keystead_keys::{KeyFile, MemberKey};
use keystead_node::LogTokenConfig;
use keystead_policy::Roster;
use keystead_wire::Identity;

use crate::anchoring::{self, WORD};
use crate::config::Config;
use crate::failure::{Advise as _, Failure};
use crate::rebuild::REBUILD;
use crate::{node_token, outside};

/// Somebody who can sign and connect.
pub(crate) struct Member {
    pub(crate) name: Name,
    pub(crate) signer: HybridSigner,
    pub(crate) identity: Identity,
}

impl Member {
    pub(crate) fn of(key: &MemberKey) -> Result<Self, Failure> {
        Self::beside(key, None)
    }

    fn beside(key: &MemberKey, token: Option<&LogTokenConfig>) -> Result<Self, Failure> {
        Ok(Self {
            name: key.name().clone(),
            signer: node_token::signer(key, token)?,
            identity: Identity::from_seed(&key.transport_seed())?,
        })
    }

    /// Whoever is meant by a configuration: a node's key may be half in the token that it names.
    pub(crate) fn chosen(config: &Config, files: &Files) -> Result<Self, Failure> {
        let token = config.node.as_ref().and_then(|node| node.member.token.as_ref());
        Self::beside(&open_key(&files.key, &files.passphrase)?, token)
    }

    pub(crate) fn open(key: &Path, passphrase: &Path) -> Result<Self, Failure> {
        Self::of(&open_key(key, passphrase)?)
    }

    /// The device whose key this is.
    pub(crate) fn device(&self, roster: &Roster) -> Result<Name, Failure> {
        let devices = roster.person(&self.name).map(|person| person.devices.as_slice()).unwrap_or_default();
        let device = devices.iter().find(|device| &device.key == self.signer.public());
        device.map(|device| device.name.clone()).ok_or_else(|| {
            let what = format!("the roster has no device of `{}` with this key", self.name);
            Failure::new(
                "member.device",
                what,
                "have the key enrolled: `keystead policy propose` with a new roster",
            )
        })
    }
}

pub(crate) fn open_key(key: &Path, passphrase: &Path) -> Result<MemberKey, Failure> {
    let file = key_file(key)?;
    let passphrase: Secret<Vec<u8>> = outside::passphrase(passphrase)?;
    file.open(passphrase.expose()).advise("check that the passphrase file belongs to this key file")
}

/// A key file of either form.
pub(crate) fn key_file(path: &Path) -> Result<KeyFile, Failure> {
    KeyFile::from_document(&outside::read(path)?).map_err(|error| {
        let Failure { code, what, next } = Failure::from(error);
        Failure { code, what: format!("{}: {what}", path.display()), next }
    })
}

/// The files of a member in the members folder.
pub(crate) struct Files {
    pub(crate) key: PathBuf,
    pub(crate) passphrase: PathBuf,
}

impl Files {
    pub(crate) fn of(folder: &Path, name: &Name) -> Self {
        Self {
            key: folder.join(format!("{name}.key")),
            passphrase: folder.join(format!("{name}.passphrase")),
        }
    }

    /// Who is meant by `--as`, `--passphrase-file` and the configuration.
    pub(crate) fn chosen(
        config: &Config,
        person: Option<&Name>,
        passphrase: Option<&PathBuf>,
    ) -> Result<Self, Failure> {
        let person = person.or(config.client.person.as_ref()).ok_or_else(|| {
            Failure::usage(
                "nobody is named to speak",
                "add `--as NAME`, or `person = \"NAME\"` under [client]",
            )
        })?;
        let mut files = Self::of(&config.client.members, person);
        if let Some(passphrase) = passphrase {
            files.passphrase.clone_from(passphrase);
        }
        Ok(files)
    }
}

/// Fresh keys with a fresh passphrase, both in files of their own.
pub(crate) fn generate(folder: &Path, name: &Name) -> Result<MemberKey, Failure> {
    keep(folder, MemberKey::generate(name.clone(), &mut outside::fill))
}

/// The same for a node, with the Ed25519 half of its signing key born in a token, where it stays.
pub(crate) fn generate_beside(
    folder: &Path,
    name: &Name,
    token: &LogTokenConfig,
) -> Result<MemberKey, Failure> {
    let half = node_token::generate(name, token)?;
    keep(folder, MemberKey::generate_beside(name.clone(), half, &mut outside::fill))
}

fn keep(folder: &Path, key: MemberKey) -> Result<MemberKey, Failure> {
    let mut random = Secret::new([0; 32]);
    outside::fill(random.expose_mut());
    let passphrase = Secret::new(const_hex::encode(random.expose()));
    let files = Files::of(folder, key.name());
    outside::create_secret(&files.passphrase, passphrase.expose().as_bytes())?;
    let (text, fill) = (passphrase.expose().as_bytes(), &mut outside::fill);
    let file = match key.token_half() {
        None => KeyFile::Whole(key.seal(text, fill)?),
        Some(_) => KeyFile::BesideToken(key.seal_beside(text, fill)?),
    };
    outside::create_secret(&files.key, &file.to_document())?;
    Ok(key)
}

/// Who the nodes are, as far as this folder can tell by itself: those of the genesis, or those that people named when all
/// of them were lost.
pub(crate) fn roster(config: &Config) -> Result<Roster, Failure> {
    let signed = genesis(config)?;
    Ok(match rebuilt(config, &signed)? {
        Some(rebuilt) => rebuilt.roster().clone(),
        None => signed.genesis.policy.roster,
    })
}

/// The newest rebuild that this folder was told of, if the nodes were ever lost, and by the anchor that it pins.
pub(crate) fn rebuilt(config: &Config, genesis: &SignedGenesis) -> Result<Option<FinishedRebuild>, Failure> {
    let rebuilt = followed(config, genesis)?;
    if let Some(rebuilt) = &rebuilt {
        anchoring::held(config.anchor, rebuilt, &config.client.genesis.with_file_name(WORD))?;
    }
    Ok(rebuilt)
}

/// The same as far as people signed it: which one it is, for whoever brings the next one or its anchor's word.
pub(crate) fn followed(config: &Config, genesis: &SignedGenesis) -> Result<Option<FinishedRebuild>, Failure> {
    let file = config.client.genesis.with_file_name(REBUILD);
    if !file.exists() {
        return Ok(None);
    }
    let bundle: RebuildBundle = outside::document(&file)?;
    Ok(Some(bundle.verify(genesis, config.cluster)?))
}

/// The genesis, if it is the pinned one.
pub(crate) fn genesis(config: &Config) -> Result<SignedGenesis, Failure> {
    let signed: SignedGenesis = outside::document(&config.client.genesis)?;
    let (_, found) = signed.verify()?;
    if found == config.cluster {
        return Ok(signed);
    }
    let what = format!("the pinned cluster is {}, the genesis is of {found}", config.cluster);
    Err(Failure::new("config.cluster", what, "use the genesis that the founders signed, or fix `cluster`"))
}
