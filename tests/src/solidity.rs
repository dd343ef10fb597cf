//! Real contracts: compiled from the npm packages' sources, or taken from them as the bytes that are on chain.

use std::collections::BTreeMap;
use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{node_modules, npm_package};

/// What the compiler makes of one contract. Both codes are hex without `0x`.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The interface as JSON.
    pub abi: Value,
    /// The code that creates the contract; the arguments of its constructor follow it.
    pub creation_code: String,
    /// The code on chain, without the values of immutables.
    pub runtime_code: String,
}

/// Compiles one source text and returns its own contracts by name.
///
/// Imports are found in the npm packages, for instance `@openzeppelin/contracts/token/ERC20/ERC20.sol`.
pub fn compile(source: &str) -> BTreeMap<String, Contract> {
    let answer = standard_json(&input(source));
    let errors: Vec<_> = answer["errors"].as_array().into_iter().flatten().collect();
    assert!(errors.iter().all(|error| error["severity"] != "error"), "{errors:#?}");
    let contracts = answer["contracts"][SOURCE].as_object().expect("the source has contracts");
    contracts.iter().map(|(name, contract)| (name.clone(), Contract::from(contract))).collect()
}

/// The code of Permit2, in hex without `0x`; it belongs at `0x000000000022D473030F116dDEE9F6B43aC78BA3`.
///
/// The package's bytes remember the EIP-712 domain of another address on chain 31337. Chain 0 takes that
/// number's place here, so that the code computes its own domain, as on every chain that it was not made for.
pub fn permit2_code() -> String {
    let path = npm_package("@uniswap/v4-periphery/lib/permit2/test/utils/DeployPermit2.sol");
    let script = std::fs::read_to_string(path).expect("a readable file");
    let (_, rest) = script.split_once("hex\"").expect("the script holds the code as a hex literal");
    let (code, _) = rest.split_once('"').expect("the literal ends");
    let pushes = |chain: u64| format!("7f{chain:064x}");
    assert_eq!(code.matches(&pushes(31_337)).count(), 1, "the code pushes the remembered chain id once");
    code.replace(&pushes(31_337), &pushes(0))
}

impl From<&Value> for Contract {
    fn from(output: &Value) -> Self {
        let code = |kind: &str| output["evm"][kind]["object"].as_str().unwrap_or_default().to_owned();
        Self {
            abi: output["abi"].clone(),
            creation_code: code("bytecode"),
            runtime_code: code("deployedBytecode"),
        }
    }
}

fn input(source: &str) -> Value {
    json!({
        "language": "Solidity",
        "sources": { SOURCE: { "content": source } },
        "settings": {
            "evmVersion": "cancun",
            "optimizer": { "enabled": true, "runs": 200 },
            "outputSelection": { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
        },
    })
}

/// The compiler writes to a file: it ends before a pipe has taken all of a long answer.
fn standard_json(input: &Value) -> Value {
    let mut answer = tempfile::tempfile().expect("a temporary file");
    let mut compiler = Command::new("node")
        .arg(npm_package("solc/solc.js"))
        .args(["--standard-json", "--base-path", ".", "--include-path", "."])
        .current_dir(node_modules())
        .stdin(Stdio::piped())
        .stdout(answer.try_clone().expect("a second handle"))
        .spawn()
        .expect("node starts");
    let mut stdin = compiler.stdin.take().expect("the input is piped");
    stdin.write_all(input.to_string().as_bytes()).expect("the compiler reads");
    drop(stdin);
    let status = compiler.wait().expect("the compiler ends");
    answer.rewind().expect("a file that rewinds");
    let text = std::io::read_to_string(answer).expect("readable text");
    let start = text.find('{').unwrap_or_default();
    serde_json::from_str(&text[start..]).unwrap_or_else(|error| panic!("{status}: {error}"))
}

const SOURCE: &str = "Source.sol";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_openzeppelin_token_compiles() {
        let contracts = compile(
            r#"// SPDX-License-Identifier: MIT
            pragma solidity ^0.8.24;
            import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
            contract Coin is ERC20("Coin", "COIN") {}"#,
        );
        assert!(contracts["Coin"].runtime_code.len() > 1000);
    }

    #[test]
    fn permit2_is_at_hand() {
        assert!(permit2_code().starts_with("6040608081526004908136101561001557"));
    }
}
