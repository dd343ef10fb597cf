//! A home in a process of its own: what a vendor's module does to its memory, or a crash of it, stays there.
//!
//! Whoever starts the process holds the only other end of its stream, a pair of sockets without a name. A process that ends is
//! started again, where this one still may.

mod protocol;
mod serve;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keystead_base::Secret;

use self::protocol::{HomeReply, HomeRequest, Octets};
pub use self::serve::{ServeError, serve, serve_with};
use crate::software::short_enough;
use crate::{
    Abilities, Home, HomeError, Label, Parcel, PublicKey, Receiver, Scheme, Signature, Testimony, ToSign,
    frame,
};

/// How the process of a token is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenProcess {
    /// What people call the token.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments; it becomes the token's process by [`serve`].
    pub arguments: Vec<OsString>,
    /// All of its environment: what the vendor's module reads.
    pub environment: Vec<(OsString, OsString)>,
}

/// A home behind a process.
pub struct ProcessHome {
    process: TokenProcess,
    running: Mutex<Option<Running>>,
}

struct Running {
    child: Child,
    stream: OwnedFd,
    /// How many more times [`LONGEST`] is waited for.
    patience: u32,
}

impl ProcessHome {
    /// Starts the process.
    ///
    /// # Errors
    ///
    /// [`HomeError::Lost`] where the system does not.
    pub fn start(process: TokenProcess) -> Result<Self, HomeError> {
        let running = process.start().map_err(|error| HomeError::lost(process.name.clone(), error))?;
        Ok(Self { process, running: Mutex::new(Some(running)) })
    }

    /// The process id; none once it is lost.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.running().as_ref().map(|it| it.child.id())
    }

    /// The descriptor of its stream, for whoever is to forbid itself all others.
    #[must_use]
    pub fn descriptor(&self) -> Option<RawFd> {
        self.running().as_ref().map(|it| it.stream.as_raw_fd())
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self, request: &HomeRequest) -> Result<HomeReply, HomeError> {
        // What no frame holds is refused before anybody's process is given up for it.
        let too_long = || {
            let found = borsh::object_length(request).unwrap_or(usize::MAX);
            HomeError::too_long(frame::MAX_FRAME_BYTES, found)
        };
        let frame = frame::encode(request).ok_or_else(too_long)?;
        let mut place = self.running();
        let lost = |error: io::Error| HomeError::lost(self.process.name.clone(), error);
        let again = |error| lost(io::Error::other(format!("its process ended, and starts no more: {error}")));
        let mut running = match place.take() {
            Some(running) => running,
            None => self.process.start().map_err(again)?,
        };
        running.patience = request.patience();
        let answered = frame::send(&mut running, &frame)
            .and_then(|()| frame::read(&mut running))
            .and_then(|reply| reply.ok_or_else(|| io::Error::other("its process ended")));
        match answered {
            Ok(reply) => {
                *place = Some(running);
                match reply {
                    HomeReply::Failed(error) => Err(error),
                    reply => Ok(reply),
                }
            }
            // One that was late would answer the next question with this one's answer: it is ended, not asked again.
            Err(error) => Err(lost(error)),
        }
    }

    fn unexpected<T>(&self) -> Result<T, HomeError> {
        Err(HomeError::lost(self.name(), "it answers another question"))
    }

    fn done(&self, request: &HomeRequest) -> Result<(), HomeError> {
        match self.call(request)? {
            HomeReply::Done => Ok(()),
            _ => self.unexpected(),
        }
    }

    fn public_by(&self, request: &HomeRequest) -> Result<PublicKey, HomeError> {
        match self.call(request)? {
            HomeReply::Public(public) => Ok(public),
            _ => self.unexpected(),
        }
    }

    fn octets(&self, request: &HomeRequest) -> Result<Secret<Vec<u8>>, HomeError> {
        match self.call(request)? {
            HomeReply::Octets(bytes) => Ok(bytes.0),
            _ => self.unexpected(),
        }
    }
}

impl TokenProcess {
    fn start(&self) -> io::Result<Running> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(LONGEST))?;
        ours.set_write_timeout(Some(LONGEST))?;
        let theirs = OwnedFd::from(theirs);
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::from(theirs.try_clone()?))
            .stdout(Stdio::from(theirs))
            .spawn()?;
        Ok(Running { child, stream: OwnedFd::from(ours), patience: 0 })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing is lost with it: what it has is in the token.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// `read` and `write` and no other call: a process that forbade itself the others still reaches its tokens.
impl Read for Running {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::io::read(self.stream.as_fd(), &mut *bytes) {
                Err(rustix::io::Errno::AGAIN) if self.patience > 0 => self.patience -= 1,
                other => return Ok(other?),
            }
        }
    }
}

impl Write for Running {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.stream.as_fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Home for ProcessHome {
    fn name(&self) -> String {
        self.process.name.clone()
    }

    fn abilities(&self) -> Result<Abilities, HomeError> {
        match self.call(&HomeRequest::Abilities)? {
            HomeReply::Abilities(abilities) => Ok(abilities),
            _ => self.unexpected(),
        }
    }

    fn generate(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        self.public_by(&HomeRequest::Generate { label: label.clone(), scheme, to_send: false })
    }

    fn import(
        &self,
        label: &Label,
        scheme: Scheme,
        secret: &Secret<[u8; 32]>,
    ) -> Result<PublicKey, HomeError> {
        let secret = Octets::new(secret.expose().to_vec());
        self.public_by(&HomeRequest::Import { label: label.clone(), scheme, secret })
    }

    fn public(&self, label: &Label) -> Result<PublicKey, HomeError> {
        self.public_by(&HomeRequest::Public { label: label.clone() })
    }

    fn sign(&self, label: &Label, what: ToSign<'_>) -> Result<Signature, HomeError> {
        let label = label.clone();
        let request = match what {
            ToSign::Digest(digest) => HomeRequest::SignDigest { label, digest: *digest },
            ToSign::Message(message) => HomeRequest::SignMessage { label, message: message.to_vec() },
        };
        match self.call(&request)? {
            HomeReply::Signature(signature) => Ok(signature),
            _ => self.unexpected(),
        }
    }

    fn destroy(&self, label: &Label) -> Result<(), HomeError> {
        self.done(&HomeRequest::Destroy { label: label.clone() })
    }

    fn make_wrapping(&self, label: &Label) -> Result<(), HomeError> {
        self.done(&HomeRequest::MakeWrapping { label: label.clone() })
    }

    fn wrap(&self, label: &Label, bound: &[u8], secret: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        short_enough(secret)?;
        let (label, bound, secret) = (label.clone(), bound.to_vec(), Octets::new(secret.expose().clone()));
        let mut wrapped = self.octets(&HomeRequest::Wrap { label, bound, secret })?;
        Ok(std::mem::take(wrapped.expose_mut()))
    }

    fn unwrap(&self, label: &Label, bound: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, HomeError> {
        let (label, bound, wrapped) = (label.clone(), bound.to_vec(), wrapped.to_vec());
        self.octets(&HomeRequest::Unwrap { label, bound, wrapped })
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HomeError> {
        for part in out.chunks_mut(serve::MAX_RANDOM_BYTES) {
            let count = u32::try_from(part.len()).unwrap_or(u32::MAX);
            let bytes = self.octets(&HomeRequest::Random { count })?;
            let found = bytes.expose().len();
            if found != part.len() {
                return self.unexpected();
            }
            part.copy_from_slice(bytes.expose());
        }
        Ok(())
    }

    fn generate_to_send(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        self.public_by(&HomeRequest::Generate { label: label.clone(), scheme, to_send: true })
    }

    fn receiver(&self) -> Result<Receiver, HomeError> {
        match self.call(&HomeRequest::Receiver)? {
            HomeReply::Receiver(receiver) => Ok(receiver),
            _ => self.unexpected(),
        }
    }

    fn send(&self, label: &Label, to: &Receiver) -> Result<Parcel, HomeError> {
        match self.call(&HomeRequest::Send { label: label.clone(), to: to.clone() })? {
            HomeReply::Parcel(parcel) => Ok(parcel),
            _ => self.unexpected(),
        }
    }

    fn receive(&self, label: &Label, public: &PublicKey, parcel: &Parcel) -> Result<(), HomeError> {
        let (label, public, parcel) = (label.clone(), public.clone(), parcel.clone());
        self.done(&HomeRequest::Receive { label, public, parcel })
    }

    fn stay(&self, label: &Label) -> Result<(), HomeError> {
        self.done(&HomeRequest::Stay { label: label.clone() })
    }

    fn testify(&self, label: &Label) -> Result<Testimony, HomeError> {
        match self.call(&HomeRequest::Testify { label: label.clone() })? {
            HomeReply::Testimony(testimony) => Ok(testimony),
            _ => self.unexpected(),
        }
    }
}

/// How long a token may think. What makes RSA keys of 3,072 bits is waited for some more times ([`HomeRequest::patience`]).
const LONGEST: Duration = Duration::from_secs(30);
