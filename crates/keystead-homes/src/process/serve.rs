//! The process of one token: it loads the vendor's module, has the PIN, and does what the one that started it says.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;

use keystead_base::{Blame, Coded, Secret};
use rustix::process::{DumpableBehavior, Resource, Rlimit};

use super::protocol::{HomeReply, HomeRequest, Octets};
use crate::self_test::{pairwise, power_on};
use crate::{Home, HomeError, Label, Pin, PublicKey, Scheme, ToSign, TokenHome, TokenPlace, frame};

/// Becomes the process of a token, which speaks over standard input and output. Returns when whoever started it hangs up.
///
/// The PIN is read here, from its file, once nobody of the same user can look into this process any more.
///
/// # Errors
///
/// [`ServeError`].
pub fn serve(place: TokenPlace, pin: PathBuf) -> Result<(), ServeError> {
    serve_with(place, pin, &|_, _| {})
}

/// As [`serve`], with a seam where a test binary lets faults strike: what each self-test computed, and the first signature of a
/// fresh key (`pair`).
///
/// # Errors
///
/// As [`serve`].
pub fn serve_with(
    place: TokenPlace,
    pin: PathBuf,
    seam: &dyn Fn(&'static str, &mut [u8]),
) -> Result<(), ServeError> {
    harden()?;
    // INVARIANT S7: in the error state the PIN is not even read.
    let mut state = power_on(seam);
    if let Err(error) = &state {
        return refuse_all(error);
    }
    let file = File::open(&pin).map_err(|error| ServeError::Pin { path: pin.clone(), error })?;
    let read = Pin::read(file).map_err(|error| ServeError::Pin { path: pin, error })?;
    let home = TokenHome::new(place, read);
    let (mut input, mut output) = (Descriptor(io::stdin()), Descriptor(io::stdout()));
    while let Some(request) = frame::read(&mut input)? {
        let reply = match &state {
            Ok(()) => answer(&home, request, seam),
            Err(error) => HomeReply::Failed(error.clone()),
        };
        if let HomeReply::Failed(error @ HomeError::SelfTest { .. }) = &reply {
            state = Err(error.clone());
        }
        frame::write(&mut output, &reply)?;
    }
    Ok(())
}

/// The error state: it stays until the process is started anew.
fn refuse_all(error: &HomeError) -> Result<(), ServeError> {
    let (mut input, mut output) = (Descriptor(io::stdin()), Descriptor(io::stdout()));
    while frame::read::<HomeRequest>(&mut input)?.is_some() {
        frame::write(&mut output, &HomeReply::Failed(error.clone()))?;
    }
    Ok(())
}

/// INVARIANT K1, K5: no core file, no debugger of the same user, no privilege that a program started from here would gain.
fn harden() -> io::Result<()> {
    rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

fn answer(home: &impl Home, request: HomeRequest, seam: &dyn Fn(&'static str, &mut [u8])) -> HomeReply {
    let done = |()| HomeReply::Done;
    let fits = |label: &Label, public: PublicKey| pairwise(home, label, public, seam);
    match request {
        HomeRequest::Abilities => HomeReply::of(home.abilities(), HomeReply::Abilities),
        HomeRequest::Generate { label, scheme, to_send: false } => {
            HomeReply::of(home.generate(&label, scheme).and_then(|it| fits(&label, it)), HomeReply::Public)
        }
        HomeRequest::Generate { label, scheme, to_send: true } => HomeReply::of(
            home.generate_to_send(&label, scheme).and_then(|it| fits(&label, it)),
            HomeReply::Public,
        ),
        HomeRequest::Import { label, scheme, secret } => HomeReply::of(
            fixed(scheme, &secret.0).and_then(|it| home.import(&label, scheme, &it)),
            HomeReply::Public,
        ),
        HomeRequest::Public { label } => HomeReply::of(home.public(&label), HomeReply::Public),
        HomeRequest::SignDigest { label, digest } => {
            HomeReply::of(home.sign(&label, ToSign::Digest(&digest)), HomeReply::Signature)
        }
        HomeRequest::SignMessage { label, message } => {
            HomeReply::of(home.sign(&label, ToSign::Message(&message)), HomeReply::Signature)
        }
        HomeRequest::Destroy { label } => HomeReply::of(home.destroy(&label), done),
        HomeRequest::MakeWrapping { label } => HomeReply::of(home.make_wrapping(&label), done),
        HomeRequest::Wrap { label, bound, secret } => {
            HomeReply::of(home.wrap(&label, &bound, &secret.0), |it| HomeReply::Octets(Octets::new(it)))
        }
        HomeRequest::Unwrap { label, bound, wrapped } => {
            HomeReply::of(home.unwrap(&label, &bound, &wrapped), |it| HomeReply::Octets(Octets(it)))
        }
        HomeRequest::Random { count } => {
            let mut bytes = Octets::new(vec![0; (count as usize).min(MAX_RANDOM_BYTES)]);
            HomeReply::of(home.random(bytes.0.expose_mut()), |()| HomeReply::Octets(bytes))
        }
        HomeRequest::Receiver => HomeReply::of(home.receiver(), HomeReply::Receiver),
        HomeRequest::Send { label, to } => HomeReply::of(home.send(&label, &to), HomeReply::Parcel),
        HomeRequest::Receive { label, public, parcel } => {
            HomeReply::of(home.receive(&label, &public, &parcel), done)
        }
        HomeRequest::Stay { label } => HomeReply::of(home.stay(&label), done),
        HomeRequest::Testify { label } => HomeReply::of(home.testify(&label), HomeReply::Testimony),
    }
}

fn fixed(scheme: Scheme, secret: &Secret<Vec<u8>>) -> Result<Secret<[u8; 32]>, HomeError> {
    let mut fixed = Secret::new([0; SECRET_BYTES]);
    let found = secret.expose().len();
    match found == SECRET_BYTES {
        true => fixed.expose_mut().copy_from_slice(secret.expose()),
        false => return Err(HomeError::Secret { scheme }),
    }
    Ok(fixed)
}

/// A standard stream without a buffer of its own: no copy of a message stays behind in one.
struct Descriptor<F>(F);

impl<F: AsFd> Read for Descriptor<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(&self.0, bytes)?)
    }
}

impl<F: AsFd> Write for Descriptor<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(&self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why the process of a token ends early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The PIN's file.
    #[error("the PIN file {} cannot be used: {error}", path.display())]
    Pin {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// A stream, or what protects the process.
    #[error("the process of the token cannot go on: {0}")]
    Stream(#[from] io::Error),
}

impl Coded for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Pin { .. } => "token.pin_file",
            Self::Stream(_) => "token.stream",
        }
    }

    fn blame(&self) -> Blame {
        Blame::Environment
    }
}

const SECRET_BYTES: usize = 32;
/// The most random bytes of one answer.
pub(super) const MAX_RANDOM_BYTES: usize = 4096;
