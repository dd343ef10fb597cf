//! The token that has the Ed25519 half of a node's signing key, on the way from a file that people wrote to keystead.toml.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use keystead_base::{ClassicalHalf, HybridSigner, Name};
use keystead_keys::{MemberKey, TokenHalf};
use keystead_node::{Config as NodeConfig, LogTokenConfig};

use crate::failure::{Advise as _, Failure};
use crate::outside;

/// Reads the file of `--node-token`: the lines of a `[node.member.token]`, whose paths start at the file's folder.
pub(crate) fn read(path: &Path) -> Result<LogTokenConfig, Failure> {
    let failed = |what: String| Failure::new("node_token.file", format!("{}: {what}", path.display()), LINES);
    let mut token: LogTokenConfig =
        toml::from_str(&outside::read_text(path)?).map_err(|error| failed(error.to_string()))?;
    let folder = std::path::absolute(path).map_err(|error| Failure::file(path, &error))?;
    let folder = folder.parent().unwrap_or(Path::new("/"));
    for it in [&mut token.module, &mut token.pin] {
        *it = folder.join(&*it);
        if it.to_str().is_none() {
            return Err(failed("a path is no UTF-8".to_owned()));
        }
    }
    Ok(token)
}

/// Has the token make a half that never leaves it. Its label is drawn anew: nothing that lies in the token is taken for it.
pub(crate) fn generate(name: &Name, token: &LogTokenConfig) -> Result<TokenHalf, Failure> {
    let mut random = [0; 8];
    outside::fill(&mut random);
    let label = format!("keystead-log-{name}-{}", const_hex::encode(random));
    token.generate(&program()?, &label).advise(TRY)
}

/// The signer of a key that is whole, or of one that is half in this token.
pub(crate) fn signer(key: &MemberKey, token: Option<&LogTokenConfig>) -> Result<HybridSigner, Failure> {
    match (key.token_half(), token) {
        (Some(half), Some(token)) => {
            let half = token.open(&program()?, &half).advise(TRY)?;
            Ok(key.signer_beside(half as Arc<dyn ClassicalHalf>)?)
        }
        _ => Ok(key.signer()?),
    }
}

/// Where a member's folder keeps what it was told of the token, until keystead.toml says it.
pub(crate) fn kept(members: &Path, name: &Name) -> PathBuf {
    members.join(format!("{name}.token"))
}

/// Keeps it there.
pub(crate) fn keep(members: &Path, name: &Name, token: &LogTokenConfig) -> Result<(), Failure> {
    let text = toml::to_string_pretty(token)
        .map_err(|error| Failure::new("config.toml", error.to_string(), "report this as a bug"))?;
    outside::create(&kept(members, name), text.as_bytes())
}

/// What [`keep`] kept; none for a key that is whole.
pub(crate) fn find(members: &Path, name: &Name) -> Result<Option<LogTokenConfig>, Failure> {
    let path = kept(members, name);
    path.exists().then(|| read(&path)).transpose()
}

/// The node's configuration, with the token that its key is half in.
pub(crate) fn named(node: NodeConfig, token: Option<LogTokenConfig>) -> NodeConfig {
    NodeConfig { member: keystead_node::MemberConfig { token, ..node.member }, ..node }
}

/// This very program becomes the token's process.
fn program() -> Result<PathBuf, Failure> {
    std::env::current_exe().map_err(|error| Failure::file(Path::new("the running program"), &error))
}

const LINES: &str = "the file has the lines of [node.member.token]: token, module, pin, environment; docs/homes.md has an example";
const TRY: &str = "check token, module, pin and environment in the file: docs/homes.md has an example";
