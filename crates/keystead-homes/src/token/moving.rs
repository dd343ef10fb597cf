//! Keys on their way from token to token: encrypted in the one, decrypted in the other, never in the clear between them.
//!
//! A new AES-256 key encrypts the private key (AES key wrap with padding, RFC 5649), and RSA-OAEP encrypts that AES key to a
//! one-time key of the token that receives. SHA-1 stands in OAEP because it is what tokens have in common; OAEP asks of it no
//! resistance to collisions.

use cryptoki::error::Error;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsOaepParams, PkcsOaepSource};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::objects::{create_public, stays};
use crate::{Label, Parcel, PublicKey, Receiver};

/// Makes the one-time key, which lasts as long as its session.
pub(crate) fn receiver(session: &Session) -> Result<(Receiver, ObjectHandle), Error> {
    let public = [
        Attribute::Token(false),
        Attribute::Wrap(true),
        Attribute::ModulusBits(RSA_BITS.into()),
        Attribute::PublicExponent(RSA_EXPONENT.to_vec()),
    ];
    let private = [
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
    ];
    let (public, private) = session.generate_key_pair(&Mechanism::RsaPkcsKeyPairGen, &public, &private)?;
    let mut receiver = Receiver { modulus: Vec::new(), exponent: Vec::new() };
    for attribute in
        session.get_attributes(public, &[AttributeType::Modulus, AttributeType::PublicExponent])?
    {
        match attribute {
            Attribute::Modulus(bytes) => receiver.modulus = bytes,
            Attribute::PublicExponent(bytes) => receiver.exponent = bytes,
            _ => {}
        }
    }
    Ok((receiver, private))
}

pub(crate) fn send(session: &Session, key: ObjectHandle, to: &Receiver) -> Result<Parcel, Error> {
    let aes = session.generate_key(
        &Mechanism::AesKeyGen,
        &[
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(true),
            Attribute::Wrap(true),
            Attribute::ValueLen(AES_BYTES.into()),
        ],
    )?;
    let public = session.create_object(&[
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Token(false),
        Attribute::Wrap(true),
        Attribute::Modulus(to.modulus.clone()),
        Attribute::PublicExponent(to.exponent.clone()),
    ])?;
    let wrapping = session.wrap_key(&oaep(), public, aes);
    let wrapped = session.wrap_key(&Mechanism::AesKeyWrapPad, aes, key);
    session.destroy_object(aes)?;
    session.destroy_object(public)?;
    Ok(Parcel { wrapping: wrapping?, wrapped: wrapped? })
}

pub(crate) fn receive(
    session: &Session,
    one_time: ObjectHandle,
    label: &Label,
    public: &PublicKey,
    parcel: &Parcel,
) -> Result<(), Error> {
    let aes = session.unwrap_key(
        &oaep(),
        one_time,
        &parcel.wrapping,
        &[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Token(false),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Unwrap(true),
        ],
    )?;
    let template = stays(label, public.scheme);
    let received = session.unwrap_key(&Mechanism::AesKeyWrapPad, aes, &parcel.wrapped, &template);
    session.destroy_object(aes)?;
    received?;
    create_public(session, label, public)
}

fn oaep() -> Mechanism<'static> {
    let source = PkcsOaepSource::empty();
    Mechanism::RsaPkcsOaep(PkcsOaepParams::new(MechanismType::SHA1, PkcsMgfType::MGF1_SHA1, source))
}

const RSA_BITS: u64 = 3072;
const RSA_EXPONENT: [u8; 3] = [1, 0, 1];
const AES_BYTES: u64 = 32;
