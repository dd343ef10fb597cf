//! Signs what is no transaction, through a coordinator: `sign COORDINATOR ACCOUNT note CONTRACT TEXT` is a structure
//! (EIP-712) that names a contract, `sign COORDINATOR ACCOUNT delegate CODE NONCE` an authorization (EIP-7702).
#![allow(clippy::print_stdout, reason = "an example shows what came of it")]

use std::error::Error;

use alloy_eips::eip7702::Authorization;
use alloy_primitives::{Address, U256, hex};
use alloy_rpc_client::RpcClient;
use alloy_signer::Signer as _;
use alloy_signer_keystead::KeysteadSigner;
use alloy_sol_types::{eip712_domain, sol};

sol! {
    struct Note { string text; }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [coordinator, account, what, contract, more] = arguments.as_slice() else {
        return Err("usage: sign COORDINATOR ACCOUNT note CONTRACT TEXT | delegate CODE NONCE".into());
    };
    let client = RpcClient::new_http(coordinator.parse()?);
    let signer = KeysteadSigner::new(client, account.parse()?, None).await?;
    let (contract, chain): (Address, _) = (contract.parse()?, signer.chain_id().unwrap_or_default());
    let signed = match what.as_str() {
        "note" => {
            let domain = eip712_domain! { chain_id: chain, verifying_contract: contract, };
            signer.sign_typed_data(&Note { text: more.clone() }, &domain).await?.as_bytes().to_vec()
        }
        _ => {
            let wanted =
                Authorization { chain_id: U256::from(chain), address: contract, nonce: more.parse()? };
            alloy_rlp::encode(signer.sign_authorization(wanted).await?)
        }
    };
    println!("{}", hex::encode_prefixed(signed));
    Ok(())
}
