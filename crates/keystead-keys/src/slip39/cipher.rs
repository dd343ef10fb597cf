//! What is split is not the secret but its encryption: a Feistel network of four rounds of PBKDF2 (SLIP-39, "Encryption of
//! the master secret").

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use keystead_base::Secret;

use super::Slip39Error;
use super::share::Head;

pub(super) fn encrypt(
    head: &Head,
    secret: &Secret<Vec<u8>>,
    passphrase: &[u8],
) -> Result<Secret<Vec<u8>>, Slip39Error> {
    network(head, secret, passphrase, [0, 1, 2, 3])
}

pub(super) fn decrypt(
    head: &Head,
    encrypted: &Secret<Vec<u8>>,
    passphrase: &[u8],
) -> Result<Secret<Vec<u8>>, Slip39Error> {
    network(head, encrypted, passphrase, [3, 2, 1, 0])
}

fn network(
    head: &Head,
    input: &Secret<Vec<u8>>,
    passphrase: &[u8],
    rounds: [u8; 4],
) -> Result<Secret<Vec<u8>>, Slip39Error> {
    let (left, right) = input.expose().split_at(input.expose().len() / 2);
    let (mut left, mut right) = (Secret::new(left.to_vec()), Secret::new(right.to_vec()));
    for round in rounds {
        let mask = mask(head, round, passphrase, &right)?;
        left.expose_mut().iter_mut().zip(mask.expose()).for_each(|(byte, mask)| *byte ^= mask);
        (left, right) = (right, left);
    }
    let mut output = Secret::new(Vec::with_capacity(input.expose().len()));
    output.expose_mut().extend_from_slice(right.expose());
    output.expose_mut().extend_from_slice(left.expose());
    Ok(output)
}

fn mask(
    head: &Head,
    round: u8,
    passphrase: &[u8],
    half: &Secret<Vec<u8>>,
) -> Result<Secret<Vec<u8>>, Slip39Error> {
    let iterations = NonZeroU32::new(ITERATIONS << head.exponent).ok_or(Slip39Error::Fields)?;
    let mut password = Secret::new(vec![round]);
    password.expose_mut().extend_from_slice(passphrase);
    let mut salt = Secret::new(Vec::with_capacity(SALT.len() + 2 + half.expose().len()));
    if !head.extendable {
        salt.expose_mut().extend_from_slice(SALT);
        salt.expose_mut().extend_from_slice(&head.identifier.to_be_bytes());
    }
    salt.expose_mut().extend_from_slice(half.expose());
    let mut mask = Secret::new(vec![0; half.expose().len()]);
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, salt.expose(), password.expose(), mask.expose_mut());
    Ok(mask)
}

const SALT: &[u8] = b"shamir";
/// Of each of the four rounds.
const ITERATIONS: u32 = 2500;
