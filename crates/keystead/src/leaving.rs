//! A key in shares that leaves: for whom, and the files that it leaves in.

use std::path::Path;

use keystead_base::Name;
use keystead_intent::{Action, AuthorityChange, KeyCeremony};
use keystead_keys::age_recipient;
use serde_json::json;

use crate::failure::Failure;
use crate::link::Link;
use crate::output::Report;
use crate::outside;
use crate::vaulting::named;

/// The request that lets the shares of a key leave, for the recipients of a file as `age -R` reads it.
pub(crate) fn exit(key: &Name, file: &Path) -> Result<Action, Failure> {
    let text = outside::read_text(file)?;
    let lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    let recipients: Vec<String> = lines.map(str::to_owned).collect();
    recipients.iter().try_for_each(|it| age_recipient(it).map(drop))?;
    let ceremony = KeyCeremony::Exit { key: key.clone(), recipients };
    Ok(Action::Authority(AuthorityChange::Key(ceremony)))
}

/// Saves every file that a share of the key left in.
pub(crate) async fn save(link: &Link, key: &Name, folder: &Path) -> Result<Report, Failure> {
    let view = named(link, key).await?;
    if view.exits.is_empty() {
        let what = format!("no share of key `{key}` has left");
        return Err(Failure::new("key.no_file", what, "`keystead key exit KEY` asks for it"));
    }
    outside::private_folder(folder)?;
    let mut files = Vec::new();
    for (holder, digest) in &view.exits {
        let path = folder.join(format!("{key}.{holder}.age"));
        outside::create_secret(&path, &link.backup(*digest).await?)?;
        files.push(json!({"holder": holder, "file": path, "digest": digest}));
    }
    let needed = view.sharing.map_or(0, |it| it.threshold);
    let text = format!(
        "{} shares in {}; any {needed} of them are the key (docs/exit.md)",
        files.len(),
        folder.display()
    );
    Ok(Report::new(json!({"key": key, "threshold": needed, "files": files}), text))
}
