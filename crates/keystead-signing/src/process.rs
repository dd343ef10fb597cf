//! The enclave as a process: gives everything up, reads the passphrase, and serves until its parent hangs up.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, RawFd};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use keystead_base::{Blame, Coded, Timestamp};
use keystead_homes::HomeError;

use crate::enclave::{Enclave, Start};
use crate::passphrase::Passphrase;
use crate::protocol::Request;
use crate::root::{FoundRoot, TokenRoot};
use crate::threshold::{ARENA_BYTES, Arena};
use crate::tokens::{TokenGroup, Tokens};
use crate::vault::Slots;
use crate::{EnclaveControls, Feature, FrameError, Hardening, Role, Strict, confine, frame, kernel};

/// How an enclave is started.
#[derive(Clone, Debug)]
pub struct EnclaveOptions {
    /// What it is for.
    pub role: Role,
    /// The credential file; read by the enclave itself.
    pub passphrase: PathBuf,
    /// Protections without which it does not serve.
    pub required: Vec<Feature>,
    /// The token without which nothing that is sealed opens; none where the passphrase is enough. Of a signer alone.
    pub root: Option<TokenRoot>,
    /// The tokens in which keys may live. Of a signer alone.
    pub tokens: Vec<TokenGroup>,
}

/// Becomes an enclave that speaks over standard input and output. Returns when the parent hangs up.
///
/// Call it first thing in `main`, with one thread running: it closes every other descriptor. The program's allocator has to
/// wipe what it is given back (`zeroizing_alloc::ZeroAlloc` as `#[global_allocator]`).
///
/// # Errors
///
/// [`ProcessError`] when it cannot start, or the stream breaks.
pub fn run(options: EnclaveOptions) -> Result<(), ProcessError> {
    run_with(options, Strict)
}

/// As [`run`], with one control taken out: for the twin of an attack pair, in a test binary.
///
/// # Errors
///
/// As [`run`].
pub fn run_with(options: EnclaveOptions, controls: impl EnclaveControls) -> Result<(), ProcessError> {
    // INVARIANT K5: the libraries that compute with shares wipe nothing of theirs, and the process does it for them.
    if !kernel::wipes_what_is_freed().map_err(ProcessError::Stream)? {
        return Err(ProcessError::Unwiped);
    }
    let mut hardening = Hardening::default();
    confine::shed_privileges(&mut hardening);
    let path = options.passphrase.clone();
    let passphrase = File::open(&path).map_err(|error| ProcessError::Passphrase { path, error })?;
    // The tokens' processes are this one's only descendants, and cannot be started any more once calls are forbidden.
    let tokens = Tokens::start(&options.tokens)?;
    let root = options.root.as_ref().map(TokenRoot::find).transpose()?;
    // Secret pages cannot be asked for any more once calls are forbidden.
    let slots = Slots::new().map_err(ProcessError::Stream)?;
    let arena = Arena::new(ARENA_BYTES).map_err(ProcessError::Stream)?;
    confine::forbid_files(&mut hardening);
    kernel::on_secret_stack(STACK_BYTES, move |stack| {
        // Nothing secret has been read so far.
        let mut streams = tokens.descriptors();
        streams.extend(root.as_ref().and_then(FoundRoot::descriptor));
        let readable: Vec<RawFd> = [0, passphrase.as_raw_fd()].iter().chain(&streams).copied().collect();
        let writable: Vec<RawFd> = [1, 2].iter().chain(&streams).copied().collect();
        confine::forbid_calls(&mut hardening, &readable, &writable);
        confine::note_memory(&mut hardening, stack.max(slots.kind()).max(arena.kind()));
        let mut credential = Passphrase::read(&passphrase).map_err(ProcessError::Stream)?;
        drop(passphrase);
        if let (Some(root), Role::Signer(cluster)) = (root, options.role) {
            root.join(&mut credential, cluster)?;
        }
        let (role, required, passphrase) = (options.role, options.required, credential);
        let start = Start { role, required, hardening, passphrase, tokens };
        let mut enclave = Enclave::new(start, slots, arena, controls);
        let (input, output) = (io::stdin(), io::stdout());
        serve(&mut enclave, Descriptor(input.as_fd()), Descriptor(output.as_fd()))
    })
    .map_err(ProcessError::Stream)?
}

/// Runs `probe` confined as the enclave is: for tests that try what must fail.
///
/// # Errors
///
/// When the secret stack cannot be made.
pub fn confined<T: Send + 'static>(probe: impl FnOnce(&Hardening) -> T + Send + 'static) -> io::Result<T> {
    let mut hardening = Hardening::default();
    confine::shed_privileges(&mut hardening);
    confine::forbid_files(&mut hardening);
    kernel::on_secret_stack(STACK_BYTES, move |stack| {
        confine::forbid_calls(&mut hardening, &[0], &[1, 2]);
        confine::note_memory(&mut hardening, stack);
        probe(&hardening)
    })
}

fn serve<C: EnclaveControls>(
    enclave: &mut Enclave<C>,
    mut input: impl Read,
    mut output: impl Write,
) -> Result<(), ProcessError> {
    loop {
        match frame::read::<Request>(&mut input) {
            Ok(Some(request)) => frame::write(&mut output, &enclave.answer(request, now()))?,
            Ok(None) => return Ok(()),
            // A parent that speaks another language is not talked to any further.
            Err(error) => return Err(error.into()),
        }
    }
}

fn now() -> Timestamp {
    // A clock before 1970 reads as the end of time: everything has expired.
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).map(|it| it.as_millis());
    Timestamp(elapsed.ok().and_then(|millis| u64::try_from(millis).ok()).unwrap_or(u64::MAX))
}

/// A standard stream without a buffer of its own: no copy of a message stays behind in one.
struct Descriptor<'a>(BorrowedFd<'a>);

impl Read for Descriptor<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, bytes)?)
    }
}

impl Write for Descriptor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why an enclave process ends early.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The credential file.
    #[error("the passphrase file {} cannot be opened: {error}", path.display())]
    Passphrase {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What the program frees stays in its memory.
    #[error("the allocator of this program leaves what is freed as it was: expected one that wipes it")]
    Unwiped,
    /// The file with what the token decrypts.
    #[error("the file with what the token decrypts cannot be read: {0}")]
    Root(io::Error),
    /// A token's process does not start, or the token does not decrypt what it has to.
    #[error(transparent)]
    Token(#[from] HomeError),
    /// The parent does not speak the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Memory or a stream.
    #[error("the enclave cannot go on: {0}")]
    Stream(#[from] io::Error),
}

impl Coded for ProcessError {
    fn code(&self) -> &'static str {
        match self {
            Self::Passphrase { .. } => "enclave.passphrase_file",
            Self::Unwiped => "enclave.unwiped",
            Self::Root(_) => "enclave.token_root",
            Self::Token(error) => error.code(),
            Self::Frame(error) => error.code(),
            Self::Stream(_) => "enclave.stream",
        }
    }

    fn blame(&self) -> Blame {
        match self {
            Self::Passphrase { .. } | Self::Unwiped | Self::Root(_) | Self::Stream(_) => Blame::Environment,
            Self::Token(error) => error.blame(),
            Self::Frame(error) => error.blame(),
        }
    }
}

/// Room for ML-DSA and ML-KEM, a quarter of the usual limit on locked memory.
const STACK_BYTES: usize = 2 * 1024 * 1024;
