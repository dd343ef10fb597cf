//! Backups in shares as people drive them: asked for, printed, brought together in a scratch enclave, and told to the log.

use std::path::{Path, PathBuf};

use keystead_base::{
    Canonical as _, ClusterId, Digest, KeyScheme, Name, PublicAccount, RequestId, Timestamp,
};
use keystead_decision::{KeyState, drill_challenge};
use keystead_intent::{Action, AuthorityChange, BackupGroup, KeyCeremony};
use keystead_keys::{MemberKeyFile, SeedShares};
use keystead_signing::{GatheredProof, Gathering, GatheringAim, ShareToOpen};
use keystead_wire::{DrillReport, KeyView};
use serde::Serialize;
use serde_json::json;

use crate::commands::Session;
use crate::failure::Failure;
use crate::link::Link;
use crate::output::Report;
use crate::share_sheet::Share;
use crate::vaulting::{decided, named, reached, refused, scratch};
use crate::{handing, outside};

/// The request that backs a key up in shares.
pub(crate) fn split(key: &Name, group_threshold: u8, groups: Vec<BackupGroup>) -> Action {
    let ceremony = KeyCeremony::Split { key: key.clone(), group_threshold, groups };
    Action::Authority(AuthorityChange::Key(ceremony))
}

/// What a drill came to, for the people who held it.
#[derive(Debug, Serialize)]
pub(crate) struct DrillReceipt {
    key: Name,
    epoch: u32,
    cluster: ClusterId,
    /// The digest of the backup, which the log names.
    backup: Digest,
    /// What every account signed.
    challenge: Digest,
    /// How many shares were brought.
    pub(crate) shares: usize,
    /// How many of them were left out in their turn, and nothing came.
    pub(crate) refused_without: u8,
    /// How many accounts signed the challenge, from index 0 on.
    pub(crate) accounts: usize,
    /// How many wallets are those that the log recorded.
    pub(crate) wallets: usize,
    /// The signature of each account, 64 bytes r ‖ s.
    proofs: Vec<String>,
    at: Timestamp,
}

/// The words of one's own share.
pub(crate) async fn own_share(session: &Session, key: &Name) -> Result<Share, Failure> {
    let file = latest(&session.link, key).await?;
    let member: MemberKeyFile = outside::document(&session.files.key)?;
    let recipient = session.member.name.clone();
    let opened = ShareToOpen { file: file.clone(), recipient: recipient.clone(), member };
    let words = scratch(&session.files.passphrase)?.open_share(opened).map_err(refused)?.into_secret();
    Share::new(file, recipient, words)
}

/// Saves each share as the age file that it is.
pub(crate) async fn save(link: &Link, key: &Name, folder: &Path) -> Result<Report, Failure> {
    let file = latest(link, key).await?;
    outside::private_folder(folder)?;
    let mut files = Vec::new();
    for (group, it) in (1..).zip(&file.groups) {
        for share in &it.shares {
            let path = folder.join(format!("{key}.{}.age", share.recipient));
            outside::create_secret(&path, &share.file)?;
            files.push(json!({"recipient": share.recipient, "group": group, "file": path}));
        }
    }
    let text = format!("{} shares in {} (docs/exit.md)", files.len(), folder.display());
    Ok(Report::new(json!({"key": key, "digest": file.digest(), "files": files}), text))
}

/// Puts the key together, checks every proof on this side too, and reports the first one to the log.
pub(crate) async fn drill(
    session: &Session,
    key: &Name,
    words: &[PathBuf],
    accounts: u32,
) -> Result<DrillReceipt, Failure> {
    named(&session.link, key).await?;
    reached(&session.link, key, KeyState::BackedUp, None).await?;
    let file = latest(&session.link, key).await?;
    let (subject, digest) = (file.subject.clone(), file.digest());
    let view = named(&session.link, key).await?;
    let networks = view.wallets.iter().map(|it| it.chain).collect();
    let aim = GatheringAim::Drill { accounts, networks, after: view.drilled };
    let proof = {
        let mut enclave = scratch(&session.files.passphrase)?;
        enclave.drill_shares(gathering(file, words, aim)?).map_err(refused)?
        // The process that had the key ends here, and its memory with it.
    };
    let challenge = drill_challenge(session.config.cluster, key, subject.epoch, &digest, view.drilled);
    agreed(&view, (&subject.account, accounts), &challenge, &proof)?;
    let first = proof.proofs.first().map(|it| it.0.clone()).unwrap_or_default();
    decided(session.link.drill(DrillReport { key: key.clone(), backup: digest, proof: first }).await?)?;
    Ok(DrillReceipt {
        key: key.clone(),
        epoch: subject.epoch,
        cluster: session.config.cluster,
        backup: digest,
        challenge,
        shares: words.len(),
        refused_without: proof.refused_without,
        accounts: proof.proofs.len(),
        wallets: proof.wallets.len(),
        proofs: proof.proofs.iter().map(|it| const_hex::encode(&it.0)).collect(),
        at: outside::now(),
    })
}

/// Each account's signature and each wallet is that of the key which the log knows.
fn agreed(
    view: &KeyView,
    (account, accounts): (&PublicAccount, u32),
    challenge: &Digest,
    proof: &GatheredProof,
) -> Result<(), Failure> {
    // Such a key has one account.
    let whole = account.scheme() == Some(KeyScheme::MlDsa65);
    let accounts = if whole { 1 } else { accounts as usize };
    let known = view.account.is_none_or(|it| it == *account) && proof.proofs.len() == accounts;
    let signed = (0..).zip(&proof.proofs).all(|(at, it)| match whole {
        true => account.proves_control(challenge, &it.0),
        false => account.account_proves_control(at, challenge, &it.0),
    });
    if known && signed && proof.wallets == view.wallets {
        return Ok(());
    }
    let what = format!("the shares restore another key than `{}`", view.name);
    Err(Failure::new("backup.drill", what, "make a new backup, and find out whose shares these are"))
}

/// Hands a key over to the enclave that a committed `key restore` named, and gives it as it then stands.
pub(crate) async fn hand_over(
    session: &Session,
    request: RequestId,
    words: &[PathBuf],
    backup: Option<&Path>,
) -> Result<KeyView, Failure> {
    let action = session.link.request(request).await?.intent.action;
    let Action::Authority(AuthorityChange::Key(KeyCeremony::Restore { key: name, home })) = action else {
        let next = "`keystead key restore KEY --home NODE` asks";
        return Err(Failure::usage("this request restores no key", next));
    };
    let key = handing::one_time_key(session, request).await?;
    let file = match backup {
        Some(path) => outside::document(path)?,
        None => latest(&session.link, &name).await?,
    };
    let aim = GatheringAim::HandOver { home, key };
    let handed = scratch(&session.files.passphrase)?.hand_over_shares(gathering(file, words, aim)?);
    let handed = handed.map_err(refused)?;
    handing::restored(session.link.restore(request, handed.to_document()).await?)?;
    named(&session.link, &name).await
}

/// The latest backup of a key, where it is one in shares.
async fn latest(link: &Link, key: &Name) -> Result<SeedShares, Failure> {
    let next = "make one first: `keystead backup split KEY --group 2:NAMES`";
    let digest = named(link, key)
        .await?
        .backup
        .ok_or_else(|| Failure::new("key.no_backup", format!("key `{key}` has no backup"), next))?;
    SeedShares::from_document(&link.backup(digest).await?).map_err(|_| {
        let what = format!("the latest backup of key `{key}` is not in shares");
        Failure::new(
            "backup.not_in_shares",
            what,
            format!("{next}; or use `keystead key drill` and `hand-over`"),
        )
    })
}

fn gathering(file: SeedShares, words: &[PathBuf], aim: GatheringAim) -> Result<Gathering, Failure> {
    let words = words.iter().map(|path| outside::read_text(path)).collect::<Result<_, _>>()?;
    Ok(Gathering { file, words, aim })
}
