//! A secret that opens on this machine, booted so, for whoever has the authorization value.

use keystead_attest::tpm::{MarkKey, Pcrs, TpmSeal, TpmStatus};
use keystead_base::Secret;
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Digest, KeyedHashScheme, Private, Public, PublicBuilder, PublicKeyedHashParameters, SensitiveData,
};
use tss_esapi::traits::{Marshall as _, UnMarshall as _};

use crate::tpm::{Storage, refused, selection};
use crate::{AuthValue, Tpm, TpmError};

/// The longest secret: a TPM seals 128 bytes, and 32 are the key of the marks.
pub const MAX_SECRET_BYTES: usize = 96;

/// What a seal opens to.
#[derive(Debug)]
pub struct Unsealed {
    /// The key of the rollback marks.
    pub mark: MarkKey,
    /// What was sealed.
    pub secret: Secret<Vec<u8>>,
}

impl Tpm {
    /// Seals to the registers as they are now, and to the authorization value, which is **not** exempt from the lock-out:
    /// a few wrong ones, and the TPM answers nobody for hours.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    pub fn seal(
        &mut self,
        secret: &Unsealed,
        pcrs: Pcrs,
        auth: &AuthValue,
        counter: u32,
    ) -> Result<TpmSeal, TpmError> {
        let found = secret.secret.expose().len();
        if !(1..=MAX_SECRET_BYTES).contains(&found) {
            return Err(TpmError::SecretLength { limit: MAX_SECRET_BYTES, found });
        }
        let TpmStatus { max_tries: tries, recovery_seconds, .. } = self.status()?;
        // Without a time to recover in, the TPM does not count tries at all.
        if !(1..=MAX_TRIES).contains(&tries) || recovery_seconds == 0 {
            return Err(TpmError::NoLockOut { tries, limit: MAX_TRIES, recovery_seconds });
        }
        let payload =
            Secret::new([secret.mark.0.expose().as_slice(), secret.secret.expose().as_slice()].concat());
        let policy = self.with_session(None, SessionType::Trial, |tpm, session| {
            let session = tpm.demand(session, pcrs)?;
            tpm.context.policy_get_digest(session).map_err(refused("say what a policy is"))
        })?;
        self.with_storage(None, |tpm, storage| {
            let template = template(policy).map_err(refused("describe a seal"))?;
            let data = SensitiveData::try_from(payload.expose().as_slice());
            let data = data.map_err(refused("take a secret"))?;
            let auth = auth.auth()?;
            let create = |context: &mut tss_esapi::Context| {
                context.create(storage.key, template, Some(auth), Some(data), None, None)
            };
            let made = tpm.context.execute_with_session(Some(storage.session), create);
            let made = made.map_err(refused("seal"))?;
            Ok(TpmSeal {
                pcrs,
                parent: storage.name.clone(),
                counter,
                public: made.out_public.marshall().map_err(refused("show a seal"))?,
                private: made.out_private.value().to_vec(),
            })
        })
    }

    /// Opens a seal.
    ///
    /// # Errors
    ///
    /// [`TpmError::Auth`], [`TpmError::LockedOut`], [`TpmError::Measured`], [`TpmError::OtherTpm`] and others.
    pub fn unseal(&mut self, seal: &TpmSeal, auth: &AuthValue) -> Result<Unsealed, TpmError> {
        let payload =
            self.with_storage(Some(&seal.parent), |tpm, storage| tpm.release(seal, auth, storage))?;
        let payload = Secret::new(payload.to_vec());
        let short = TpmError::Answer { what: "unseal", expected: "a key of 32 bytes and a secret" };
        let (mark, secret) = payload.expose().split_first_chunk::<32>().ok_or(short)?;
        Ok(Unsealed { mark: MarkKey(Secret::new(*mark)), secret: Secret::new(secret.to_vec()) })
    }

    fn release(
        &mut self,
        seal: &TpmSeal,
        auth: &AuthValue,
        storage: &Storage,
    ) -> Result<SensitiveData, TpmError> {
        let public = Public::unmarshall(&seal.public).map_err(refused("read a seal"))?;
        let private = Private::try_from(seal.private.as_slice()).map_err(refused("read a seal"))?;
        let load = |context: &mut tss_esapi::Context| context.load(storage.key, private, public);
        let loaded = self.context.execute_with_session(Some(storage.session), load);
        let object = loaded.map_err(refused("load a seal"))?;
        self.holding(object.into(), |tpm| {
            let auth = auth.auth()?;
            tpm.context.tr_set_auth(object.into(), auth).map_err(refused("take a value"))?;
            tpm.with_session(Some(storage.key), SessionType::Policy, |tpm, session| {
                tpm.demand(session, seal.pcrs)?;
                let unseal = |context: &mut tss_esapi::Context| context.unseal(object.into());
                tpm.context.execute_with_session(Some(session), unseal).map_err(refused("unseal"))
            })
        })
    }

    /// The registers as they are now, and the authorization value.
    fn demand(&mut self, session: AuthSession, pcrs: Pcrs) -> Result<PolicySession, TpmError> {
        let what = refused("hold a policy");
        let session = PolicySession::try_from(session).map_err(&what)?;
        self.context.policy_pcr(session, Digest::default(), selection(pcrs)?).map_err(&what)?;
        self.context.policy_auth_value(session).map_err(&what)?;
        Ok(session)
    }
}

/// Without `noDA` and without `userWithAuth`: there is no way around the policy, and wrong values count.
fn template(policy: Digest) -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new().with_fixed_tpm(true).with_fixed_parent(true).build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::KeyedHash)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_auth_policy(policy)
        .with_keyed_hash_parameters(PublicKeyedHashParameters::new(KeyedHashScheme::Null))
        .with_keyed_hash_unique_identifier(Digest::default())
        .build()
}

const MAX_TRIES: u32 = 32;
