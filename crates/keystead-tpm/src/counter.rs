//! A counter in the TPM that no disk, no snapshot and no redefinition takes back.

use tss_esapi::Context;
use tss_esapi::attributes::NvIndexAttributesBuilder;
use tss_esapi::constants::NvIndexType;
use tss_esapi::handles::{NvIndexHandle, NvIndexTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::{NvAuth, Provision};
use tss_esapi::structures::{NvPublic, NvPublicBuilder};

use crate::tpm::{Storage, refused};
use crate::{AuthValue, Tpm, TpmError};

/// `parent` is the name of the storage key that sessions are salted to, as the seal remembers it; without it, whoever answers.
impl Tpm {
    /// Defines the counter of this index, and counts once: one that never counted cannot be read.
    ///
    /// # Errors
    ///
    /// [`TpmError::CounterTaken`] and others.
    pub fn define_counter(
        &mut self,
        parent: Option<&[u8]>,
        index: u32,
        auth: &AuthValue,
    ) -> Result<u64, TpmError> {
        let public = counter(index).map_err(refused("describe a counter"))?;
        let value = auth.auth()?;
        self.with_storage(parent, |tpm, storage| {
            if tpm.find(index).is_ok() {
                return Err(TpmError::CounterTaken { index });
            }
            let define =
                |context: &mut Context| context.nv_define_space(Provision::Owner, Some(value), public);
            let defined = tpm.context.execute_with_session(Some(storage.session), define);
            defined.map(drop).map_err(refused("define a counter"))
        })?;
        self.count_up(parent, index, auth)
    }

    /// Counts up by one, and says what the counter is then. Costs one write of the TPM's memory, which wears out: once
    /// for a checkpoint, not for a signature.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    pub fn count_up(&mut self, parent: Option<&[u8]>, index: u32, auth: &AuthValue) -> Result<u64, TpmError> {
        self.with_storage(parent, |tpm, storage| {
            let handle = tpm.opened(index, auth)?;
            let count = |context: &mut Context| context.nv_increment(NvAuth::NvIndex(handle), handle);
            tpm.context.execute_with_session(Some(storage.session), count).map_err(refused("count up"))?;
            tpm.read(handle, storage)
        })
    }

    /// What the counter is.
    ///
    /// # Errors
    ///
    /// [`TpmError`].
    pub fn counter(&mut self, parent: Option<&[u8]>, index: u32, auth: &AuthValue) -> Result<u64, TpmError> {
        self.with_storage(parent, |tpm, storage| {
            let handle = tpm.opened(index, auth)?;
            tpm.read(handle, storage)
        })
    }

    fn read(&mut self, handle: NvIndexHandle, storage: &Storage) -> Result<u64, TpmError> {
        let read = |context: &mut Context| context.nv_read(NvAuth::NvIndex(handle), handle, 8, 0);
        let bytes = self.context.execute_with_session(Some(storage.session), read);
        let bytes = bytes.map_err(refused("read the counter"))?;
        let other = TpmError::Answer { what: "read the counter", expected: "eight bytes" };
        bytes.value().try_into().map(u64::from_be_bytes).map_err(|_| other)
    }

    fn opened(&mut self, index: u32, auth: &AuthValue) -> Result<NvIndexHandle, TpmError> {
        let handle = self.find(index)?;
        self.context.tr_set_auth(handle.into(), auth.auth()?).map_err(refused("take a value"))?;
        Ok(handle)
    }

    fn find(&mut self, index: u32) -> Result<NvIndexHandle, TpmError> {
        let place = NvIndexTpmHandle::new(index).map_err(refused("name a counter"))?;
        let find = |context: &mut Context| context.tr_from_tpm_public(TpmHandle::NvIndex(place));
        self.context
            .execute_without_session(find)
            .map(NvIndexHandle::from)
            .map_err(refused("find the counter"))
    }
}

/// Without `noDA`: the authorization value is that of the seal, and nobody guesses it here instead.
fn counter(index: u32) -> tss_esapi::Result<NvPublic> {
    let attributes = NvIndexAttributesBuilder::new()
        .with_nv_index_type(NvIndexType::Counter)
        .with_auth_write(true)
        .with_auth_read(true)
        .build()?;
    NvPublicBuilder::new()
        .with_nv_index(NvIndexTpmHandle::new(index)?)
        .with_index_name_algorithm(HashingAlgorithm::Sha256)
        .with_index_attributes(attributes)
        .with_data_area_size(8)
        .build()
}
