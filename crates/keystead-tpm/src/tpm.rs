//! A connection to a TPM: its storage key, sessions that encrypt what crosses the bus, and handles that are given back.

use std::str::FromStr as _;

use keystead_attest::tpm::{Pcrs, TPM_RANDOM_BYTES, TpmStatus};
use keystead_base::Secret;
use tss_esapi::attributes::{ObjectAttributesBuilder, SessionAttributesBuilder};
use tss_esapi::constants::{CapabilityType, PropertyTag, SessionType};
use tss_esapi::handles::{KeyHandle, ObjectHandle, SessionHandle};
use tss_esapi::interface_types::algorithm::{HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    Auth, CapabilityData, EccPoint, EccScheme, KeyDerivationFunctionScheme, PcrSelectionList,
    PcrSelectionListBuilder, PcrSlot, Public, PublicBuilder, PublicEccParametersBuilder, SymmetricDefinition,
    SymmetricDefinitionObject,
};
use tss_esapi::{Context, TctiNameConf};

use crate::TpmError;

/// A TPM that answers.
#[derive(Debug)]
pub struct Tpm {
    pub(crate) context: Context,
}

/// What a caller has to know besides being on the right machine, 8 to 32 bytes.
#[derive(Debug)]
pub struct AuthValue(Secret<Vec<u8>>);

impl AuthValue {
    /// Takes the contents of a file; a line break at its end is not part of it.
    ///
    /// # Errors
    ///
    /// [`TpmError::AuthLength`].
    pub fn new(mut bytes: Secret<Vec<u8>>) -> Result<Self, TpmError> {
        if bytes.expose().ends_with(b"\n") {
            bytes.expose_mut().pop();
        }
        let found = bytes.expose().len();
        // A TPM takes zeros at the end away.
        match (8..=32).contains(&found) && !bytes.expose().ends_with(&[0]) {
            true => Ok(Self(bytes)),
            false => Err(TpmError::AuthLength { found }),
        }
    }

    pub(crate) fn auth(&self) -> Result<Auth, TpmError> {
        Auth::try_from(self.0.expose().as_slice()).map_err(|error| TpmError::of("take a value", error))
    }
}

impl Tpm {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`TpmError::Device`].
    pub fn open(device: &str) -> Result<Self, TpmError> {
        let no_device = |error| TpmError::Device { device: device.to_owned(), error };
        let conf = TctiNameConf::from_str(device).map_err(no_device)?;
        Context::new(conf).map(|context| Self { context }).map_err(no_device)
    }

    /// What the TPM says of itself.
    ///
    /// # Errors
    ///
    /// [`TpmError::Refused`].
    pub fn status(&mut self) -> Result<TpmStatus, TpmError> {
        let mut number = |tag| self.property(tag);
        let maker = number(PropertyTag::Manufacturer)?.to_be_bytes();
        let (high, low) = (number(PropertyTag::FirmwareVersion1)?, number(PropertyTag::FirmwareVersion2)?);
        Ok(TpmStatus {
            manufacturer: String::from_utf8_lossy(&maker).trim_end_matches('\0').to_owned(),
            firmware: u64::from(high) << 32 | u64::from(low),
            failed_tries: number(PropertyTag::LockoutCounter)?,
            max_tries: number(PropertyTag::MaxAuthFail)?,
            recovery_seconds: number(PropertyTag::LockoutInterval)?,
            counter_index: None,
        })
    }

    /// Asked anew each time: the library remembers its own answers.
    fn property(&mut self, tag: PropertyTag) -> Result<u32, TpmError> {
        let asked = self.context.get_capability(CapabilityType::TpmProperties, tag.into(), 1);
        let (found, _) = asked.map_err(refused("say what it is"))?;
        let CapabilityData::TpmProperties(list) = found else { return Ok(0) };
        Ok(list.find(tag).map(|property| property.value()).unwrap_or_default())
    }

    /// Raw bytes of its generator, encrypted on their way: untested, as one source of a seed.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    pub fn random(&mut self) -> Result<Secret<Vec<u8>>, TpmError> {
        let mut drawn = Secret::new(Vec::with_capacity(TPM_RANDOM_BYTES));
        self.with_storage(None, |tpm, storage| {
            while drawn.expose().len() < TPM_RANDOM_BYTES {
                let draw = |context: &mut Context| context.get_random(RANDOM_AT_ONCE);
                let some = tpm.context.execute_with_session(Some(storage.session), draw);
                let some = some.map_err(refused("give random bytes"))?;
                if some.value().is_empty() {
                    return Err(TpmError::Answer { what: "give random bytes", expected: "some" });
                }
                drawn.expose_mut().extend_from_slice(some.value());
            }
            Ok(())
        })?;
        drawn.expose_mut().truncate(TPM_RANDOM_BYTES);
        Ok(drawn)
    }

    /// Works with the owner's storage key and a session that is salted to it, so that nobody on the bus reads along.
    pub(crate) fn with_storage<T>(
        &mut self,
        expected: Option<&[u8]>,
        work: impl FnOnce(&mut Self, &Storage) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        self.with_primary(Hierarchy::Owner, expected, work)
    }

    /// The same under the storage key of another hierarchy.
    pub(crate) fn with_primary<T>(
        &mut self,
        hierarchy: Hierarchy,
        expected: Option<&[u8]>,
        work: impl FnOnce(&mut Self, &Storage) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let template = storage_template().map_err(refused("describe its storage key"))?;
        let primary =
            |context: &mut Context| context.create_primary(hierarchy, template, None, None, None, None);
        let made =
            self.context.execute_with_nullauth_session(primary).map_err(refused("make its storage key"))?;
        let key = made.key_handle;
        self.holding(key.into(), |tpm| {
            let (_, name, _) = tpm.context.read_public(key).map_err(refused("show its storage key"))?;
            let name = name.value().to_vec();
            if expected.is_some_and(|expected| expected != name) {
                return Err(TpmError::OtherTpm);
            }
            tpm.with_session(Some(key), SessionType::Hmac, |tpm, session| {
                work(tpm, &Storage { key, name, session })
            })
        })
    }

    /// Works with a session that encrypts in both directions, and gives it back.
    pub(crate) fn with_session<T>(
        &mut self,
        salt: Option<KeyHandle>,
        kind: SessionType,
        work: impl FnOnce(&mut Self, AuthSession) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let session = self.start(salt, kind)?;
        self.holding(SessionHandle::from(session).into(), |tpm| {
            if kind != SessionType::Trial {
                let both = SessionAttributesBuilder::new().with_decrypt(true).with_encrypt(true);
                let (attributes, mask) = both.build();
                let set = tpm.context.tr_sess_set_attributes(session, attributes, mask);
                set.map_err(refused("encrypt a session"))?;
            }
            work(tpm, session)
        })
    }

    /// Works with a policy session beside one that encrypts already: a command has one of those.
    pub(crate) fn with_plain_session<T>(
        &mut self,
        work: impl FnOnce(&mut Self, AuthSession) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let session = self.start(None, SessionType::Policy)?;
        self.holding(SessionHandle::from(session).into(), |tpm| work(tpm, session))
    }

    fn start(&mut self, salt: Option<KeyHandle>, kind: SessionType) -> Result<AuthSession, TpmError> {
        let (cipher, hash) = (SymmetricDefinition::AES_128_CFB, HashingAlgorithm::Sha256);
        let started = self.context.start_auth_session(salt, None, None, kind, cipher, hash);
        let none = TpmError::Answer { what: "start a session", expected: "a session" };
        started.map_err(refused("start a session"))?.ok_or(none)
    }

    /// Works while something is loaded, and flushes it whatever became of the work.
    pub(crate) fn holding<T>(
        &mut self,
        handle: ObjectHandle,
        work: impl FnOnce(&mut Self) -> Result<T, TpmError>,
    ) -> Result<T, TpmError> {
        let done = work(self);
        let flushed = self.context.flush_context(handle).map_err(refused("give a handle back"));
        done.and_then(|value| flushed.map(|()| value))
    }
}

/// No answer is longer than the longest digest of any TPM.
const RANDOM_AT_ONCE: usize = 32;

/// The TPM's storage key while it is loaded.
pub(crate) struct Storage {
    pub(crate) key: KeyHandle,
    pub(crate) name: Vec<u8>,
    pub(crate) session: AuthSession,
}

pub(crate) fn refused(what: &'static str) -> impl Fn(tss_esapi::Error) -> TpmError {
    move |error| TpmError::of(what, error)
}

/// P-256, made anew each time from its hierarchy's seed: it is always the same, and takes no room.
fn storage_template() -> tss_esapi::Result<Public> {
    restricted_p256(Use::Decrypt, EccScheme::Null, SymmetricDefinitionObject::AES_128_CFB)
}

/// What a restricted key is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Sign,
    Decrypt,
}

/// A key that never leaves its TPM, takes nothing from outside for the TPM's own words, and has no value to be guessed, so that it
/// stays out of the lock-out.
pub(crate) fn restricted_p256(
    it: Use,
    scheme: EccScheme,
    cipher: SymmetricDefinitionObject,
) -> tss_esapi::Result<Public> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_sign_encrypt(it == Use::Sign)
        .with_decrypt(it == Use::Decrypt)
        .build()?;
    let parameters = PublicEccParametersBuilder::new()
        .with_symmetric(cipher)
        .with_ecc_scheme(scheme)
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_is_signing_key(it == Use::Sign)
        .with_is_decryption_key(it == Use::Decrypt)
        .with_restricted(true)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// The registers as the library wants them.
pub(crate) fn selection(pcrs: Pcrs) -> Result<PcrSelectionList, TpmError> {
    let slots = pcrs.indices().into_iter().map(|index| PcrSlot::try_from(1_u32 << index));
    let slots = slots.collect::<Result<Vec<_>, _>>().map_err(refused("name a register"))?;
    let list = PcrSelectionListBuilder::new().with_selection(HashingAlgorithm::Sha256, &slots);
    list.build().map_err(refused("name its registers"))
}
