//! The project's only randomness: xoshiro256** seeded by SplitMix64 (Blackman and Vigna, "Scrambled linear
//! pseudorandom number generators", 2018). Integers only, so that every machine draws the same.

/// A seeded generator. Clone it to draw the same again; [`split`](Rng::split) it to give a concern its own stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rng {
    state: [u64; 4],
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// A generator whose every draw follows from `seed`.
    pub fn new(seed: u64) -> Self {
        let mut s = seed;
        Rng { state: std::array::from_fn(|_| split_mix(&mut s)) }
    }

    /// A generator for the concern named `label`. It depends on this one's state, which does not change: what one
    /// concern draws never shifts what another draws.
    pub fn split(&self, label: &str) -> Rng {
        let mut digest = crate::Digest::default();
        for word in self.state {
            digest.update(&word.to_le_bytes());
        }
        digest.update(label.as_bytes());
        Rng::new(digest.value())
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= t;
        *d = d.rotate_left(45);
        result
    }

    /// A number in `0..bound`, without bias worth naming (multiply and shift).
    ///
    /// # Panics
    /// If `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "a draw from an empty range");
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `low..=high`.
    ///
    /// # Panics
    /// If `low > high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        assert!(low <= high, "a draw from an empty range");
        match (high - low).checked_add(1) {
            Some(width) => low + self.below(width),
            None => self.next_u64(),
        }
    }

    /// True with a chance of `permille` in 1,000.
    pub fn chance(&mut self, permille: u32) -> bool {
        permille > 0 && self.below(1000) < u64::from(permille)
    }

    /// One of `items`, or `None` if there is none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() { None } else { items.get(self.below(items.len() as u64) as usize) }
    }

    /// Puts `items` into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    #[test]
    fn the_same_seed_draws_the_same_numbers_on_every_machine() {
        let mut rng = Rng::new(7);
        let drawn: Vec<u64> = (0..4).map(|_| rng.below(1_000_000)).collect();
        let mut again = Rng::new(7);
        assert_eq!(drawn, (0..4).map(|_| again.below(1_000_000)).collect::<Vec<_>>());
        assert_ne!(Rng::new(7).next_u64(), Rng::new(8).next_u64());
    }

    #[test]
    fn a_split_stream_does_not_depend_on_later_draws_of_its_siblings() {
        let root = Rng::new(1);
        let mut network = root.split("network");
        let before = root.split("workload").next_u64();
        network.next_u64();
        assert_eq!(before, root.split("workload").next_u64());
        assert_ne!(before, network.next_u64());
    }

    #[test]
    fn bounds_hold() {
        let mut rng = Rng::new(3);
        for _ in 0..10_000 {
            assert!(rng.below(3) < 3);
            assert!((5..=9).contains(&rng.between(5, 9)));
        }
        assert_eq!(rng.between(4, 4), 4);
        rng.between(0, u64::MAX);
        assert!(!rng.chance(0));
        assert!(rng.chance(1000));
    }
}
