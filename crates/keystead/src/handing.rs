//! A backup on its way to a key's new home: read in a scratch enclave, encrypted again, and never in the clear between.

use std::path::Path;
use std::time::Duration;

use keystead_base::{Canonical as _, RequestId};
use keystead_decision::Outcome;
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_keys::{MemberKeyFile, RecipientPublicKey};
use keystead_signing::{Drill, HandOver};
use keystead_wire::{EntryAnswer, KeyView};

use crate::commands::Session;
use crate::failure::Failure;
use crate::{outside, vaulting};

/// Hands a backup over to the enclave that a committed ceremony named, and gives the key as it then stands.
pub(crate) async fn hand_over(
    session: &Session,
    request: RequestId,
    backup: Option<&Path>,
) -> Result<KeyView, Failure> {
    let link = &session.link;
    let action = link.request(request).await?.intent.action;
    let Action::Authority(AuthorityChange::Key(KeyCeremony::Restore { key, home })) = action else {
        return Err(Failure::usage(
            "this request restores no key",
            "`keystead key restore KEY --home NODE` asks",
        ));
    };
    let one_time = one_time_key(session, request).await?;
    let file = match backup {
        Some(path) => outside::document(path)?,
        None => {
            let digest = vaulting::named(link, &key).await?.backup.ok_or_else(no_backup)?;
            vaulting::whole(&key, &link.backup(digest).await?)?
        }
    };
    let member: MemberKeyFile = outside::document(&session.files.key)?;
    let drill = Drill { file, recipient: session.member.name.clone(), member, after: None };
    let mut scratch = vaulting::scratch(&session.files.passphrase)?;
    let handed = scratch.hand_over(HandOver { drill, home, key: one_time }).map_err(vaulting::refused)?;
    restored(link.restore(request, handed.to_document()).await?)?;
    vaulting::named(link, &key).await
}

/// What the enclave of the new home made for this request, shown by its node.
pub(crate) async fn one_time_key(
    session: &Session,
    request: RequestId,
) -> Result<RecipientPublicKey, Failure> {
    let view = session.link.wait(request, Duration::ZERO).await?;
    let next = "talk to the node that is to be the home (`--node`), once enough people approved; a node that was \
                started anew since then has forgotten its one-time key: ask for `key restore` again";
    let missing = || Failure::new("key.no_receiver", "this node shows no one-time key for the request", next);
    let bytes = session.link.backup(view.file.ok_or_else(missing)?).await?;
    RecipientPublicKey::from_bytes(&bytes).ok_or_else(missing)
}

pub(crate) fn restored(answer: EntryAnswer) -> Result<(), Failure> {
    let next = "`keystead key list` shows where the key lives; ask for `key restore` again";
    match answer {
        EntryAnswer::Decided(decisions) => match decisions.first().map(|it| &it.outcome) {
            Some(Outcome::Key { .. }) => Ok(()),
            Some(Outcome::Deny { reasons, .. }) => {
                let text = reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
                Err(Failure::new("key.restore", text, next))
            }
            _ => Err(Failure::new("key.restore", "the log decided nothing about the restored key", next)),
        },
        EntryAnswer::Refused(refused) => Err(Failure::new(&refused.code, refused.text, next)),
        EntryAnswer::Requests(_) => {
            Err(Failure::new("key.restore", "the node answered something else", next))
        }
    }
}

fn no_backup() -> Failure {
    Failure::new("key.no_backup", "the key has no backup", "name the file: `--backup FILE`")
}
