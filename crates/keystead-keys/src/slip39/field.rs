//! GF(256) with the polynomial of AES, without a table that a secret indexes and without a branch on one.

use keystead_base::Secret;

/// A share at its place: one field element for each byte of the secret.
pub(super) struct Point {
    pub(super) at: u8,
    pub(super) value: Secret<Vec<u8>>,
}

/// The value at `at` of the polynomial of the least degree through `points`, whose places differ.
///
/// A function of its own, so that what reads it is told apart from it (`cargo xtask constant-time`).
#[inline(never)]
pub(super) fn interpolated(points: &[Point], at: u8) -> Secret<Vec<u8>> {
    let length = points.first().map_or(0, |it| it.value.expose().len());
    let mut sum = Secret::new(vec![0; length]);
    for point in points {
        let weight = weight(points, point.at, at);
        let terms = point.value.expose().iter().map(|byte| product(*byte, weight));
        sum.expose_mut().iter_mut().zip(terms).for_each(|(sum, term)| *sum ^= term);
    }
    sum
}

/// Lagrange: the product of (at - j) / (i - j) over the other places j. Places are public.
fn weight(points: &[Point], i: u8, at: u8) -> u8 {
    let others = points.iter().map(|it| it.at).filter(|j| *j != i);
    others.fold(1, |weight, j| product(weight, product(at ^ j, inverse(i ^ j))))
}

fn product(a: u8, b: u8) -> u8 {
    let (mut a, mut sum) = (a, 0);
    for bit in 0..8 {
        sum ^= a & mask(b >> bit);
        a = (a << 1) ^ (REDUCTION & mask(a >> 7));
    }
    sum
}

/// All ones where the lowest bit is one.
fn mask(bit: u8) -> u8 {
    0_u8.wrapping_sub(bit & 1)
}

/// a^254, which is 1/a, and 0 of 0.
fn inverse(a: u8) -> u8 {
    (0..6).fold(product(a, a), |power, _| product(product(power, a), product(power, a)))
}

/// x^8 = x^4 + x^3 + x + 1.
const REDUCTION: u8 = 0x1b;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_field_of_aes() {
        // FIPS 197, section 4.2.
        assert_eq!((product(0x57, 0x83), product(0x57, 0x13)), (0xc1, 0xfe));
        for a in 1..=255 {
            assert_eq!(product(a, inverse(a)), 1, "{a}");
        }
        assert_eq!(inverse(0), 0);
    }

    #[test]
    fn a_line_goes_through_its_points() {
        let point = |at, byte| Point { at, value: Secret::new(vec![byte]) };
        let line = [point(0, 7), point(9, 200)];
        for it in &line {
            assert_eq!(interpolated(&line, it.at).expose(), it.value.expose());
        }
        let third = Point { at: 77, value: interpolated(&line, 77) };
        let [first, _] = line;
        assert_eq!(interpolated(&[third, first], 9).expose(), &[200]);
    }
}
