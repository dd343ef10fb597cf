//! The signer: alloy's traits over the coordinator's methods, and a check of whatever comes back.

use std::borrow::Cow;

use alloy_consensus::{SignableTransaction, TxEnvelope};
use alloy_dyn_abi::eip712::TypedData;
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_network::{TxSigner, impl_into_wallet};
use alloy_primitives::{Address, B256, Bytes, ChainId, Signature, U64, eip191_hash_message};
use alloy_rlp::Encodable as _;
use alloy_rpc_client::RpcClient;
use alloy_signer::{Error, Result, Signer, UnsupportedSignerOperation, sign_transaction_with_chain_id};
use alloy_sol_types::{Eip712Domain, SolStruct};
use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{KeysteadSignerError, document};

/// An account of a Keystead cluster, reached through a coordinator. Clones share the connection.
#[derive(Clone, Debug)]
pub struct KeysteadSigner {
    client: RpcClient,
    address: Address,
    chain_id: ChainId,
}

impl KeysteadSigner {
    /// The signer of `address`, at the coordinator that `client` reaches, for one chain: the one that is named, or else the
    /// one that the coordinator names now. Transactions without a chain id get it, and what names another chain is refused,
    /// whatever the coordinator says later.
    ///
    /// # Errors
    ///
    /// [`KeysteadSignerError::UnknownAccount`] when no key signs for the address, [`KeysteadSignerError::Chain`] when the
    /// coordinator speaks for another chain, [`KeysteadSignerError::Transport`] when it does not answer.
    pub async fn new(
        client: RpcClient,
        address: Address,
        chain_id: Option<ChainId>,
    ) -> Result<Self, KeysteadSignerError> {
        let mut signer = Self { client, address, chain_id: chain_id.unwrap_or_default() };
        let found = signer.ask::<_, U64>("eth_chainId", Vec::<()>::new()).await?.to();
        signer.chain_id = chain_id.unwrap_or(found);
        signer.pin(Some(found))?;
        let accounts: Vec<Address> = signer.ask("eth_accounts", Vec::<()>::new()).await?;
        match accounts.contains(&address) {
            true => Ok(signer),
            false => Err(KeysteadSignerError::UnknownAccount(address)),
        }
    }

    /// Signs an EIP-7702 authorization: whoever sends it puts this account under the code of `authorization.address`.
    ///
    /// # Errors
    ///
    /// [`KeysteadSignerError`].
    pub async fn sign_authorization(
        &self,
        authorization: Authorization,
    ) -> Result<SignedAuthorization, KeysteadSignerError> {
        // Chain 0 means every chain (EIP-7702): INVARIANT S8 wants one.
        self.pin(Some(authorization.chain_id.saturating_to()))?;
        let mut preimage = vec![MAGIC];
        authorization.encode(&mut preimage);
        let raw = self.sign_raw(preimage).await?;
        let wrong = KeysteadSignerError::Answer { expected: "a signed authorization (EIP-7702)" };
        let signed: SignedAuthorization = alloy_rlp::decode_exact(&raw).map_err(|_| wrong)?;
        let wrong = KeysteadSignerError::Answer { expected: "a signature with r and s in their range" };
        let signature = signed.signature().map_err(|_| wrong)?;
        self.check(signature, authorization.signature_hash()).map(|it| authorization.into_signed(it))
    }

    async fn sign_tx(
        &self,
        tx: &mut dyn SignableTransaction<Signature>,
    ) -> Result<Signature, KeysteadSignerError> {
        self.pin(tx.chain_id())?;
        let raw = self.sign_raw(tx.encoded_for_signing()).await?;
        let wrong = KeysteadSignerError::Answer { expected: "a signed transaction (EIP-2718)" };
        let signed = TxEnvelope::decode_2718_exact(&raw).map_err(|_| wrong)?;
        self.check(*signed.signature(), tx.signature_hash())
    }

    async fn sign_bytes(&self, message: &[u8]) -> Result<Signature, KeysteadSignerError> {
        let params = (Bytes::copy_from_slice(message), self.address);
        let raw: Bytes = self.ask("personal_sign", params).await?;
        self.read(&raw, eip191_hash_message(message))
    }

    async fn sign_document(&self, document: &TypedData) -> Result<Signature, KeysteadSignerError> {
        // One that names no chain there is nothing to compare of: what it may do the nodes' policy says.
        if let Some(chain) = document.domain.chain_id {
            self.pin(Some(chain.saturating_to()))?;
        }
        let digest = document.eip712_signing_hash()?;
        let raw: Bytes = self.ask("eth_signTypedData_v4", (self.address, document.clone())).await?;
        self.read(&raw, digest)
    }

    /// INVARIANT S8: nothing is asked for that another chain would take.
    fn pin(&self, found: Option<ChainId>) -> Result<(), KeysteadSignerError> {
        match (self.chain_id, found.unwrap_or_default()) {
            (expected, found) if expected == found => Ok(()),
            (expected, found) => Err(KeysteadSignerError::Chain { expected, found }),
        }
    }

    async fn sign_raw(&self, preimage: Vec<u8>) -> Result<Bytes, KeysteadSignerError> {
        self.ask("keystead_signRaw", (self.address, Bytes::from(preimage))).await
    }

    async fn ask<P, R>(&self, method: &'static str, params: P) -> Result<R, KeysteadSignerError>
    where
        P: Serialize + Clone + std::fmt::Debug + Send + Sync + Unpin + 'static,
        R: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        Ok(self.client.request(Cow::Borrowed(method), params).await?)
    }

    fn read(&self, raw: &[u8], digest: B256) -> Result<Signature, KeysteadSignerError> {
        let wrong = KeysteadSignerError::Answer { expected: "65 bytes of a signature" };
        self.check(Signature::from_raw(raw).map_err(|_| wrong)?, digest)
    }

    /// INVARIANT S7: nothing is handed on that this account did not sign over this very digest, low s and all.
    fn check(&self, signature: Signature, digest: B256) -> Result<Signature, KeysteadSignerError> {
        let wrong = || KeysteadSignerError::Answer { expected: "a signature with s in its lower half" };
        if signature.normalize_s().is_some() {
            return Err(wrong());
        }
        match signature.recover_address_from_prehash(&digest).map_err(|_| wrong())? {
            found if found == self.address => Ok(signature),
            found => Err(KeysteadSignerError::Signer { expected: self.address, found }),
        }
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl Signer for KeysteadSigner {
    /// Refused: nobody can see what a digest stands for.
    async fn sign_hash(&self, _hash: &B256) -> Result<Signature> {
        Err(Error::UnsupportedOperation(UnsupportedSignerOperation::SignHash))
    }

    async fn sign_message(&self, message: &[u8]) -> Result<Signature> {
        self.sign_bytes(message).await.map_err(Error::other)
    }

    async fn sign_typed_data<T: SolStruct + Send + Sync>(
        &self,
        payload: &T,
        domain: &Eip712Domain,
    ) -> Result<Signature> {
        let document = document::of(payload, domain)?;
        // The document says the same as the struct, or it is not sent.
        match document.eip712_signing_hash()? == payload.eip712_signing_hash(domain) {
            true => self.sign_dynamic_typed_data(&document).await,
            false => Err(Error::UnsupportedOperation(UnsupportedSignerOperation::SignTypedData)),
        }
    }

    async fn sign_dynamic_typed_data(&self, payload: &TypedData) -> Result<Signature> {
        self.sign_document(payload).await.map_err(Error::other)
    }

    fn address(&self) -> Address {
        self.address
    }

    fn chain_id(&self) -> Option<ChainId> {
        Some(self.chain_id)
    }

    /// Without one it stays what it is: the coordinator speaks for one chain.
    fn set_chain_id(&mut self, chain_id: Option<ChainId>) {
        self.chain_id = chain_id.unwrap_or(self.chain_id);
    }
}

#[cfg_attr(target_family = "wasm", async_trait(?Send))]
#[cfg_attr(not(target_family = "wasm"), async_trait)]
impl TxSigner<Signature> for KeysteadSigner {
    fn address(&self) -> Address {
        self.address
    }

    #[doc(alias = "sign_tx")]
    async fn sign_transaction(&self, tx: &mut dyn SignableTransaction<Signature>) -> Result<Signature> {
        sign_transaction_with_chain_id!(self, tx, self.sign_tx(tx).await)
    }
}

impl_into_wallet!(KeysteadSigner);

/// The first byte of an authorization's preimage (EIP-7702).
const MAGIC: u8 = 0x05;

#[cfg(test)]
mod tests {
    use alloy_consensus::TxEip1559;
    use alloy_primitives::U256;
    use alloy_transport::mock::Asserter;
    use serde_json::json;

    use super::*;

    /// A coordinator of chain 31337 that answers nothing else: what gets that far fails in another way.
    async fn signer(named: Option<ChainId>) -> std::result::Result<KeysteadSigner, KeysteadSignerError> {
        let (coordinator, address) = (Asserter::new(), Address::repeat_byte(7));
        coordinator.push_success(&"0x7a69");
        coordinator.push_success(&[address]);
        KeysteadSigner::new(RpcClient::mocked(coordinator), address, named).await
    }

    fn is_another_chain<T>(found: std::result::Result<T, KeysteadSignerError>) -> bool {
        matches!(found, Err(KeysteadSignerError::Chain { expected: 31337, .. }))
    }

    #[tokio::test]
    async fn s08_nothing_is_asked_for_that_another_chain_would_take() {
        assert!(matches!(
            signer(Some(1)).await,
            Err(KeysteadSignerError::Chain { expected: 1, found: 31337 })
        ));
        for named in [None, Some(31337)] {
            let signer = signer(named).await.unwrap();
            assert_eq!(Signer::chain_id(&signer), Some(31337));
            for chain in [0_u64, 1] {
                let (chain_id, address) = (U256::from(chain), Address::ZERO);
                let authorization = Authorization { chain_id, address, nonce: 0 };
                assert!(is_another_chain(signer.sign_authorization(authorization).await), "{chain}");
                let mut tx = TxEip1559 { chain_id: chain, ..TxEip1559::default() };
                assert!(is_another_chain(signer.sign_tx(&mut tx).await), "{chain}");
            }
            let document = json!({
                "domain": {"chainId": 1}, "types": {"EIP712Domain": [{"name": "chainId", "type": "uint256"}], "A": []},
                "primaryType": "A", "message": {},
            });
            let document: TypedData = serde_json::from_value(document).unwrap();
            assert!(is_another_chain(signer.sign_document(&document).await));
        }
    }
}
