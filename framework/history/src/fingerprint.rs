//! Fingerprints of 128 bits: SipHash-2-4 with its long output (Aumasson and Bernstein 2012) under a fixed key.
//!
//! The search compares fingerprints instead of whole states and sets of calls. Two different values share one by a chance of
//! one in 2^128. A search remembers fewer than 2^24 of them, which are 2^47 pairs: a wrong verdict has odds of one in
//! 2^80, and a faulty memory cell is far likelier. The key is known, so a history could be made for the purpose, but nobody
//! knows how to find two inputs of SipHash with one output by less than 2^64 trials.

use siphasher::sip128::{Hasher128 as _, SipHasher24};
use std::hash::Hash;

/// The kinds of values that have fingerprints: each has a key of its own, so that a state is not taken for a call.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    State = 1,
    Call = 2,
}

/// The fingerprint of `value`, the same in every run on every machine of one byte order and word size.
pub(crate) fn fingerprint(kind: Kind, value: &impl Hash) -> u128 {
    let mut hasher = SipHasher24::new_with_keys(kind as u64, 0);
    value.hash(&mut hasher);
    hasher.finish128().as_u128()
}

#[cfg(test)]
mod tests {
    use siphasher::sip128::{Hasher128 as _, SipHasher24};
    use std::hash::Hasher as _;

    fn hash_of(pieces: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher24::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        pieces.iter().for_each(|piece| hasher.write(piece));
        hasher.finish128().as_u128()
    }

    /// The first vectors of `vectors.h` in the authors' reference implementation.
    #[test]
    fn fingerprints_are_those_of_siphash_2_4() {
        let vectors: [u128; 2] =
            [0xa381_7f04_ba25_a8e6_6df6_7214_c755_0293, 0xda87_c1d8_6b99_af44_3476_5911_9b22_fc45];
        for (length, vector) in vectors.into_iter().enumerate() {
            let bytes: Vec<u8> = (0..length as u8).collect();
            assert_eq!(hash_of(&[&bytes]).to_le_bytes(), vector.to_be_bytes(), "{length} bytes");
        }
    }

    #[test]
    fn a_fingerprint_is_of_the_bytes_and_not_of_the_pieces_that_they_come_in() {
        let bytes: Vec<u8> = (1..=40).collect();
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        for cut in 0..bytes.len() {
            for length in 0..bytes.len() - cut {
                let (head, tail) = (&bytes[..cut], &bytes[cut..cut + length]);
                assert_eq!(hash_of(&[head, tail]), hash_of(&single[..cut + length]), "{cut} {length}");
            }
        }
    }
}
