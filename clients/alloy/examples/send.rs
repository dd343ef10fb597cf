//! Sends an amount through a coordinator: `send COORDINATOR ACCOUNT TO WEI`, for instance
//! `send http://127.0.0.1:8645 0x7099… 0x3C44… 1000`. The coordinator passes on what alloy's provider reads. A fifth argument
//! makes it another form: `legacy` one with a gas price, an authorization in hex (EIP-7702) one that carries it along.
#![allow(clippy::print_stdout, reason = "an example shows what came of it")]

use std::error::Error;

use alloy_network::{TransactionBuilder as _, TransactionBuilder7702 as _};
use alloy_primitives::{Address, U256, hex};
use alloy_provider::{Provider as _, ProviderBuilder};
use alloy_rpc_client::RpcClient;
use alloy_rpc_types_eth::TransactionRequest;
use alloy_signer_keystead::KeysteadSigner;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [coordinator, account, to, wei, form @ ..] = arguments.as_slice() else {
        return Err("usage: send COORDINATOR ACCOUNT TO WEI [legacy | AUTHORIZATION]".into());
    };
    let (account, to): (Address, Address) = (account.parse()?, to.parse()?);
    let client = RpcClient::new_http(coordinator.parse()?);
    let signer = KeysteadSigner::new(client.clone(), account, None).await?;
    let provider = ProviderBuilder::new().wallet(signer).connect_client(client);
    let transaction = TransactionRequest::default().with_to(to).with_value(wei.parse::<U256>()?);
    let transaction = match form.first().map(String::as_str) {
        None => transaction,
        Some("legacy") => transaction.with_gas_price(provider.get_gas_price().await?),
        Some(authorization) => {
            let authorization = alloy_rlp::decode_exact(hex::decode(authorization)?)?;
            transaction.with_authorization_list(vec![authorization])
        }
    };
    let receipt = provider.send_transaction(transaction).await?.get_receipt().await?;
    println!("{} {}", receipt.transaction_hash, receipt.status());
    Ok(())
}
