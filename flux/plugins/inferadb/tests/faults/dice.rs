//! Chance that comes again for the same seed.

/// Splitmix64: enough to choose with.
pub(crate) struct Dice(u64);

impl Dice {
    /// Another one for each kind and place, whatever other kinds there are.
    pub(crate) fn new(seed: u64, kind: &str, place: u64) -> Self {
        let start = kind.bytes().fold(seed ^ (place << 32), |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Dice(start)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((value ^ (value >> 31)) % u64::try_from(sides).unwrap()).unwrap()
    }

    /// One of these. There must be some: a kind without a place in the tree would test nothing.
    pub(crate) fn choose<T: Clone>(&mut self, items: &[T]) -> T {
        assert!(!items.is_empty(), "the tree has no place for this fault");
        items[self.roll(items.len())].clone()
    }
}
