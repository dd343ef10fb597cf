//! The enclave process as the node starts it: arguments, first words, and how far it has followed.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::sync::Arc;

use keystead_base::{Canonical, ClusterId, Name};
use keystead_decision::{Commit, Key, Transition};
use keystead_keys::Sealed;
use keystead_ledger::{MAX_SEALS_AT_ONCE, ThresholdRow};
use keystead_signing::{
    Advance, ClientError, EnclaveClient, EnclaveOptions, Feature, Hello, OpenedKey, Ready, Record, Refusal,
    Role, Status,
};
use keystead_wire::Protection;

use crate::restore::is_share;
use crate::rolls::RollsFolder;
use crate::shared::Shared;
use crate::tokens::{TOKEN_FLAG, parse_tokens, token_arguments};
use crate::tpm::Tpm;
use crate::{Config, EnclaveConfig, Event, NodeError, RootConfig, TokenConfig};

/// The arguments of a signing enclave: `enclave --cluster ID --passphrase-file PATH --require FEATURE… --root-… --token …`.
#[must_use]
pub fn enclave_arguments(
    cluster: ClusterId,
    passphrase: &OsStr,
    require: &[String],
    root: Option<&RootConfig>,
    tokens: &[TokenConfig],
) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["enclave".into(), "--cluster".into()];
    arguments.push(cluster.to_string().into());
    arguments.push("--passphrase-file".into());
    arguments.push(passphrase.to_owned());
    for feature in require {
        arguments.extend([OsString::from("--require"), feature.into()]);
    }
    arguments.extend(root.into_iter().flat_map(RootConfig::enclave_arguments));
    arguments.extend(token_arguments(tokens));
    arguments
}

/// The arguments of a scratch enclave, which restores one backup: `enclave --scratch --passphrase-file PATH`.
#[must_use]
pub fn scratch_arguments(passphrase: &OsStr) -> Vec<OsString> {
    vec!["enclave".into(), "--scratch".into(), "--passphrase-file".into(), passphrase.to_owned()]
}

/// Reads what [`enclave_arguments`] or [`scratch_arguments`] wrote, without the word `enclave`; `None` for
/// anything else.
#[must_use]
pub fn parse_enclave_arguments(arguments: &[OsString]) -> Option<EnclaveOptions> {
    let (role, rest) = match arguments {
        [flag, rest @ ..] if flag == "--scratch" => (Role::Scratch, rest),
        [flag, cluster, rest @ ..] if flag == "--cluster" => {
            (Role::Signer(ClusterId(cluster.to_str()?.parse().ok()?)), rest)
        }
        _ => return None,
    };
    let [flag, passphrase, rest @ ..] = rest else { return None };
    if flag != "--passphrase-file" || rest.len() % 2 != 0 {
        return None;
    }
    let pairs: Vec<(&OsStr, &OsStr)> = rest.chunks(2).map(pair).collect::<Option<_>>()?;
    let (tokens, pairs): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(flag, _)| *flag == TOKEN_FLAG);
    let (required, root): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|(flag, _)| *flag == "--require");
    let required = required.into_iter().map(|(_, name)| feature(name)).collect::<Option<Vec<_>>>()?;
    let program = std::env::current_exe().ok()?;
    let root = match RootConfig::parse(&root)? {
        Some(root) => Some(root.open(&program).ok()?),
        None => None,
    };
    let words: Vec<&OsStr> = tokens.into_iter().map(|(_, word)| word).collect();
    let tokens = parse_tokens(&words, &program)?;
    Some(EnclaveOptions { role, passphrase: PathBuf::from(passphrase), required, root, tokens })
}

fn pair(words: &[OsString]) -> Option<(&OsStr, &OsStr)> {
    match words {
        [flag, value] => Some((flag, value)),
        _ => None,
    }
}

fn feature(name: &OsStr) -> Option<Feature> {
    Feature::ALL.into_iter().find(|it| name.to_str() == Some(it.as_str()))
}

/// How to start the enclave, again and again.
#[derive(Clone, Debug)]
pub(crate) struct EnclaveHome {
    program: PathBuf,
    arguments: Vec<OsString>,
    pub(crate) tpm: Option<Tpm>,
    /// Whether there are tokens to look at.
    pub(crate) has_tokens: bool,
    /// What people bring to the seeds of keys that are born here.
    pub(crate) rolls: RollsFolder,
}

impl EnclaveHome {
    pub(crate) fn new(config: &Config, cluster: ClusterId) -> Result<Self, NodeError> {
        let program = match &config.enclave.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()
                .map_err(|error| NodeError::File { path: PathBuf::from("the running program"), error })?,
        };
        let tpm = Tpm::of(config)?;
        let pipe = tpm.as_ref().map(Tpm::pipe);
        let EnclaveConfig { passphrase, require, root, tokens, .. } = &config.enclave;
        let passphrase = pipe.unwrap_or(passphrase).as_os_str();
        let arguments = enclave_arguments(cluster, passphrase, require, root.as_ref(), tokens);
        let rolls = RollsFolder::new(&config.data);
        Ok(Self { program, arguments, tpm, has_tokens: !tokens.is_empty(), rolls })
    }

    /// Starts the process, and tells it where the log begins and which keys there are.
    pub(crate) async fn start(&self, shared: &Arc<Shared>) -> Result<Started, NodeError> {
        // What an enclave promised ended with it. Rolls for a promise that is left there are refused.
        if let Err(error) = self.rolls.withdraw() {
            shared.postponed("the end of a promise", &error);
        }
        // Kept until the enclave has said that it is ready: by then it has read.
        let _waiting = self.tpm.as_ref().map(Tpm::unseal).transpose()?;
        let mut client = EnclaveClient::spawn(self.program.clone(), self.arguments.clone())?;
        let held = load(&mut client, shared).await?;
        let ready = client.hello(Hello { genesis: shared.genesis.clone() })?;
        let records = journal(shared).await?;
        shared.recall(&records);
        client.recall(records)?;
        shared.set_protections(protections(&ready));
        Ok(Started { client, held, in_force: ready.hardening.in_force() })
    }
}

/// The journal of threshold runs: no id serves twice, and whoever was caught stays out (S5, K6).
async fn journal(shared: &Arc<Shared>) -> Result<Vec<Record>, NodeError> {
    let rows = shared.ledger.threshold_records().await?;
    let read = |(position, row): (usize, &ThresholdRow)| {
        let path = PathBuf::from(format!("line {position} of the journal of threshold runs"));
        Record::from_document(&row.document).map_err(|error| NodeError::Document { path, error })
    };
    rows.iter().enumerate().map(read).collect()
}

/// Gives the enclave its keys, a page after the other: neither side ever has all seals at once.
async fn load(client: &mut EnclaveClient, shared: &Shared) -> Result<Vec<OpenedKey>, NodeError> {
    let (mut held, mut last) = (Vec::new(), None);
    loop {
        let page = shared.ledger.sealed_keys(last.as_ref()).await?;
        let Some((name, epoch, _)) = page.last() else { return Ok(held) };
        last = Some((name.clone(), *epoch));
        let more = page.len() as u64 == MAX_SEALS_AT_ONCE;
        held.extend(client.open(seals(page, shared)?)?);
        if more || held.len() as u64 > MAX_SEALS_AT_ONCE {
            let of = shared.ledger.count_sealed_keys().await?;
            shared.event(Event::LoadingKeys { loaded: held.len() as u64, of });
        }
    }
}

/// Those of a page that this node's enclave is given.
fn seals(page: Vec<(Name, u32, Vec<u8>)>, shared: &Shared) -> Result<Vec<Sealed>, NodeError> {
    let state = shared.state();
    let opened = |(name, epoch, sealed): &(Name, u32, Vec<u8>)| match state.key(name) {
        Some(key) => opens(key, *epoch, &shared.node),
        None => state.convening(name).is_some() || !is_share(sealed),
    };
    let read = |(name, epoch, document): (Name, u32, Vec<u8>)| {
        let path = PathBuf::from(format!("the sealed key {name}, epoch {epoch}"));
        Sealed::from_document(&document).map_err(|error| NodeError::Document { path, error })
    };
    page.into_iter().filter(opened).map(read).collect()
}

/// Whether a seal is given to the enclave of this node. A key whose end is committed never comes back, whatever a
/// crash left of it; one that got another home does not either. Of a seal that was made here for the next epoch the
/// log may yet be told.
fn opens(key: &Key, epoch: u32, node: &Name) -> bool {
    // Of a key in tokens nothing but its place lies here, and whoever is to destroy it there has to know it.
    let over = key.life.wiping.is_some() && !key.kind.is_in_tokens();
    let lives = !key.state.is_wiped() && !over;
    let sealed_here = match &key.sharing {
        Some(sharing) => opens_share(sharing.holds(node), key.epoch, epoch),
        None if key.home == *node => epoch == key.epoch,
        None => epoch > key.epoch,
    };
    lives && sealed_here
}

/// INVARIANT K3, D4: of a key in shares, the epoch in force, and one that this node may yet learn to be in force: whoever
/// starts around the switch has it, and nothing can be opened later.
fn opens_share(holds: bool, in_force: u32, epoch: u32) -> bool {
    epoch > in_force || (epoch == in_force && holds)
}

/// An enclave as it started.
pub(crate) struct Started {
    pub(crate) client: EnclaveClient,
    pub(crate) held: Vec<OpenedKey>,
    /// The protections that are fully in force.
    pub(crate) in_force: Vec<Feature>,
}

/// Shows the enclave changes of policy and then a head.
pub(crate) fn follow(
    client: &mut EnclaveClient,
    transitions: Vec<Transition>,
    head: Option<Commit>,
) -> Result<(), ClientError> {
    if transitions.is_empty() && head.is_none() {
        return Ok(());
    }
    client.advance(Advance { transitions, head }).map(drop)
}

fn protections(ready: &Ready) -> Vec<Protection> {
    let word = |status| match status {
        Status::On => "on",
        Status::Partial => "partial",
        Status::Off => "off",
    };
    let shown = ready.hardening.features.iter().map(|it| Protection {
        name: it.feature.as_str().to_owned(),
        status: word(it.status).to_owned(),
        lost: it.lost.clone(),
    });
    shown.chain([self_tests(None)]).collect()
}

/// The row of the self-tests: an enclave that answers `hello` passed all of them.
pub(crate) fn self_tests(unwell: Option<&Refusal>) -> Protection {
    let status = if unwell.is_some() { "off" } else { "on" };
    let lost = unwell.map_or_else(String::new, |it| format!("{} ({})", it.text, it.code));
    Protection { name: SELF_TESTS.to_owned(), status: status.to_owned(), lost }
}

/// What the row is called.
pub(crate) const SELF_TESTS: &str = "self_tests";

#[cfg(test)]
mod tests {
    use keystead_base::Digest;

    use super::*;
    use crate::parse_token_arguments;

    #[test]
    fn d04_k03_a_share_is_opened_in_its_epoch_and_before_it_and_never_after() {
        for (holds, epoch, opened) in
            [(true, 1, false), (true, 2, true), (false, 2, false), (true, 3, true), (false, 3, true)]
        {
            assert_eq!(opens_share(holds, 2, epoch), opened, "{holds} {epoch}");
        }
    }

    #[test]
    fn the_arguments_of_an_enclave_read_back() {
        let cluster = ClusterId(Digest([5; 32]));
        let require = vec!["seccomp".to_owned(), "landlock".to_owned()];
        let root = RootConfig {
            token: "custody".to_owned(),
            module: "/usr/lib/module.so".into(),
            pin: "/run/pin".into(),
            key: "root".to_owned(),
            file: "/var/root".into(),
            environment: [("CONF".to_owned(), "/etc/a=b".to_owned())].into(),
        };
        let secret = OsStr::new("/run/secret");
        let token = |group: &str, token: &str| TokenConfig {
            group: group.parse().unwrap(),
            token: token.to_owned(),
            module: root.module.clone(),
            pin: "/run/pin-of-token".into(),
            environment: root.environment.clone(),
        };
        let tokens = [token("hsm", "one"), token("hsm", "two"), token("other", "three")];
        let arguments = enclave_arguments(cluster, secret, &require, None, &tokens);
        let groups = parse_enclave_arguments(&arguments[1..]).unwrap().tokens;
        let names: Vec<_> = groups.iter().map(|it| (it.name.as_str(), it.tokens.len())).collect();
        assert_eq!(names, [("hsm", 2), ("other", 1)]);
        let place = parse_token_arguments(&groups[0].tokens[1].arguments[1..]).unwrap();
        assert_eq!((place.0.label.as_str(), place.1), ("two", PathBuf::from("/run/pin-of-token")));
        let arguments = enclave_arguments(cluster, secret, &require, Some(&root), &[]);
        let options = parse_enclave_arguments(&arguments[1..]).unwrap();
        let read = options.root.unwrap();
        assert_eq!(read.process.environment, [("CONF".into(), "/etc/a=b".into())]);
        let place = parse_token_arguments(&read.process.arguments[1..]).unwrap();
        assert_eq!((place.0.label.as_str(), place.1), ("custody", PathBuf::from("/run/pin")));
        // A token that is named by half is not left out.
        let half = &arguments[1..arguments.len() - 4];
        assert!(parse_enclave_arguments(half).is_none());
        let arguments = enclave_arguments(cluster, secret, &require, None, &[]);
        let options = parse_enclave_arguments(&arguments[1..]).unwrap();
        assert!(options.root.is_none());
        assert_eq!(options.role, Role::Signer(cluster));
        assert_eq!(options.required, [Feature::Seccomp, Feature::Landlock]);
        let scratch = parse_enclave_arguments(&scratch_arguments(OsStr::new("/run/secret"))[1..]).unwrap();
        assert_eq!(scratch.role, Role::Scratch);
        let unknown = enclave_arguments(cluster, OsStr::new("/run/secret"), &["magic".to_owned()], None, &[]);
        assert!(parse_enclave_arguments(&unknown[1..]).is_none());
        assert!(parse_enclave_arguments(&arguments).is_none());
    }
}
