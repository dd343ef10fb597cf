//! The two health tests of SP 800-90B, sample by sample: at a start, and for as long as a source is used.

use crate::{Claim, EntropyError, Source};

/// The state of a source's tests. It goes on from draw to draw.
#[derive(Debug)]
pub struct Health {
    source: Source,
    claim: Claim,
    last: Option<u8>,
    run: u32,
    first: u8,
    seen: u32,
    same: u32,
}

impl Health {
    /// Before the first sample.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self { source, claim: source.claim(), last: None, run: 0, first: 0, seen: 0, same: 0 }
    }

    /// INVARIANT E1: takes raw samples, never what a generator made of them.
    ///
    /// # Errors
    ///
    /// [`EntropyError::Stuck`] and [`EntropyError::Biased`] name the source.
    pub fn take(&mut self, samples: &[u8]) -> Result<(), EntropyError> {
        samples.iter().try_for_each(|sample| {
            self.repetition(*sample)?;
            self.proportion(*sample)
        })
    }

    fn repetition(&mut self, sample: u8) -> Result<(), EntropyError> {
        self.run = if self.last == Some(sample) { self.run.saturating_add(1) } else { 1 };
        self.last = Some(sample);
        if self.run >= self.claim.repetitions {
            return Err(EntropyError::Stuck { source_name: self.source, run: self.run });
        }
        Ok(())
    }

    fn proportion(&mut self, sample: u8) -> Result<(), EntropyError> {
        if self.seen == 0 {
            (self.first, self.same) = (sample, 0);
        }
        self.same += u32::from(sample == self.first);
        self.seen = (self.seen + 1) % self.claim.window;
        if self.same >= self.claim.proportion {
            let window = self.claim.window;
            return Err(EntropyError::Biased { source_name: self.source, same: self.same, window });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(source: Source, samples: &[u8]) -> Result<(), EntropyError> {
        Health::new(source).take(samples)
    }

    #[test]
    fn e1_a_run_is_refused_at_its_cut_off_and_not_before() {
        for source in Source::ALL {
            let cut_off = source.claim().repetitions as usize;
            let mut samples: Vec<u8> = (0..200_u32).map(|n| (n * 37) as u8).collect();
            samples[50..50 + cut_off - 1].fill(250);
            assert_eq!(judged(source, &samples), Ok(()), "{source}");
            samples[50 + cut_off - 1] = 250;
            let error = judged(source, &samples).unwrap_err();
            assert_eq!(error, EntropyError::Stuck { source_name: source, run: cut_off as u32 });
            assert!(error.to_string().contains(&source.to_string()));
        }
    }

    /// Never twice in a row where that is possible, and so often in a window.
    fn biased(source: Source, same: u32) -> Vec<u8> {
        let window = source.claim().window;
        let stride = (f64::from(same) / f64::from(window)).max(1e-9);
        let is_first = |at: u32| (f64::from(at) * stride).floor() as u32;
        let mut placed = 0;
        (0..window)
            .map(|at| {
                let due = placed < same && (at == 0 || is_first(at) >= placed);
                placed += u32::from(due);
                if due { 1 } else { (at % 5) as u8 + 2 }
            })
            .collect()
    }

    #[test]
    fn e1_a_bias_is_refused_at_its_cut_off_and_not_before() {
        for source in Source::ALL {
            let claim = source.claim();
            assert_eq!(judged(source, &biased(source, claim.proportion - 1)), Ok(()), "{source}");
            let error = judged(source, &biased(source, claim.proportion)).unwrap_err();
            let (same, window) = (claim.proportion, claim.window);
            assert_eq!(error, EntropyError::Biased { source_name: source, same, window });
        }
    }

    #[test]
    fn e1_the_tests_go_on_from_draw_to_draw() {
        let mut health = Health::new(Source::Rdseed);
        health.take(&[1, 2, 7, 7, 7, 7]).unwrap();
        let error = health.take(&[7, 7, 7, 7, 7]).unwrap_err();
        assert_eq!(error, EntropyError::Stuck { source_name: Source::Rdseed, run: 9 });
    }
}
