//! The life of a key as people drive it: asked for, backed up, drilled, and only then shown.

use std::path::Path;
use std::time::Duration;

use alloy_primitives::Address;
use keystead_base::{Canonical as _, Digest, Name, NameError, Timestamp};
use keystead_decision::{KeyState, Outcome};
use keystead_intent::{AccountRef, Action, AuthorityChange, KeyCeremony, KeyKind};
use keystead_keys::{BackupFile, MemberKeyFile, SeedShares};
use keystead_node::scratch_arguments;
use keystead_signing::{ClientError, Drill, EnclaveClient};
use keystead_wire::{DrillReport, EntryAnswer, KeyView};

use crate::failure::Failure;
use crate::link::Link;
use crate::outside;

/// Where a key is to be born, as people write it: `NODE`, `token:GROUP` or `NODE/token:GROUP`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HomeArg {
    /// The node; the one that the command talks to, unless named.
    pub(crate) node: Option<Name>,
    /// Its group of tokens.
    pub(crate) tokens: Option<Name>,
}

impl std::str::FromStr for HomeArg {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if let Some(tokens) = text.strip_prefix("token:") {
            return Ok(Self { node: None, tokens: Some(tokens.parse()?) });
        }
        Ok(match text.split_once("/token:") {
            Some((node, tokens)) => Self { node: Some(node.parse()?), tokens: Some(tokens.parse()?) },
            None => Self { node: Some(text.parse()?), tokens: None },
        })
    }
}

/// The request that creates a key in the enclave of one node, or in tokens of it.
pub(crate) fn creation(key: &Name, kind: KeyKind, home: &Name, tokens: Option<&Name>) -> Action {
    let (key, home) = (key.clone(), home.clone());
    let ceremony = match tokens.cloned() {
        Some(tokens) => KeyCeremony::CreateInTokens { key, home, tokens },
        None => KeyCeremony::Create { key, kind, home },
    };
    Action::Authority(AuthorityChange::Key(ceremony))
}

/// What a whole key signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum WholeScheme {
    /// Accounts of Ethereum, and wallets of Bitcoin.
    #[default]
    Ecdsa,
    /// Transactions of NEAR's alone, which a quantum computer does not forge.
    #[value(name = "ml-dsa-65")]
    MlDsa65,
}

impl WholeScheme {
    pub(crate) fn kind(self) -> KeyKind {
        match self {
            Self::Ecdsa => KeyKind::HdSecp256k1,
            Self::MlDsa65 => KeyKind::HdMlDsa65,
        }
    }
}

/// The request that backs a key up.
pub(crate) fn backup(key: &Name, recipients: &[Name]) -> Action {
    let ceremony = KeyCeremony::Backup { key: key.clone(), recipients: recipients.to_vec() };
    Action::Authority(AuthorityChange::Key(ceremony))
}

/// The request that lets a key out.
pub(crate) fn export(key: &Name, recipient: &Name) -> Action {
    let ceremony = KeyCeremony::Export { key: key.clone(), recipient: recipient.clone() };
    Action::Authority(AuthorityChange::Key(ceremony))
}

/// The request that stops a key.
pub(crate) fn suspension(key: &Name) -> Action {
    Action::Authority(AuthorityChange::Key(KeyCeremony::Suspend { key: key.clone() }))
}

/// The request that lets a suspended key sign again.
pub(crate) fn resumption(key: &Name) -> Action {
    Action::Authority(AuthorityChange::Key(KeyCeremony::Resume { key: key.clone() }))
}

/// The request that wipes a key.
pub(crate) fn destruction(key: &Name) -> Action {
    Action::Authority(AuthorityChange::Key(KeyCeremony::Destroy { key: key.clone() }))
}

/// The request that gives a key another home.
pub(crate) fn restoration(key: &Name, home: &Name) -> Action {
    let ceremony = KeyCeremony::Restore { key: key.clone(), home: home.clone() };
    Action::Authority(AuthorityChange::Key(ceremony))
}

/// Restores the latest backup of a key in a scratch enclave on this machine, and reports the proof.
pub(crate) async fn drill(
    link: &Link,
    key: &Name,
    recipient: &Name,
    member_file: &Path,
    passphrase: &Path,
) -> Result<KeyView, Failure> {
    let view = named(link, key).await?;
    let digest = view.backup.ok_or_else(|| {
        let what = format!("key `{key}` has no backup");
        Failure::new("key.no_backup", what, "make one first: `keystead key backup KEY --to NAME`")
    })?;
    let file = whole(key, &link.backup(digest).await?)?;
    let member: MemberKeyFile = outside::document(member_file)?;
    let drill = Drill { file, recipient: recipient.clone(), member, after: view.drilled };
    let proof = scratch(passphrase)?.drill(drill).map_err(refused)?.proof;
    let report = DrillReport { key: key.clone(), backup: digest, proof };
    decided(link.drill(report).await?)?;
    named(link, key).await
}

/// A child process without network or files: the same confinement as the real enclave's.
pub(crate) fn scratch(passphrase: &Path) -> Result<EnclaveClient, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::file(Path::new("keystead"), &error))?;
    Ok(EnclaveClient::spawn(program, scratch_arguments(passphrase.as_os_str()))?)
}

/// What a scratch enclave refuses is about this person's files, and has a code of its own.
pub(crate) fn refused(error: ClientError) -> Failure {
    match error {
        ClientError::Refused(it) => {
            Failure::new(&it.code, it.text, "change the command or the file that it names, and try again")
        }
        other => other.into(),
    }
}

/// A backup that each recipient opens alone.
pub(crate) fn whole(key: &Name, document: &[u8]) -> Result<BackupFile, Failure> {
    BackupFile::from_document(document).map_err(|error| match SeedShares::from_document(document) {
        Ok(_) => Failure::new(
            "backup.in_shares",
            format!("the latest backup of key `{key}` is in shares"),
            "bring them together: `keystead backup drill` or `backup hand-over`, with `--words FILE` for each",
        ),
        Err(_) => error.into(),
    })
}

pub(crate) fn decided(answer: EntryAnswer) -> Result<(), Failure> {
    let next = "the backup does not restore the key: make a new one, and do not use this key";
    match answer {
        EntryAnswer::Decided(decisions) => match decisions.first().map(|it| &it.outcome) {
            Some(Outcome::Key { state: KeyState::Active, .. }) => Ok(()),
            Some(Outcome::Deny { reasons, .. }) => {
                let text = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                Err(Failure::new("key.drill", text, next))
            }
            _ => Err(Failure::new("key.drill", "the log decided nothing about the drill", next)),
        },
        EntryAnswer::Refused(refused) => Err(Failure::new(&refused.code, refused.text, next)),
        EntryAnswer::Requests(_) => Err(Failure::new("key.drill", "the node answered something else", next)),
    }
}

/// The address that an account signs for, whether or not somebody may be paid there.
pub(crate) async fn address(link: &Link, account: &AccountRef) -> Result<Address, Failure> {
    let key = named(link, &account.key).await?;
    key.signing_account().and_then(|public| public.address(account.index)).ok_or_else(|| {
        let what = format!("key `{}` has no address yet", account.key);
        Failure::new("key.inactive", what, "drill its backup first: `keystead key drill NAME`")
    })
}

/// A key by its name.
pub(crate) async fn named(link: &Link, key: &Name) -> Result<KeyView, Failure> {
    link.key(key).await?.ok_or_else(|| {
        Failure::new("key.unknown", format!("there is no key `{key}`"), "`keystead key list` shows the keys")
    })
}

/// A key as soon as the log knows it in this state or a later one, or its backup changed.
pub(crate) async fn reached(
    link: &Link,
    key: &Name,
    state: KeyState,
    older: Option<Digest>,
) -> Result<KeyView, Failure> {
    let mut tries = 0;
    loop {
        match link.key(key).await? {
            Some(view) if view.state >= state && (older.is_none() || view.backup != older) => {
                return Ok(view);
            }
            _ if tries >= TRIES => {
                let what = format!("the enclave did not report key `{key}` in time");
                return Err(Failure::new(
                    "key.late",
                    what,
                    "`keystead status` shows the node and its enclave",
                ));
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
        tries += 1;
    }
}

const PAUSE: Duration = Duration::from_millis(20);
const TRIES: u32 = 1500;

/// How long ago a backup was restored last, where that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// The latest one never was.
    Never,
    /// So many days.
    Days(u64),
}

/// INVARIANT D2: what signs has a backup that was restored in these days (90 unless named). Keys in shares and in tokens have none.
pub(crate) fn overdue(key: &KeyView, now: Timestamp, days: Option<u32>) -> Option<Overdue> {
    if key.state != KeyState::Active || key.sharing.is_some() || key.kind.is_in_tokens() {
        return None;
    }
    let Some(at) = key.drilled.filter(|_| key.drilled_backup == key.backup) else {
        return Some(Overdue::Never);
    };
    let age = now.0.saturating_sub(at.0) / 1000;
    let due = u64::from(days.unwrap_or(DRILL_DAYS)) * DAY_SECONDS;
    (age > due).then_some(Overdue::Days(age / DAY_SECONDS))
}

/// How many days after the last drill the next one is due, where nobody says.
const DRILL_DAYS: u32 = 90;
const DAY_SECONDS: u64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_a_node_its_tokens_or_both() {
        for (text, node, tokens) in [
            ("node-2", Some("node-2"), None),
            ("token:hsm", None, Some("hsm")),
            ("node-2/token:hsm", Some("node-2"), Some("hsm")),
        ] {
            let read: HomeArg = text.parse().unwrap();
            let name = |it: &Option<Name>| it.as_ref().map(ToString::to_string);
            let expected = (node.map(str::to_owned), tokens.map(str::to_owned));
            assert_eq!((name(&read.node), name(&read.tokens)), expected, "{text}");
        }
        for bad in ["token:", "node-2/token:", "no such node", "node-2//token:hsm", "node-2token:hsm", ""] {
            assert!(bad.parse::<HomeArg>().is_err(), "{bad}");
        }
    }
}
