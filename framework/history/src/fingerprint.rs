//! Fingerprints of 128 bits: SipHash-2-4 with its long output (Aumasson and Bernstein 2012) under a fixed key.
//!
//! The search compares fingerprints instead of whole states and sets of calls. Two different values share one by a chance of
//! one in 2^128. A search remembers fewer than 2^24 of them, which are 2^47 pairs: a wrong verdict has odds of one in
//! 2^80, and a faulty memory cell is far likelier. The key is known, so a history could be made for the purpose, but nobody
//! knows how to find two inputs of SipHash with one output by less than 2^64 trials.

use std::hash::{Hash, Hasher};

/// What a fingerprint is of: each kind has a key of its own, so that a state is not taken for a call.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    State = 1,
    Call = 2,
}

/// The fingerprint of `value`, the same in every run on every machine of one byte order and word size.
pub(crate) fn fingerprint(kind: Kind, value: &impl Hash) -> u128 {
    let mut hasher = SipHasher::new(kind as u64, 0);
    value.hash(&mut hasher);
    hasher.value()
}

struct SipHasher {
    words: [u64; 4],
    /// The bytes that do not fill a word yet.
    tail: u64,
    length: u64,
}

impl SipHasher {
    fn new(key_low: u64, key_high: u64) -> Self {
        let words = [
            key_low ^ 0x736f_6d65_7073_6575,
            key_high ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            key_low ^ 0x6c79_6765_6e65_7261,
            key_high ^ 0x7465_6462_7974_6573,
        ];
        SipHasher { words, tail: 0, length: 0 }
    }

    fn round(&mut self) {
        let [v0, v1, v2, v3] = &mut self.words;
        *v0 = v0.wrapping_add(*v1);
        *v2 = v2.wrapping_add(*v3);
        *v1 = v1.rotate_left(13) ^ *v0;
        *v3 = v3.rotate_left(16) ^ *v2;
        *v0 = v0.rotate_left(32);
        *v2 = v2.wrapping_add(*v1);
        *v0 = v0.wrapping_add(*v3);
        *v1 = v1.rotate_left(17) ^ *v2;
        *v3 = v3.rotate_left(21) ^ *v0;
        *v2 = v2.rotate_left(32);
    }

    fn compress(&mut self, word: u64) {
        self.words[3] ^= word;
        self.round();
        self.round();
        self.words[0] ^= word;
    }

    /// Four rounds, and what they leave.
    fn output(&mut self) -> u128 {
        for _ in 0..4 {
            self.round();
        }
        u128::from(self.words.iter().fold(0, |all, word| all ^ word))
    }

    fn value(mut self) -> u128 {
        self.compress(self.tail | self.length << 56);
        self.words[2] ^= 0xee;
        let low = self.output();
        self.words[1] ^= 0xdd;
        self.output() << 64 | low
    }
}

impl Hasher for SipHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let (word, filled) = (u64::from_le_bytes(word), self.length % 8);
            self.tail |= word << (8 * filled);
            self.length += chunk.len() as u64;
            if filled + chunk.len() as u64 >= 8 {
                self.compress(self.tail);
                self.tail = if filled == 0 { 0 } else { word >> (64 - 8 * filled) };
            }
        }
    }

    fn finish(&self) -> u64 {
        unreachable!("a fingerprint has 128 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::SipHasher;
    use std::hash::Hasher;

    fn hash_of(pieces: &[&[u8]]) -> u128 {
        let mut hasher = SipHasher::new(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        pieces.iter().for_each(|piece| hasher.write(piece));
        hasher.value()
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
