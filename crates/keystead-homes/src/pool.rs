//! Several homes that hold the same keys: each call goes to the next one that is there, and none fails while one is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use keystead_base::Secret;

use crate::finish::finish;
use crate::{Abilities, Home, HomeError, Label, Parcel, PublicKey, Receiver, Scheme, Signature, ToSign};

/// Homes with the same keys. A call is for the next of them in turn; what one does not do another is asked for.
pub struct Pool<H> {
    name: String,
    members: Vec<Place<H>>,
    next: AtomicUsize,
    pause: Duration,
    /// One birth at a time: a home has one one-time key, and what is undone is this birth's own.
    births: Mutex<()>,
}

/// One home of a pool, as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Why it is left out, where it is.
    pub lost: Option<HomeError>,
    /// How many calls it answered.
    pub answered: u64,
}

struct Place<H> {
    home: H,
    lost: Mutex<Option<(Instant, HomeError)>>,
    answered: AtomicU64,
}

impl<H: Home> Pool<H> {
    /// Of these homes; there is at least one.
    ///
    /// # Errors
    ///
    /// [`HomeError::Cannot`] for none.
    pub fn new(name: &str, homes: Vec<H>) -> Result<Self, HomeError> {
        if homes.is_empty() {
            return Err(HomeError::cannot(name.to_owned(), "consist of no home"));
        }
        let place = |home| Place { home, lost: Mutex::new(None), answered: AtomicU64::new(0) };
        let members = homes.into_iter().map(place).collect();
        let (next, births) = (AtomicUsize::new(0), Mutex::default());
        Ok(Self { name: name.to_owned(), members, next, pause: PAUSE, births })
    }

    /// With another pause than five seconds before a home that was lost is asked again.
    #[must_use]
    pub fn after(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Its homes, and which of them are left out.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let shown = self.members.iter().map(|it| Member {
            name: it.home.name(),
            lost: it.lost().as_ref().map(|(_, error)| error.clone()),
            answered: it.answered.load(Ordering::Relaxed),
        });
        shown.collect()
    }

    /// The homes themselves, in their order.
    pub fn homes(&self) -> impl Iterator<Item = &H> {
        self.members.iter().map(|it| &it.home)
    }

    /// Asks each home whether it is there: those that are left out only after their pause.
    pub fn check(&self) {
        for place in self.members.iter().filter(|it| it.is_here() || it.is_due(self.pause)) {
            match place.home.abilities() {
                Err(error) if error.leaves_out() => place.lose(error),
                // That it is there makes nobody trust it again that signed as another key: a signature does.
                Ok(_) if !place.is_doubted() => *place.lost() = None,
                Ok(_) | Err(_) => {}
            }
        }
    }

    /// Signs as the key whose public side is known here. INVARIANT S7: a home that signs with another one, whatever it says of
    /// it, is left out, and the next one asked.
    ///
    /// # Errors
    ///
    /// [`HomeError`].
    pub fn sign_as(
        &self,
        label: &Label,
        public: &PublicKey,
        what: ToSign<'_>,
    ) -> Result<Signature, HomeError> {
        self.any(|home| finish(&home.name(), public, what, &home.sign(label, what)?.bytes))
    }

    /// Asks one after the other, the next in turn first, and those that are left out last and only after a pause.
    fn any<T>(&self, ask: impl Fn(&H) -> Result<T, HomeError>) -> Result<T, HomeError> {
        let (first, count) = (self.next.fetch_add(1, Ordering::Relaxed), self.members.len());
        let turn = || (0..count).filter_map(|step| self.members.get((first.wrapping_add(step)) % count));
        let mut last = None;
        for place in turn().filter(|it| it.is_here()).chain(turn().filter(|it| it.is_due(self.pause))) {
            match ask(&place.home) {
                Ok(done) => {
                    place.found();
                    return Ok(done);
                }
                Err(error) if error.is_of_this_home_alone() => {
                    if error.leaves_out() {
                        place.lose(error.clone());
                    }
                    last = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        let known = || self.members.iter().find_map(|it| it.lost().as_ref().map(|(_, error)| error.clone()));
        Err(last.or_else(known).unwrap_or_else(|| HomeError::lost(self.name.clone(), "nobody is left")))
    }

    /// Asks all of them, as what they hold has to stay the same.
    fn all<T>(&self, ask: impl Fn(&H) -> Result<T, HomeError>) -> Result<Vec<T>, HomeError> {
        self.members.iter().map(|it| ask(&it.home)).collect()
    }

    fn one_birth(&self) -> std::sync::MutexGuard<'_, ()> {
        self.births.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn first(&self) -> Result<(&H, &[Place<H>]), HomeError> {
        match self.members.split_first() {
            Some((first, others)) => Ok((&first.home, others)),
            None => Err(HomeError::lost(self.name.clone(), "nobody is left")),
        }
    }

    /// Born in the first home, and sent from there to each other, encrypted inside; after it none lets it out again.
    fn spread(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        let (first, others) = self.first()?;
        let public = first.generate_to_send(label, scheme)?;
        for other in others {
            let receiver = other.home.receiver()?;
            other.home.receive(label, &public, &first.send(label, &receiver)?)?;
        }
        first.stay(label)?;
        Ok(public)
    }

    /// Before anything is made: what is undone afterwards was not there before.
    fn nobody_has(&self, label: &Label) -> Result<(), HomeError> {
        self.homes().try_for_each(|home| match home.public(label) {
            Err(HomeError::Unknown { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(HomeError::Exists { home: home.name(), label: label.to_string() }),
        })
    }

    fn undo(&self, label: &Label, error: HomeError) -> HomeError {
        // It came in between, and is somebody else's.
        if matches!(error, HomeError::Exists { .. }) {
            return error;
        }
        for place in &self.members {
            // What was not there is not missed, and a home that is lost cannot be asked: its remains are found by a check.
            let _gone = place.home.destroy(label);
        }
        error
    }
}

impl<H> Place<H> {
    fn lost(&self) -> std::sync::MutexGuard<'_, Option<(Instant, HomeError)>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_here(&self) -> bool {
        self.lost().is_none()
    }

    /// Whether it is left out for so long that it may be asked again.
    fn is_due(&self, pause: Duration) -> bool {
        self.lost().as_ref().is_some_and(|(since, _)| since.elapsed() >= pause)
    }

    fn is_doubted(&self) -> bool {
        matches!(*self.lost(), Some((_, HomeError::Unverified { .. })))
    }

    fn found(&self) {
        *self.lost() = None;
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    fn lose(&self, error: HomeError) {
        *self.lost() = Some((Instant::now(), error));
    }
}

impl<H: Home> Home for Pool<H> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn abilities(&self) -> Result<Abilities, HomeError> {
        let all = self.all(Home::abilities)?;
        let common = all.into_iter().reduce(|one, other| one.common(&other));
        Ok(common.unwrap_or_default())
    }

    fn generate(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        let (first, others) = self.first()?;
        if others.is_empty() {
            return first.generate(label, scheme);
        }
        let _one = self.one_birth();
        self.nobody_has(label)?;
        self.spread(label, scheme).map_err(|error| self.undo(label, error))
    }

    fn import(
        &self,
        label: &Label,
        scheme: Scheme,
        secret: &Secret<[u8; 32]>,
    ) -> Result<PublicKey, HomeError> {
        let _one = self.one_birth();
        self.nobody_has(label)?;
        let all =
            self.all(|home| home.import(label, scheme, secret)).map_err(|error| self.undo(label, error))?;
        all.into_iter().next().ok_or_else(|| HomeError::lost(self.name.clone(), "nobody is left"))
    }

    /// What every home that is there says alike.
    fn public(&self, label: &Label) -> Result<PublicKey, HomeError> {
        let mut found: Option<PublicKey> = None;
        for place in self.members.iter().filter(|it| it.is_here() || it.is_due(self.pause)) {
            match place.home.public(label) {
                Ok(public) if found.as_ref().is_some_and(|it| *it != public) => {
                    return Err(HomeError::Ambiguous { home: self.name.clone(), label: label.to_string() });
                }
                Ok(public) => found = Some(public),
                Err(error) if error.leaves_out() => place.lose(error),
                Err(error) => return Err(error),
            }
        }
        found.ok_or_else(|| HomeError::lost(self.name.clone(), "none of its homes answers"))
    }

    fn sign(&self, label: &Label, what: ToSign<'_>) -> Result<Signature, HomeError> {
        self.any(|home| home.sign(label, what))
    }

    fn destroy(&self, label: &Label) -> Result<(), HomeError> {
        self.all(|home| home.destroy(label)).map(drop)
    }

    /// Each home has its own: what one wrapped another does not open.
    fn make_wrapping(&self, _label: &Label) -> Result<(), HomeError> {
        Err(HomeError::cannot(self.name.clone(), "wrap: each of its homes does, with a key of its own"))
    }

    fn wrap(&self, _label: &Label, _bound: &[u8], _secret: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        Err(HomeError::cannot(self.name.clone(), "wrap: each of its homes does, with a key of its own"))
    }

    fn unwrap(&self, _label: &Label, _bound: &[u8], _wrapped: &[u8]) -> Result<Secret<Vec<u8>>, HomeError> {
        Err(HomeError::cannot(self.name.clone(), "wrap: each of its homes does, with a key of its own"))
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HomeError> {
        let bytes = self.any(|home| {
            let mut bytes = Secret::new(vec![0; out.len()]);
            home.random(bytes.expose_mut()).map(|()| bytes)
        })?;
        out.copy_from_slice(bytes.expose());
        Ok(())
    }

    fn receiver(&self) -> Result<Receiver, HomeError> {
        Err(HomeError::cannot(self.name.clone(), "receive keys: each of its homes does"))
    }

    fn receive(&self, _label: &Label, _public: &PublicKey, _parcel: &Parcel) -> Result<(), HomeError> {
        Err(HomeError::cannot(self.name.clone(), "receive keys: each of its homes does"))
    }
}

impl HomeError {
    /// Whether a home that says so is not asked again for a while: it is not there, or it must not be trusted.
    fn leaves_out(&self) -> bool {
        matches!(
            self,
            Self::Lost { .. }
                | Self::NoToken { .. }
                | Self::Pin { .. }
                | Self::Locked { .. }
                | Self::Module { .. }
                | Self::Unverified { .. }
        )
    }
}

/// How long a home that was lost is left alone: what is really gone does not slow every call.
const PAUSE: Duration = Duration::from_secs(5);
