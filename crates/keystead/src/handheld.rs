//! A PKCS#11 token on this machine, as people name it on the command line: what it says of itself, and what its key signs.

use std::path::PathBuf;

use clap::Args;
use keystead_attest::TokenTestimony;
use keystead_base::Digest;
use keystead_homes::{Home as _, HomeError, Label, ProcessHome, Scheme, Testimony, ToSign};
use keystead_node::token_process;

use crate::failure::{Advise as _, Failure};

/// Which token, and what opens it.
#[derive(Debug, Args)]
pub(crate) struct TokenArgs {
    /// The label of the PKCS#11 token, which is on this machine now.
    #[arg(long, value_name = "LABEL", requires_all = ["module", "pin"])]
    token: Option<String>,
    /// Its vendor's PKCS#11 module.
    #[arg(long, value_name = "FILE", requires = "token")]
    module: Option<PathBuf>,
    /// The file with its PIN, which its process reads alone and tries once.
    #[arg(long, value_name = "FILE", requires = "token")]
    pin: Option<PathBuf>,
    /// What the module reads of its environment; nothing else is handed to it.
    #[arg(long, value_name = "NAME=VALUE", requires = "token", value_parser = variable)]
    environment: Vec<(String, String)>,
}

impl TokenArgs {
    /// The token, in a process of its own; none where none is named.
    pub(crate) fn open(&self) -> Result<Option<Token>, Failure> {
        let (Some(token), Some(module), Some(pin)) = (&self.token, &self.module, &self.pin) else {
            return Ok(None);
        };
        let program = std::env::current_exe().map_err(|error| Failure::file(module, &error))?;
        let environment = self.environment.iter().cloned().collect();
        let home = ProcessHome::start(token_process(&program, (token, module, pin), &environment))?;
        Ok(Some(Token(home)))
    }
}

/// A token that is here.
pub(crate) struct Token(ProcessHome);

impl Token {
    /// What it says of itself, and of the key in it that is for this holder's key; it makes that where there is none.
    pub(crate) fn testify(&self, holder: &Digest, software: bool) -> Result<TokenTestimony, Failure> {
        let label = label(holder)?;
        let made = match self.0.public(&label) {
            Err(HomeError::Unknown { .. }) => self.0.generate(&label, Scheme::EcdsaP256).map(|_| true),
            there => there.map(|_| false),
        }?;
        let testified = self.testified(&label, software);
        // Nothing is left in a token that is not taken.
        if testified.is_err() && made {
            // What it was refused for counts, and not that it could not be taken away.
            let _ = self.0.destroy(&label);
        }
        testified
    }

    fn testified(&self, label: &Label, software: bool) -> Result<TokenTestimony, Failure> {
        let testified = match self.0.testify(label) {
            Err(error @ HomeError::Foreign { .. }) => Err(error)
                .advise("take away what stands under that label, and ask again: the token makes one"),
            other => other.map_err(Failure::from),
        };
        let Testimony { manufacturer, model, serial, hardware, public } = testified?;
        if public.scheme != Scheme::EcdsaP256 {
            let what =
                format!("under `{}` {} has a key of another kind than P-256", label.as_str(), self.0.name());
            let next = "take away what stands under that label, and ask again: the token makes one";
            return Err(Failure::new("device.kind", what, next));
        }
        let seen = TokenTestimony { manufacturer, model, serial, software: !hardware, public: public.bytes };
        seen.proof().check()?;
        if seen.software && !software {
            let what = format!(
                "{} says that no hardware is behind it: the files of a program are copied, and two of them are one device",
                self.0.name()
            );
            let next = "bring a token of hardware; --software records a program as one, and people who approve read it";
            return Err(Failure::new("device.software", what, next));
        }
        Ok(seen)
    }

    /// A signature of the key that is for this holder's key.
    pub(crate) fn sign(&self, holder: &Digest, digest: &Digest) -> Result<Vec<u8>, Failure> {
        match self.0.sign(&label(holder)?, ToSign::Digest(digest)) {
            Err(error @ HomeError::Unknown { .. }) => Err(error)
                .advise("bring the token that the witness saw: `token` of what was asked says which one"),
            other => Ok(other?.bytes.to_vec()),
        }
    }
}

/// A key of its own for each key of a holder: none answers for two.
fn label(holder: &Digest) -> Result<Label, HomeError> {
    Label::new(&format!("keystead-device-{holder}"))
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected NAME=VALUE, found {text:?}"))?;
    Ok((name.to_owned(), value.to_owned()))
}
