//! Keys in a token: how they are made, found, and kept from leaving.

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use crate::{Label, PublicKey, Scheme, point};

/// What is found under a label.
pub(crate) enum Found<T> {
    One(T),
    None,
    Many,
}

pub(crate) fn find(
    session: &Session,
    class: ObjectClass,
    label: &Label,
) -> Result<Found<ObjectHandle>, Error> {
    let template = [Attribute::Class(class), Attribute::Token(true), named(label)];
    let mut found = session.find_objects(&template)?.into_iter();
    Ok(match (found.next(), found.next()) {
        (Some(one), None) => Found::One(one),
        (None, _) => Found::None,
        (Some(_), Some(_)) => Found::Many,
    })
}

/// The public side, as the object beside the key says it; none where that is no point of a known scheme.
pub(crate) fn public(session: &Session, handle: ObjectHandle) -> Result<Option<PublicKey>, Error> {
    let (mut params, mut point) = (Vec::new(), Vec::new());
    for attribute in session.get_attributes(handle, &[AttributeType::EcParams, AttributeType::EcPoint])? {
        match attribute {
            Attribute::EcParams(bytes) => params = bytes,
            Attribute::EcPoint(bytes) => point = bytes,
            _ => {}
        }
    }
    let scheme = Scheme::ALL.into_iter().find(|it| curves(*it).contains(&params.as_slice()));
    Ok(scheme.and_then(|scheme| point::read(scheme, &point)))
}

/// Makes a pair. INVARIANT K5: sensitive, and never to leave unless it is `to_send`.
pub(crate) fn generate(
    session: &Session,
    label: &Label,
    scheme: Scheme,
    to_send: bool,
) -> Result<ObjectHandle, Error> {
    let public = [Attribute::Token(true), named(label), identified(label)];
    let private = [
        Attribute::Token(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(to_send),
        named(label),
        identified(label),
    ];
    pair(session, scheme, &public, &private).map(|(_, public)| public)
}

/// Makes a pair that is gone again at once: the list of mechanisms does not say of which curves a token makes keys.
pub(crate) fn tries(session: &Session, scheme: Scheme) -> Result<(), Error> {
    let kept = [Attribute::Token(false), Attribute::Sensitive(true), Attribute::Extractable(false)];
    let (private, public) = pair(session, scheme, &[Attribute::Token(false)], &kept)?;
    // What is not destroyed ends with its session.
    let (_private, _public) = (session.destroy_object(private), session.destroy_object(public));
    Ok(())
}

/// The private key, and the public one.
fn pair(
    session: &Session,
    scheme: Scheme,
    public: &[Attribute],
    private: &[Attribute],
) -> Result<(ObjectHandle, ObjectHandle), Error> {
    let mechanism = match scheme {
        Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256 => Mechanism::EccKeyPairGen,
        Scheme::Ed25519 => Mechanism::EccEdwardsKeyPairGen,
    };
    let private = [&[Attribute::Private(true), Attribute::Sign(true)], private].concat();
    let mut last = Error::InvalidValue;
    for curve in curves(scheme) {
        let curve = Attribute::EcParams(curve.to_vec());
        let public = [&[Attribute::Private(false), Attribute::Verify(true), curve], public].concat();
        match session.generate_key_pair(&mechanism, &public, &private) {
            Ok((public, private)) => return Ok((private, public)),
            // Another way to name the curve, where there is one.
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The first attribute by which a private key is none that was born in its token and never could leave; none where the token says
/// each of them.
pub(crate) fn foreign(session: &Session, key: ObjectHandle) -> Result<Option<String>, Error> {
    let born = [
        Attribute::Local(true),
        Attribute::Sensitive(true),
        Attribute::AlwaysSensitive(true),
        Attribute::Extractable(false),
        Attribute::NeverExtractable(true),
    ];
    let types = born.each_ref().map(Attribute::attribute_type);
    // What a token does not say is left out of its answer, and not said of the key.
    let said = session.get_attributes(key, &types)?;
    Ok(born.iter().find(|it| !said.contains(it)).map(|it| it.attribute_type().to_string()))
}

/// What a private key is that comes from outside: it never leaves, and signs.
pub(crate) fn stays(label: &Label, scheme: Scheme) -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::PRIVATE_KEY),
        Attribute::KeyType(key_type(scheme)),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(true),
        named(label),
        identified(label),
    ]
}

/// The public object beside a private key that comes from outside.
pub(crate) fn create_public(session: &Session, label: &Label, public: &PublicKey) -> Result<(), Error> {
    let point = point::write(public).ok_or(Error::InvalidValue)?;
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(key_type(public.scheme)),
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(true),
        Attribute::EcParams(curve(public.scheme).to_vec()),
        Attribute::EcPoint(point),
        named(label),
        identified(label),
    ];
    session.create_object(&template).map(drop)
}

/// Wipes everything of a label; whether there was anything.
pub(crate) fn destroy(session: &Session, label: &Label) -> Result<bool, Error> {
    let mut any = false;
    for class in [ObjectClass::PRIVATE_KEY, ObjectClass::SECRET_KEY, ObjectClass::PUBLIC_KEY] {
        for handle in
            session.find_objects(&[Attribute::Class(class), Attribute::Token(true), named(label)])?
        {
            match session.destroy_object(handle) {
                Ok(()) => any = true,
                // Somebody else was quicker.
                Err(Error::Pkcs11(RvError::ObjectHandleInvalid, _)) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(any)
}

pub(crate) fn named(label: &Label) -> Attribute {
    Attribute::Label(label.as_str().as_bytes().to_vec())
}

pub(crate) fn identified(label: &Label) -> Attribute {
    Attribute::Id(label.as_str().as_bytes().to_vec())
}

fn key_type(scheme: Scheme) -> KeyType {
    match scheme {
        Scheme::EcdsaSecp256k1 | Scheme::EcdsaP256 => KeyType::EC,
        Scheme::Ed25519 => KeyType::EC_EDWARDS,
    }
}

pub(crate) fn curve(scheme: Scheme) -> &'static [u8] {
    curves(scheme).first().copied().unwrap_or_default()
}

/// How `CKA_EC_PARAMS` names the curve, in DER: by its object identifier, or (Edwards curves, PKCS#11 3.0) by a name.
fn curves(scheme: Scheme) -> &'static [&'static [u8]] {
    match scheme {
        Scheme::EcdsaSecp256k1 => &[b"\x06\x05\x2b\x81\x04\x00\x0a"],
        Scheme::EcdsaP256 => &[b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"],
        Scheme::Ed25519 => &[b"\x06\x03\x2b\x65\x70", b"\x13\x0cedwards25519"],
    }
}
