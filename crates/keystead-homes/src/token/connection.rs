//! Sessions of one token: a few that are given out and taken back, one login, and another connection when this one breaks.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use cryptoki::context::Pkcs11;
use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};

use super::fault::{Fault, fault_of, told};
use super::module::{module, slot};
use super::{Pin, TokenPlace};
use crate::HomeError;

/// The connection to one token.
pub(crate) struct Connection {
    name: String,
    place: TokenPlace,
    pin: Pin,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    link: Option<Link>,
    /// Whether the module was found without the token, or lost it: it is asked anew then.
    broken: bool,
    /// Counts links: what belongs to an older one is thrown away.
    number: u64,
    idle: Vec<Session>,
    given: usize,
    /// Why nobody logs in any more: a PIN is tried once.
    barred: Option<HomeError>,
}

#[derive(Clone)]
struct Link {
    module: Arc<Pkcs11>,
    slot: Slot,
}

/// A session that was given out.
pub(crate) struct Lease {
    pub(crate) session: Session,
    /// Of which link it is.
    pub(crate) number: u64,
}

impl Connection {
    pub(crate) fn new(place: TokenPlace, pin: Pin) -> Self {
        let name = format!("token `{}`", place.label);
        Self { name, place, pin, state: Mutex::default(), returned: Condvar::new() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Does something in a session, and once more in a new one where the connection broke.
    pub(crate) fn with<T>(
        &self,
        what: &str,
        ask: impl Fn(&Lease) -> Result<T, Error>,
    ) -> Result<T, HomeError> {
        match self.ask(&ask)? {
            Err(error) if fault_of(&error) == Fault::Stale => self.once(what, ask),
            other => other.map_err(|error| told(&self.name, what, &error)),
        }
    }

    /// Does what must not be done twice: of a birth that broke off nobody knows how far it came.
    pub(crate) fn once<T>(
        &self,
        what: &str,
        ask: impl Fn(&Lease) -> Result<T, Error>,
    ) -> Result<T, HomeError> {
        self.ask(&ask)?.map_err(|error| told(&self.name, what, &error))
    }

    fn ask<T>(&self, ask: &impl Fn(&Lease) -> Result<T, Error>) -> Result<Result<T, Error>, HomeError> {
        let lease = self.lease()?;
        let asked = ask(&lease);
        match asked.as_ref().err().map(fault_of) {
            Some(Fault::Stale | Fault::Lost) => self.cut(lease),
            Some(Fault::Cannot | Fault::Refused) | None => self.give_back(lease),
        }
        Ok(asked)
    }

    /// The module and the slot, for questions that take no session.
    pub(crate) fn here(&self) -> Result<(Arc<Pkcs11>, Slot), HomeError> {
        let mut state = self.state();
        let link = self.link(&mut state)?;
        Ok((link.module, link.slot))
    }

    pub(crate) fn lease(&self) -> Result<Lease, HomeError> {
        let mut state = self.state();
        while state.given >= MAX_SESSIONS {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let link = self.link(&mut state)?;
        let session = match state.idle.pop() {
            Some(session) => session,
            None => link.module.open_rw_session(link.slot).map_err(|error| {
                close(&mut state);
                told(&self.name, "open a session", &error)
            })?,
        };
        state.given += 1;
        Ok(Lease { session, number: state.number })
    }

    pub(crate) fn give_back(&self, lease: Lease) {
        let mut state = self.state();
        state.given = state.given.saturating_sub(1);
        if lease.number == state.number && state.link.is_some() {
            state.idle.push(lease.session);
        }
        drop(state);
        self.returned.notify_one();
    }

    /// Closes a session instead of giving it back: what lives in it ends.
    pub(crate) fn end(&self, lease: Lease) {
        let mut state = self.state();
        state.given = state.given.saturating_sub(1);
        drop(state);
        drop(lease);
        self.returned.notify_one();
    }

    /// The connection of this session is over, unless another one was opened meanwhile.
    fn cut(&self, lease: Lease) {
        let mut state = self.state();
        state.given = state.given.saturating_sub(1);
        if lease.number == state.number {
            close(&mut state);
        }
        drop(state);
        drop(lease);
        self.returned.notify_one();
    }

    /// The link that stands, or a new one: found by its label, logged in.
    fn link(&self, state: &mut MutexGuard<'_, State>) -> Result<Link, HomeError> {
        if let Some(link) = &state.link {
            return Ok(link.clone());
        }
        if let Some(error) = &state.barred {
            return Err(error.clone());
        }
        let opened = module(&self.place.module, state.broken)
            .and_then(|module| Ok((slot(&module, &self.place.label, &self.name)?, module)))
            .and_then(|(slot, module)| Ok((self.log_in(&module, slot)?, slot, module)));
        match opened {
            Ok((session, slot, module)) => {
                state.broken = false;
                state.number += 1;
                state.idle = vec![session];
                let link = Link { module, slot };
                state.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                state.broken = true;
                if matches!(error, HomeError::Pin { .. } | HomeError::Locked { .. }) {
                    state.barred = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// One attempt, and none where it might be the last one that the token allows.
    fn log_in(&self, module: &Pkcs11, slot: Slot) -> Result<Session, HomeError> {
        let info = module.get_token_info(slot).map_err(|error| told(&self.name, "tell of itself", &error))?;
        if let Some(state) = bars(&Flags::of(&info)) {
            return Err(HomeError::Locked { home: self.name.clone(), state: state.to_owned() });
        }
        let session =
            module.open_rw_session(slot).map_err(|error| told(&self.name, "open a session", &error))?;
        match session.login(UserType::User, Some(&self.pin.auth())) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(error) => Err(told(&self.name, "log in", &error)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sessions go before the module does.
fn close(state: &mut State) {
    state.broken = true;
    state.idle.clear();
    state.link = None;
}

/// What a token says of its PIN.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Flags {
    pub(crate) no_pin: bool,
    pub(crate) locked: bool,
    pub(crate) final_try: bool,
    pub(crate) error: bool,
}

impl Flags {
    fn of(info: &TokenInfo) -> Self {
        Self {
            no_pin: !info.user_pin_initialized(),
            locked: info.user_pin_locked(),
            final_try: info.user_pin_final_try(),
            error: info.error_state(),
        }
    }
}

/// Why no PIN is tried; none where one may be.
pub(crate) fn bars(flags: &Flags) -> Option<&'static str> {
    match flags {
        Flags { error: true, .. } => Some("is in its error state"),
        Flags { locked: true, .. } => Some("is locked"),
        Flags { no_pin: true, .. } => Some("has no user PIN yet"),
        Flags { final_try: true, .. } => Some("would be locked by one more wrong PIN"),
        _ => None,
    }
}

/// As many threads sign at once; further ones wait.
const MAX_SESSIONS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_pin_is_tried_where_it_might_lock_the_token() {
        assert_eq!(bars(&Flags::default()), None);
        let all = [
            Flags { no_pin: true, ..Flags::default() },
            Flags { locked: true, ..Flags::default() },
            Flags { final_try: true, ..Flags::default() },
            Flags { error: true, ..Flags::default() },
        ];
        assert!(all.iter().all(|flags| bars(flags).is_some()));
    }
}
