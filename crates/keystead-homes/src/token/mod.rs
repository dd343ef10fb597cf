//! A PKCS#11 token: keys are made in it and stay in it. The module is loaded at run time, in a process that has no other key.

mod connection;
mod fault;
mod module;
mod moving;
mod objects;
mod place;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::vendor_defined::CKM_VENDOR_DEFINED;
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::SessionState;
use keystead_base::{Digest, Secret};

pub use place::{Pin, TokenPlace};

use self::connection::{Connection, Lease};
use self::objects::Found;
use crate::finish::{finish, fits};
use crate::software::{public_of, random, short_enough};
use crate::{
    Abilities, Home, HomeError, Label, Parcel, PublicKey, Receiver, Scheme, Signature, Testimony, ToSign,
};

/// One token.
pub struct TokenHome {
    connection: Connection,
    /// Handles of keys, each of the link that it was found over.
    known: Mutex<HashMap<Label, Known>>,
    /// The one-time key that something may be sent to, with the session in which it lives.
    receiving: Mutex<Option<(Lease, ObjectHandle)>>,
    /// What keys it makes, as it was tried once on each link.
    makes: Mutex<HashMap<(u64, Scheme), bool>>,
    /// One birth at a time: between looking for a label and taking it nobody else does.
    births: Mutex<()>,
}

#[derive(Clone)]
struct Known {
    link: u64,
    handle: ObjectHandle,
    public: PublicKey,
}

impl TokenHome {
    /// The token at this place. Nothing is opened before something is asked of it.
    #[must_use]
    pub fn new(place: TokenPlace, pin: Pin) -> Self {
        Self {
            connection: Connection::new(place, pin),
            known: Mutex::default(),
            receiving: Mutex::default(),
            makes: Mutex::default(),
            births: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Label, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn home(&self) -> String {
        self.connection.name().to_owned()
    }

    fn unknown(&self, label: &Label) -> HomeError {
        HomeError::Unknown { home: self.home(), label: label.to_string() }
    }

    /// A signing key and its public side, looked up once for each link.
    fn key(&self, lease: &Lease, label: &Label) -> Result<Result<Known, HomeError>, Error> {
        if let Some(known) = self.known().get(label).filter(|it| it.link == lease.number) {
            return Ok(Ok(known.clone()));
        }
        let private = objects::find(&lease.session, ObjectClass::PRIVATE_KEY, label)?;
        let public = objects::find(&lease.session, ObjectClass::PUBLIC_KEY, label)?;
        let (handle, public) = match (private, public) {
            (Found::One(private), Found::One(public)) => (private, public),
            (Found::None, _) | (_, Found::None) => return Ok(Err(self.unknown(label))),
            _ => return Ok(Err(HomeError::Ambiguous { home: self.home(), label: label.to_string() })),
        };
        let Some(public) = objects::public(&lease.session, public)? else {
            return Ok(Err(HomeError::Refused {
                home: self.home(),
                reason: "a curve that is not known here".to_owned(),
            }));
        };
        let known = Known { link: lease.number, handle, public };
        self.known().insert(label.clone(), known.clone());
        Ok(Ok(known))
    }

    fn wrapping(&self, lease: &Lease, label: &Label) -> Result<Result<ObjectHandle, HomeError>, Error> {
        Ok(match objects::find(&lease.session, ObjectClass::SECRET_KEY, label)? {
            Found::One(handle) => Ok(handle),
            Found::None => Err(self.unknown(label)),
            Found::Many => Err(HomeError::Ambiguous { home: self.home(), label: label.to_string() }),
        })
    }

    /// Nothing is made under a label that stands there already: tokens take any number of objects with one label.
    fn free(&self, label: &Label) -> Result<(), HomeError> {
        let taken = self.connection.with("look for keys", |lease| {
            let all = [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY];
            for class in all {
                if !matches!(objects::find(&lease.session, class, label)?, Found::None) {
                    return Ok(true);
                }
            }
            Ok(false)
        })?;
        if taken { Err(HomeError::Exists { home: self.home(), label: label.to_string() }) } else { Ok(()) }
    }

    /// Whether the token makes keys of this scheme, as far as trying tells: one that refuses a key that would end at once may make others.
    fn makes(&self, scheme: Scheme) -> Result<bool, HomeError> {
        self.connection.with("make keys", |lease| {
            let tried = || self.makes.lock().unwrap_or_else(PoisonError::into_inner);
            let place = (lease.number, scheme);
            if let Some(makes) = tried().get(&place) {
                return Ok(*makes);
            }
            let makes = match objects::tries(&lease.session, scheme) {
                Ok(()) => true,
                Err(error) if fault::may_be_of_the_curve(&error) => {
                    // One that is gone, or forgot its user, answers this otherwise.
                    match lease.session.get_session_info()?.session_state() {
                        SessionState::RwUser => false,
                        _ => return Err(error),
                    }
                }
                Err(error) if fault::fault_of(&error) == fault::Fault::Refused => true,
                Err(error) => return Err(error),
            };
            tried().insert(place, makes);
            Ok(makes)
        })
    }

    /// What did not come to be, said as it is: of a curve that the token does not know, that it cannot.
    fn or_cannot(&self, what: &str, scheme: Scheme, error: HomeError) -> HomeError {
        let of_another = matches!(error, HomeError::Exists { .. } | HomeError::Cannot { .. });
        match !of_another && matches!(self.makes(scheme), Ok(false)) {
            true => HomeError::cannot(self.home(), what),
            false => error,
        }
    }

    fn make(&self, label: &Label, scheme: Scheme, to_send: bool) -> Result<PublicKey, HomeError> {
        let what = format!("make keys of {scheme}");
        self.born(label, || {
            self.connection
                .once(&what, |lease| objects::generate(&lease.session, label, scheme, to_send).map(drop))
        })
        .map_err(|error| self.or_cannot(&what, scheme, error))?;
        self.tried(label, self.public(label))
    }

    /// Something new under a label that nothing has; where making it fails half-way, what there is of it goes.
    fn born<T>(&self, label: &Label, make: impl FnOnce() -> Result<T, HomeError>) -> Result<T, HomeError> {
        let _one = self.births.lock().unwrap_or_else(PoisonError::into_inner);
        self.free(label)?;
        make().inspect_err(|_| drop(self.destroy(label)))
    }

    /// INVARIANT S7: a key that was born or came has signed once before anybody hears of it; one that cannot is taken away.
    fn tried(&self, label: &Label, public: Result<PublicKey, HomeError>) -> Result<PublicKey, HomeError> {
        let tried = public.and_then(|public| self.signs_for(label, &public).map(|()| public));
        tried.inspect_err(|_| drop(self.destroy(label)))
    }

    /// Whether the key signs for this public side.
    fn signs_for(&self, label: &Label, public: &PublicKey) -> Result<(), HomeError> {
        // Drawn here: the digest of nothing that anybody chose.
        let mut challenge = Digest([0; 32]);
        random(&mut challenge.0);
        let what = match public.scheme {
            Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256 => ToSign::Digest(&challenge),
            Scheme::Ed25519 => ToSign::Message(challenge.as_bytes()),
        };
        let signature = self.sign(label, what)?;
        finish(self.connection.name(), public, what, &signature.bytes).map(drop)
    }
}

impl Home for TokenHome {
    fn name(&self) -> String {
        self.home()
    }

    fn abilities(&self) -> Result<Abilities, HomeError> {
        let (module, slot) = self.connection.here()?;
        let told = |error: Error| fault::told(&self.home(), "list its mechanisms", &error);
        let listed = module.get_mechanism_list(slot).map_err(told)?;
        let has = |it: &MechanismType| listed.contains(it);
        let all = |these: &[MechanismType]| these.iter().all(has);
        let mut schemes = Vec::new();
        for scheme in Scheme::ALL {
            let is_listed = match scheme {
                Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256 => {
                    all(&[MechanismType::ECC_KEY_PAIR_GEN, MechanismType::ECDSA])
                }
                Scheme::Ed25519 => all(&[MechanismType::ECC_EDWARDS_KEY_PAIR_GEN, MechanismType::EDDSA]),
            };
            if is_listed && self.makes(scheme)? {
                schemes.push(scheme);
            }
        }
        let sends = [MechanismType::RSA_PKCS_OAEP, MechanismType::AES_KEY_WRAP_PAD];
        let bip32 = BIP32_MECHANISMS.map(MechanismType::new_vendor_defined);
        Ok(Abilities {
            schemes,
            wraps: all(&[MechanismType::AES_KEY_GEN, MechanismType::AES_GCM]),
            random: module.get_token_info(slot).map_err(told)?.rng(),
            sends: all(&sends),
            bip32: bip32.iter().all(|it| it.as_ref().is_ok_and(has)),
        })
    }

    fn generate(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        self.make(label, scheme, false)
    }

    fn import(
        &self,
        label: &Label,
        scheme: Scheme,
        secret: &Secret<[u8; 32]>,
    ) -> Result<PublicKey, HomeError> {
        let public = public_of(scheme, secret)?;
        let what = format!("take keys of {scheme} over");
        self.born(label, || {
            self.connection.once(&what, |lease| {
                let mut template = objects::stays(label, scheme);
                template.push(Attribute::EcParams(objects::curve(scheme).to_vec()));
                let mut value = Secret::new(secret.expose().to_vec());
                template.push(Attribute::Value(std::mem::take(value.expose_mut())));
                let created = lease.session.create_object(&template);
                // Whatever became of it, this copy goes.
                if let Some(Attribute::Value(bytes)) = template.pop() {
                    drop(Secret::new(bytes));
                }
                created?;
                objects::create_public(&lease.session, label, &public)
            })
        })
        .map_err(|error| self.or_cannot(&what, scheme, error))?;
        self.tried(label, Ok(public))
    }

    fn public(&self, label: &Label) -> Result<PublicKey, HomeError> {
        self.connection.with("tell a public key", |lease| self.key(lease, label))?.map(|known| known.public)
    }

    fn sign(&self, label: &Label, what: ToSign<'_>) -> Result<Signature, HomeError> {
        let (public, raw) = self.connection.with("sign that", |lease| {
            let known = match self.key(lease, label)? {
                Ok(known) => known,
                Err(error) => return Ok(Err(error)),
            };
            if let Err(error) = fits(known.public.scheme, what) {
                return Ok(Err(error));
            }
            let raw = match what {
                ToSign::Digest(digest) => {
                    lease.session.sign(&Mechanism::Ecdsa, known.handle, digest.as_bytes())?
                }
                ToSign::Message(message) => {
                    let mechanism = Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure));
                    lease.session.sign(&mechanism, known.handle, message)?
                }
            };
            Ok(Ok((known.public, raw)))
        })??;
        finish(self.connection.name(), &public, what, &raw)
    }

    fn destroy(&self, label: &Label) -> Result<(), HomeError> {
        self.known().remove(label);
        let any = self.connection.with("wipe keys", |lease| objects::destroy(&lease.session, label))?;
        if any { Ok(()) } else { Err(self.unknown(label)) }
    }

    fn make_wrapping(&self, label: &Label) -> Result<(), HomeError> {
        let template = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::ValueLen(32.into()),
            objects::named(label),
            objects::identified(label),
        ];
        self.born(label, || {
            self.connection.once("make AES keys", |lease| {
                lease.session.generate_key(&Mechanism::AesKeyGen, &template).map(drop)
            })
        })
    }

    fn wrap(&self, label: &Label, bound: &[u8], secret: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        short_enough(secret)?;
        self.connection.with("encrypt with AES-GCM", |lease| {
            let key = match self.wrapping(lease, label)? {
                Ok(key) => key,
                Err(error) => return Ok(Err(error)),
            };
            let mut nonce = [0; NONCE_BYTES];
            random(&mut nonce);
            let mut used = nonce;
            let params = GcmParams::new(&mut used, bound, TAG_BITS.into())?;
            let sealed = lease.session.encrypt(&Mechanism::AesGcm(params), key, secret.expose())?;
            Ok(Ok([nonce.as_slice(), &sealed].concat()))
        })?
    }

    fn unwrap(&self, label: &Label, bound: &[u8], wrapped: &[u8]) -> Result<Secret<Vec<u8>>, HomeError> {
        let altered = || HomeError::Altered { home: self.home() };
        let (nonce, sealed) = wrapped.split_at_checked(NONCE_BYTES).ok_or_else(altered)?;
        if sealed.len() < TAG_BITS as usize / 8 {
            return Err(altered());
        }
        self.connection.with("decrypt with AES-GCM", |lease| {
            let key = match self.wrapping(lease, label)? {
                Ok(key) => key,
                Err(error) => return Ok(Err(error)),
            };
            let mut nonce = nonce.to_vec();
            let params = GcmParams::new(&mut nonce, bound, TAG_BITS.into())?;
            match lease.session.decrypt(&Mechanism::AesGcm(params), key, sealed) {
                Ok(bytes) => Ok(Ok(Secret::new(bytes))),
                // Modules differ in the word for a tag that does not fit; a token that is gone has another one.
                Err(Error::Pkcs11(
                    RvError::EncryptedDataInvalid
                    | RvError::EncryptedDataLenRange
                    | RvError::FunctionFailed
                    | RvError::GeneralError,
                    _,
                )) => Ok(Err(altered())),
                Err(error) => Err(error),
            }
        })?
    }

    fn random(&self, out: &mut [u8]) -> Result<(), HomeError> {
        let bytes = self.connection.with("give random bytes", |lease| {
            let mut bytes = Secret::new(vec![0; out.len()]);
            lease.session.generate_random_slice(bytes.expose_mut()).map(|()| bytes)
        })?;
        out.copy_from_slice(bytes.expose());
        Ok(())
    }

    fn generate_to_send(&self, label: &Label, scheme: Scheme) -> Result<PublicKey, HomeError> {
        self.make(label, scheme, true)
    }

    fn receiver(&self) -> Result<Receiver, HomeError> {
        let lease = self.connection.lease()?;
        let made = moving::receiver(&lease.session);
        let (receiver, key) = match made {
            Ok(made) => made,
            Err(error) => {
                let told = fault::told(&self.home(), "make RSA keys", &error);
                self.connection.give_back(lease);
                return Err(told);
            }
        };
        let before = self.receiving.lock().unwrap_or_else(PoisonError::into_inner).replace((lease, key));
        if let Some((lease, _)) = before {
            self.connection.end(lease);
        }
        Ok(receiver)
    }

    fn send(&self, label: &Label, to: &Receiver) -> Result<Parcel, HomeError> {
        self.connection.with("send keys", |lease| match self.key(lease, label)? {
            Ok(known) => match moving::send(&lease.session, known.handle, to) {
                // Some tokens wrap keys of some curves only.
                Err(Error::Pkcs11(RvError::KeyNotWrappable, _)) => {
                    Ok(Err(HomeError::cannot(self.home(), &format!("send keys of {}", known.public.scheme))))
                }
                other => other.map(Ok),
            },
            Err(error) => Ok(Err(error)),
        })?
    }

    fn receive(&self, label: &Label, public: &PublicKey, parcel: &Parcel) -> Result<(), HomeError> {
        let waiting = self.receiving.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((lease, one_time)) = waiting else {
            return Err(HomeError::Refused {
                home: self.home(),
                reason: "no one-time key is waiting".to_owned(),
            });
        };
        let received = self.born(label, || {
            let received = moving::receive(&lease.session, one_time, label, public, parcel);
            received.map_err(|error| fault::told(&self.home(), "receive keys", &error))
        });
        // The one-time key ends with its session.
        self.connection.end(lease);
        received?;
        self.tried(label, Ok(public.clone())).map(drop)
    }

    fn stay(&self, label: &Label) -> Result<(), HomeError> {
        self.connection.with("keep keys from leaving", |lease| match self.key(lease, label)? {
            Ok(known) => {
                lease.session.update_attributes(known.handle, &[Attribute::Extractable(false)]).map(Ok)
            }
            Err(error) => Ok(Err(error)),
        })?
    }

    fn testify(&self, label: &Label) -> Result<Testimony, HomeError> {
        let (module, slot) = self.connection.here()?;
        let told = |error: Error| fault::told(&self.home(), "tell of itself", &error);
        let token = module.get_token_info(slot).map_err(told)?;
        let hardware = module.get_slot_info(slot).map_err(told)?.hardware_slot();
        let public = self.connection.with("tell of a key", |lease| match self.key(lease, label)? {
            Ok(known) => Ok(match objects::foreign(&lease.session, known.handle)? {
                Some(what) => Err(HomeError::Foreign { home: self.home(), label: label.to_string(), what }),
                None => Ok(known.public),
            }),
            Err(error) => Ok(Err(error)),
        })??;
        // Whoever has the PIN can put another public side beside a key that was born here.
        self.signs_for(label, &public)?;
        let [manufacturer, model, serial] =
            [token.manufacturer_id(), token.model(), token.serial_number()].map(|it| it.trim().to_owned());
        Ok(Testimony { manufacturer, model, serial, hardware, public })
    }
}

const NONCE_BYTES: usize = 12;
const TAG_BITS: u64 = 128;
/// `CKM_BIP32_MASTER_DERIVE` and `CKM_BIP32_CHILD_DERIVE` of Thales. No token of the tests has them.
const BIP32_MECHANISMS: [u64; 2] = [CKM_VENDOR_DEFINED + 0xe00, CKM_VENDOR_DEFINED + 0xe01];
