//! The tokens in which keys live: how the enclave is told of them, and what it says of them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use keystead_base::Name;
use keystead_homes::TokenProcess;
use keystead_signing::{ClientError, TokenGroup, TokenReport};
use keystead_wire::TokenView;
use serde::{Deserialize, Serialize};

use crate::signer::Signer;
use crate::{Event, NodeError};

/// One token in which keys may live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The group that it belongs to: all tokens of a group hold the same keys.
    pub group: Name,
    /// The token's label.
    pub token: String,
    /// The vendor's PKCS#11 module.
    pub module: PathBuf,
    /// The file with the PIN; the token's process reads it, and nobody else.
    pub pin: PathBuf,
    /// What the module reads of its environment: all that it is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// How the process of a token is started: as another process of this program. The token by its label, its module, and the file with
/// its PIN; `environment` is all that the module is given.
#[must_use]
pub fn process(
    program: &Path,
    (token, module, pin): (&str, &Path, &Path),
    environment: &BTreeMap<String, String>,
) -> TokenProcess {
    let (module, pin) = (module.as_os_str(), pin.as_os_str());
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into()));
    TokenProcess {
        name: format!("token `{token}`"),
        program: program.to_owned(),
        arguments: [OsStr::new("token-process"), module, OsStr::new(token), pin].map(OsStr::to_owned).into(),
        environment: environment.collect(),
    }
}

/// The words that tell an enclave of tokens; it is started with them after all others.
pub(crate) fn token_arguments(tokens: &[TokenConfig]) -> Vec<OsString> {
    // Paths that are no text are refused when the configuration is read.
    let words = tokens.iter().filter_map(|it| serde_json::to_string(it).ok());
    words.flat_map(|it| [OsString::from(TOKEN_FLAG), it.into()]).collect()
}

/// Reads what [`token_arguments`] wrote, each word of it.
pub(crate) fn parse_tokens(words: &[&OsStr], program: &Path) -> Option<Vec<TokenGroup>> {
    let mut groups: Vec<TokenGroup> = Vec::new();
    for word in words {
        let it: TokenConfig = serde_json::from_str(word.to_str()?).ok()?;
        let process = process(program, (&it.token, &it.module, &it.pin), &it.environment);
        match groups.iter_mut().find(|group| group.name == it.group) {
            Some(group) => group.tokens.push(process),
            None => groups.push(TokenGroup { name: it.group, tokens: vec![process] }),
        }
    }
    Some(groups)
}

impl Signer {
    /// Asks the tokens whether they are there, for whoever looks at the node.
    pub(crate) fn look_at_tokens(&mut self) -> Result<(), NodeError> {
        match self.enclave.tokens() {
            Ok(reports) => {
                self.shared.set_tokens(reports.into_iter().map(view).collect());
                Ok(())
            }
            Err(ClientError::Refused(refusal)) => {
                let refused = keystead_wire::Refused { code: refusal.code, text: refusal.text };
                self.shared.event(Event::Postponed { what: "a look at the tokens", refused });
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn view(report: TokenReport) -> TokenView {
    let TokenReport { group, token, lost, answered } = report;
    TokenView { group, token, lost, answered }
}

pub(crate) const TOKEN_FLAG: &str = "--token";
