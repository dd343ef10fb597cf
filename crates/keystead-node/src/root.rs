//! The token beside the passphrase: how the enclave is told of it, and how its process is started.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use keystead_homes::{HomeError, Label, TokenPlace};
use keystead_signing::TokenRoot;
use serde::{Deserialize, Serialize};

use crate::tokens::process;

/// The token without which nothing that is sealed opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootConfig {
    /// The token's label.
    pub token: String,
    /// The vendor's PKCS#11 module.
    pub module: PathBuf,
    /// The file with the PIN; the token's process reads it, and nobody else.
    pub pin: PathBuf,
    /// The label of the token's AES key.
    pub key: String,
    /// The file with what the token decrypts; `keystead root make` writes it.
    pub file: PathBuf,
    /// What the module reads of its environment: all that it is given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

impl RootConfig {
    /// The token's process, and what it decrypts.
    ///
    /// # Errors
    ///
    /// [`HomeError::Label`] for a key's label that no token takes.
    pub fn open(&self, program: &Path) -> Result<TokenRoot, HomeError> {
        let process = process(program, (&self.token, &self.module, &self.pin), &self.environment);
        Ok(TokenRoot { process, key: Label::new(&self.key)?, file: self.file.clone() })
    }

    pub(crate) fn enclave_arguments(&self) -> Vec<OsString> {
        let mut arguments = Vec::new();
        let mut say = |flag: &str, value: &OsStr| arguments.extend([OsString::from(flag), value.to_owned()]);
        say("--root-token", OsStr::new(&self.token));
        say("--root-module", self.module.as_os_str());
        say("--root-pin", self.pin.as_os_str());
        say("--root-key", OsStr::new(&self.key));
        say("--root-file", self.file.as_os_str());
        for (name, value) in &self.environment {
            say("--root-environment", OsStr::new(&format!("{name}={value}")));
        }
        arguments
    }

    /// Reads what [`Self::enclave_arguments`] wrote, as pairs; `Some(None)` where there are none.
    pub(crate) fn parse(pairs: &[(&OsStr, &OsStr)]) -> Option<Option<Self>> {
        if pairs.is_empty() {
            return Some(None);
        }
        let value = |flag: &str| {
            let mut found = pairs.iter().filter(|(name, _)| *name == flag).map(|(_, value)| *value);
            found.next().filter(|_| found.next().is_none())
        };
        let variable = |(flag, value): &(&OsStr, &OsStr)| {
            let (name, value) = value.to_str()?.split_once('=')?;
            (*flag == "--root-environment").then(|| (name.to_owned(), value.to_owned()))
        };
        let variables = pairs.iter().filter(|(flag, _)| !NAMED.iter().any(|it| flag == it));
        Some(Some(Self {
            token: value("--root-token")?.to_str()?.to_owned(),
            module: value("--root-module")?.into(),
            pin: value("--root-pin")?.into(),
            key: value("--root-key")?.to_str()?.to_owned(),
            file: value("--root-file")?.into(),
            environment: variables.map(variable).collect::<Option<_>>()?,
        }))
    }
}

/// Reads the arguments of a token's process, without the word `token-process`: a place, and the file with the PIN.
#[must_use]
pub fn parse_token_arguments(arguments: &[OsString]) -> Option<(TokenPlace, PathBuf)> {
    let [module, label, pin] = arguments else { return None };
    Some((TokenPlace { module: module.into(), label: label.to_str()?.to_owned() }, pin.into()))
}

const NAMED: [&str; 5] = ["--root-token", "--root-module", "--root-pin", "--root-key", "--root-file"];
