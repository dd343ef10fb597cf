//! `keystead root`: the token beside the vault's passphrase.

use clap::Subcommand;
use keystead_signing::TokenRoot;
use serde_json::json;

use super::Global;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Report;
use crate::outside;

/// Keys are sealed under the passphrase and the root together: either alone opens nothing.
#[derive(Debug, Subcommand)]
pub(crate) enum RootCommand {
    /// Make the root that the token of `[node.enclave.root]` decrypts, before the node's first start. (Of a
    /// ledger on PostgreSQL nobody here sees whether that was.)
    ///
    /// Makes the token's AES key where it has none, draws a root, and writes it as the token encrypted it. Without this
    /// token, or without this file, no key of this node opens again: keep a copy of the file, and backups of the keys.
    ///
    /// Example: keystead root make --dir treasury
    Make,
}

pub(crate) fn run(global: &Global, command: &RootCommand) -> Result<Report, Failure> {
    let RootCommand::Make = command;
    let config = Config::read(&global.dir)?;
    let node = config.node()?;
    let named = node.enclave.root.as_ref().ok_or_else(|| {
        let next = "docs/homes.md has an example of it";
        Failure::new("root.unnamed", "keystead.toml has no [node.enclave.root]".to_owned(), next)
    })?;
    if named.file.exists() {
        let what = format!("{} is there already", named.file.display());
        return Err(Failure::new("root.exists", what, "keys may be sealed under it: nothing replaces it"));
    }
    let ledger = node.data.join("ledger.sqlite");
    if ledger.exists() {
        let what = format!(
            "{} is there: this node has run, and its keys are sealed without a token",
            ledger.display()
        );
        return Err(Failure::new("root.late", what, "name the token before the first start of a node"));
    }
    let program = std::env::current_exe().map_err(|error| Failure::file(&global.dir, &error))?;
    let TokenRoot { process, key, file } = named.open(&program)?;
    let wrapped = TokenRoot::make(process, &key, config.cluster)?;
    outside::replace(&file, &wrapped)?;
    let text = format!("wrote {}: token `{}` decrypts it\nnext: `keystead up`", file.display(), named.token);
    Ok(Report::new(json!({"file": file, "token": named.token}), text))
}
