//! A scenario is read off a tape of numbers. At its end it reads 0, which is the simplest choice everywhere, so that a
//! shorter tape is a simpler scenario: that is how counter-examples shrink.

#[derive(Clone, Debug)]
pub struct Tape {
    numbers: Vec<u16>,
    at: usize,
}

impl Tape {
    pub fn random(seed: u64, length: usize) -> Self {
        let mut state = seed;
        let numbers = (0..length)
            .map(|_| u16::try_from(split_mix(&mut state) >> 48).expect("16 bits are left"))
            .collect();
        Self { numbers, at: 0 }
    }

    pub fn of(numbers: Vec<u16>) -> Self {
        Self { numbers, at: 0 }
    }

    /// Less than `bound`.
    pub fn pick(&mut self, bound: usize) -> usize {
        let number = self.numbers.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(number) % bound.max(1)
    }

    /// Once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.pick(times) + 1 == times && times > 1
    }
}

/// SplitMix64: short, and good enough to choose among a few.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The simplest tape that still fails, as far as some hundreds of tries go.
pub fn shrink(tape: &Tape, fails: impl Fn(&Tape) -> bool) -> Tape {
    let mut best: Vec<u16> = tape.numbers.clone();
    let mut tries = 120;
    let mut progress = true;
    while progress && tries > 0 {
        progress = false;
        let mut size = best.len().div_ceil(2).max(1);
        while size > 0 {
            let mut start = 0;
            while start < best.len() && tries > 0 {
                let end = (start + size).min(best.len());
                let mut shorter = best.clone();
                shorter.drain(start..end);
                let mut zeroed = best.clone();
                zeroed[start..end].fill(0);
                let candidates = [shorter, zeroed];
                let simpler = candidates
                    .into_iter()
                    .filter(|c| *c != best)
                    .find(|candidate| {
                        tries -= 1;
                        fails(&Tape::of(candidate.clone()))
                    });
                match simpler {
                    Some(simpler) => {
                        best = simpler;
                        progress = true;
                    }
                    None => start += size,
                }
            }
            size /= 2;
        }
    }
    Tape::of(best)
}
