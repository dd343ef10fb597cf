//! The part of the sealing secret that only a token can decrypt: who has the disk and the passphrase has nothing without it.

use std::os::fd::RawFd;
use std::path::PathBuf;

use keystead_base::{ClusterId, Secret};
use keystead_homes::{Home as _, HomeError, Label, ProcessHome, TokenProcess};

use crate::ProcessError;
use crate::passphrase::Passphrase;

/// A token, a key in it that decrypts, and the file with what it decrypts.
#[derive(Clone, Debug)]
pub struct TokenRoot {
    /// How the token's process is started.
    pub process: TokenProcess,
    /// The token's AES key.
    pub key: Label,
    /// The file that [`TokenRoot::make`] wrote.
    pub file: PathBuf,
}

/// A root that was found, and is not decrypted yet.
pub(crate) struct FoundRoot {
    home: ProcessHome,
    key: Label,
    wrapped: Vec<u8>,
}

impl TokenRoot {
    /// Makes the token's key where it has none, draws a root of the kernel's and the token's random bytes, and gives it as the
    /// token encrypted it, for the file. Nothing that was sealed before opens with it.
    ///
    /// # Errors
    ///
    /// [`HomeError`].
    pub fn make(process: TokenProcess, key: &Label, cluster: ClusterId) -> Result<Vec<u8>, HomeError> {
        let home = ProcessHome::start(process)?;
        match home.make_wrapping(key) {
            Ok(()) | Err(HomeError::Exists { .. }) => {}
            Err(error) => return Err(error),
        }
        let (mut own, mut root) = (Secret::new([0; ROOT_BYTES]), Secret::new(vec![0; ROOT_BYTES]));
        crate::entropy::kernel_random(own.expose_mut());
        home.random(root.expose_mut())?;
        // The token's bytes can only add: the kernel's are drawn without knowing them, and the token does not see them.
        root.expose_mut().iter_mut().zip(own.expose()).for_each(|(byte, own)| *byte ^= own);
        let wrapped = home.wrap(key, &bound(cluster), &root)?;
        // It opens again, and its tag says that it is this very root.
        home.unwrap(key, &bound(cluster), &wrapped)?;
        Ok(wrapped)
    }

    /// Starts the token's process and reads the file, while both are still allowed.
    pub(crate) fn find(&self) -> Result<FoundRoot, ProcessError> {
        let wrapped = std::fs::read(&self.file).map_err(ProcessError::Root)?;
        let home = ProcessHome::start(self.process.clone())?;
        Ok(FoundRoot { home, key: self.key.clone(), wrapped })
    }
}

impl FoundRoot {
    /// The descriptor that reading and writing must stay allowed on.
    pub(crate) fn descriptor(&self) -> Option<RawFd> {
        self.home.descriptor()
    }

    /// Has it decrypted, and makes it a part of the passphrase. The token is not needed afterwards.
    pub(crate) fn join(self, passphrase: &mut Passphrase, cluster: ClusterId) -> Result<(), HomeError> {
        let root = self.home.unwrap(&self.key, &bound(cluster), &self.wrapped)?;
        passphrase.join(&root);
        Ok(())
    }
}

/// For this cluster and for this use alone.
fn bound(cluster: ClusterId) -> Vec<u8> {
    [b"sealing root ".as_slice(), cluster.0.as_bytes()].concat()
}

const ROOT_BYTES: usize = 32;
