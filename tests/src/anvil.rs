//! Anvil, the Ethereum node of the tests, on a loopback port that it chooses itself.

use std::ffi::OsString;

use crate::{Service, npm_package};

/// A running anvil.
#[derive(Debug)]
pub struct Anvil {
    service: Service,
}

impl Anvil {
    /// Starts anvil with these arguments besides the port, for instance `["--hardfork", "osaka"]`.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_at("127.0.0.1", arguments)
    }

    /// The same on another address of this machine.
    pub fn start_at(host: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("keystead-anvil-").tempdir().expect("a folder").keep();
        let mut command: Vec<OsString> = vec![npm_package("@foundry-rs/anvil-linux-amd64/bin/anvil").into()];
        command.extend(["--host", host, "--port", "0"].map(OsString::from));
        command.extend(arguments.iter().map(OsString::from));
        Self { service: Service::start(&folder, &command, READY) }
    }

    /// Where it listens, for instance `http://127.0.0.1:33611`.
    pub fn url(&self) -> String {
        let address = self.service.ready_line().trim_start_matches(READY);
        format!("http://{}", address.trim())
    }
}

const READY: &str = "Listening on ";

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn anvil_answers_with_its_chain_id() {
        let anvil = Anvil::start(&["--chain-id", "4242"]);
        let output = Command::new(npm_package("@foundry-rs/cast-linux-amd64/bin/cast"))
            .args(["chain-id", "--rpc-url", &anvil.url()])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "4242", "{output:?}");
    }
}
