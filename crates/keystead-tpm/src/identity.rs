//! The identity key of the device: P-256, made in the TPM, vouched for by its endorsement key.

use keystead_attest::tpm::{Credential, Pcrs, TpmEvidence, TpmKey};
use keystead_attest::{Attester, ReportData};
use keystead_base::{Canonical as _, Secret};
use tss_esapi::Context;
use tss_esapi::abstraction::{AsymmetricAlgorithmSelection, ek};
use tss_esapi::handles::{AuthHandle, KeyHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::key_bits::RsaKeyBits;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{
    Data, EccScheme, EncryptedSecret, HashScheme, IdObject, Private, Public, SignatureScheme,
    SymmetricDefinitionObject,
};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};

use crate::tpm::{Storage, Use, refused, restricted_p256, selection};
use crate::{Tpm, TpmError};

/// An identity key in its TPM.
#[derive(Debug)]
pub struct Device<'a> {
    tpm: &'a mut Tpm,
    key: TpmKey,
}

impl<'a> Device<'a> {
    /// Makes a new identity key.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    pub fn generate(tpm: &'a mut Tpm) -> Result<Self, TpmError> {
        let template = template().map_err(refused("describe an identity key"))?;
        let key = tpm.with_primary(HIERARCHY, None, |tpm, storage| {
            let create =
                |context: &mut Context| context.create(storage.key, template, None, None, None, None);
            let made = tpm.context.execute_with_session(Some(storage.session), create);
            let made = made.map_err(refused("make an identity key"))?;
            Ok(TpmKey {
                parent: storage.name.clone(),
                public: made.out_public.marshall().map_err(refused("show a key"))?,
                private: made.out_private.value().to_vec(),
            })
        })?;
        Ok(Self { tpm, key })
    }

    /// Goes on with one that was made before.
    #[must_use]
    pub fn load(tpm: &'a mut Tpm, key: TpmKey) -> Self {
        Self { tpm, key }
    }

    /// The key as it is kept in a file.
    #[must_use]
    pub fn key(&self) -> &TpmKey {
        &self.key
    }

    /// The certificate that the maker gave the endorsement key, in DER.
    ///
    /// # Errors
    ///
    /// [`TpmError::NoCertificate`] and others.
    pub fn certificate(&mut self) -> Result<Vec<u8>, TpmError> {
        let read = ek::retrieve_ek_pubcert(&mut self.tpm.context, ENDORSEMENT);
        read.map_err(refused("show its certificate")).map_err(|error| match error.is_missing() {
            true => TpmError::NoCertificate,
            false => error,
        })
    }

    /// Finds the bytes of a credential that was made for this very key in this very TPM.
    ///
    /// # Errors
    ///
    /// [`TpmError::Refused`] for any other.
    pub fn activate(&mut self, credential: &Credential) -> Result<Secret<Vec<u8>>, TpmError> {
        let blob = IdObject::try_from(credential.blob.as_slice()).map_err(refused("read a credential"))?;
        let secret =
            EncryptedSecret::try_from(credential.secret.as_slice()).map_err(refused("read a credential"))?;
        self.with_key(|tpm, key, storage| {
            let made = ek::create_ek_object_2(&mut tpm.context, ENDORSEMENT, None);
            let endorsement = made.map_err(refused("make its endorsement key"))?;
            tpm.holding(endorsement.into(), |tpm| {
                tpm.with_plain_session(|tpm, policy| {
                    tpm.by_endorsement(PolicySession::try_from(policy).map_err(refused("hold a policy"))?)?;
                    let sessions = (Some(storage.session), Some(policy), None);
                    let activate =
                        |context: &mut Context| context.activate_credential(key, endorsement, blob, secret);
                    let found = tpm.context.execute_with_sessions(sessions, activate);
                    found.map(|it| Secret::new(it.value().to_vec())).map_err(refused("open a credential"))
                })
            })
        })
    }

    /// A quote of these registers that binds `data`.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    pub fn quote(&mut self, pcrs: Pcrs, data: &[u8; 32]) -> Result<TpmEvidence, TpmError> {
        let registers = selection(pcrs)?;
        let data = Data::try_from(data.as_slice()).map_err(refused("take data"))?;
        self.with_key(|tpm, key, storage| {
            let quote = |context: &mut Context| context.quote(key, data, SignatureScheme::Null, registers);
            let quoted = tpm.context.execute_with_session(Some(storage.session), quote);
            let (quote, signature) = quoted.map_err(refused("quote"))?;
            Ok(TpmEvidence {
                quote: quote.marshall().map_err(refused("show a quote"))?,
                signature: signature.marshall().map_err(refused("show a signature"))?,
            })
        })
    }

    fn with_key<T>(
        &mut self,
        work: impl FnOnce(&mut Tpm, KeyHandle, &Storage) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let public = Public::unmarshall(&self.key.public).map_err(refused("read an identity key"))?;
        let private =
            Private::try_from(self.key.private.as_slice()).map_err(refused("read an identity key"))?;
        self.tpm.with_primary(HIERARCHY, Some(&self.key.parent), |tpm, storage| {
            let load = |context: &mut Context| context.load(storage.key, private, public);
            let loaded = tpm.context.execute_with_session(Some(storage.session), load);
            let key = loaded.map_err(refused("load its identity key"))?;
            tpm.holding(key.into(), |tpm| work(tpm, key, storage))
        })
    }
}

impl Tpm {
    /// What the default template of an endorsement key asks for.
    fn by_endorsement(&mut self, policy: PolicySession) -> Result<(), TpmError> {
        let authorized = |context: &mut Context| {
            let (nonce, hash, reference) = Default::default();
            context.policy_secret(policy, AuthHandle::Endorsement, nonce, hash, reference, None)
        };
        let done = self.context.execute_with_nullauth_session(authorized);
        done.map(drop).map_err(refused("use its endorsement key"))
    }
}

/// The attester of a device: evidence over the same registers each time.
#[derive(Debug)]
pub struct TpmAttester<'a> {
    /// The device.
    pub device: Device<'a>,
    /// The registers.
    pub pcrs: Pcrs,
}

impl Attester for TpmAttester<'_> {
    type Error = TpmError;

    fn attest(&mut self, data: &ReportData) -> Result<Vec<u8>, TpmError> {
        self.device.quote(self.pcrs, &data.0).map(|evidence| evidence.to_document())
    }
}

/// Restricted: it signs what the TPM says, and nothing from outside that looks like it.
fn template() -> tss_esapi::Result<Public> {
    let scheme = EccScheme::EcDsa(HashScheme::new(HashingAlgorithm::Sha256));
    restricted_p256(Use::Sign, scheme, SymmetricDefinitionObject::Null)
}

/// Under the owner's hierarchy a TPM blurs its firmware in every quote, differently for each key, and no floor would mean
/// anything (TPM 2.0 Library, part 1, "Attestation", obfuscation of `firmwareVersion`).
const HIERARCHY: Hierarchy = Hierarchy::Endorsement;
const ENDORSEMENT: AsymmetricAlgorithmSelection = AsymmetricAlgorithmSelection::Rsa(RsaKeyBits::Rsa2048);
