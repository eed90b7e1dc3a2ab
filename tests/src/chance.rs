//! Chance that can be repeated.

/// Random numbers of a seed (splitmix64).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.number() % bound
    }

    /// True in `percent` of 100 cases.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The seed of this run: `JALM_TEST_SEED`, or a new one. It is printed, so that a failure names it.
///
/// # Panics
/// When `JALM_TEST_SEED` is not a number.
pub fn seed() -> u64 {
    let seed = match std::env::var("JALM_TEST_SEED") {
        Ok(text) => text.parse().expect("JALM_TEST_SEED is a number"),
        Err(_) => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(1, |since| since.as_secs() << 20 | u64::from(since.subsec_micros())),
    };
    #[expect(clippy::print_stderr, reason = "test harnesses show it when the test fails")]
    {
        eprintln!("JALM_TEST_SEED={seed}");
    }
    seed
}
