//! How often chance alone would do what was seen.

use statrs::distribution::{DiscreteCDF, Hypergeometric};

/// Fewer devices show nothing.
pub const FEWEST_DEVICES: usize = 3;
/// What is proposed, chance alone would show once in so many shares at most.
pub const BY_CHANCE: f64 = 1e-3;

/// How often something came with a property, against how often without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All cases.
    pub all: u64,
    /// Of them, those with the property.
    pub with: u64,
    /// Of all, those that are looked at.
    pub own: u64,
    /// Of these, those with the property.
    pub own_with: u64,
}

impl Counts {
    /// Fisher's exact test, one-sided: the probability that of so many cases drawn by chance at
    /// least so many have the property; times the number of such questions that were asked
    /// (Bonferroni), and never over 1.
    pub fn by_chance(self, questions: usize) -> f64 {
        let Counts { all, with, own, own_with } = self;
        if own_with == 0 {
            return 1.0;
        }
        let Ok(drawn) = Hypergeometric::new(all, with, own) else { return 1.0 };
        (drawn.sf(own_with - 1) * questions.max(1) as f64).clamp(0.0, 1.0)
    }

    /// By how much those that are looked at have the property more often than the others, of what
    /// they could: 0 for not at all, 1 for always.
    pub fn excess(self) -> f64 {
        let others =
            Counts { own: self.all - self.own, own_with: self.with - self.own_with, ..self };
        let base = others.rate();
        if base >= 1.0 { 0.0 } else { (self.rate() - base) / (1.0 - base) }
    }

    /// Of those that are looked at, the share with the property.
    pub fn rate(self) -> f64 {
        if self.own == 0 { 0.0 } else { self.own_with as f64 / self.own as f64 }
    }
}

/// A probability as `once in so many`.
pub fn times(chance: f64) -> String {
    if chance < 1e-30 { "over 1e30".to_owned() } else { format!("{:.0e}", 1.0 / chance) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_test() {
        // R: phyper(7, 10, 90, 12, lower.tail = FALSE) is 3.0e-08 or so; by hand here.
        let choose =
            |n: u64, k: u64| (0..k).map(|i| (n - i) as f64 / (k - i) as f64).product::<f64>();
        let wanted: f64 =
            (8..=10).map(|k| choose(10, k) * choose(90, 12 - k) / choose(100, 12)).sum();
        let counts = Counts { all: 100, with: 10, own: 12, own_with: 8 };
        let found = counts.by_chance(1);
        assert!((found / wanted - 1.0).abs() < 1e-6, "{found} {wanted}");
        assert!((counts.by_chance(5) / (5.0 * wanted) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_seen_is_no_proof() {
        for counts in [
            Counts { all: 100, with: 10, own: 5, own_with: 0 },
            Counts { all: 0, with: 0, own: 0, own_with: 0 },
            Counts { all: 10, with: 10, own: 10, own_with: 10 },
        ] {
            assert!(counts.by_chance(3) > 0.99, "{counts:?}");
        }
    }
}
