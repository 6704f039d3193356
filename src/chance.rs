//! How often chance alone would do what was seen.

use statrs::distribution::{Discrete, DiscreteCDF, Hypergeometric};

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

/// The 97.5 % point of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// What two ways of adding up the same chance may differ by.
const SAME: f64 = 1e-7;

/// So many of so many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    /// Those that were hit.
    pub hits: u64,
    /// All.
    pub of: u64,
}

impl Share {
    /// `hits / of`; 0 of none.
    pub fn rate(self) -> f64 {
        if self.of == 0 { 0.0 } else { self.hits as f64 / self.of as f64 }
    }

    /// The 95 % Wilson score interval of the rate; of none, nothing is known.
    pub fn wilson(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, rate) = (self.of as f64, self.rate());
        let centre = rate + Z * Z / (2.0 * n);
        let spread = Z * (rate * (1.0 - rate) / n + Z * Z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + Z * Z / n;
        let end = |value: f64| (value / scale).clamp(0.0, 1.0);
        (end(centre - spread), end(centre + spread))
    }

    /// By how much the rate is above that of `other`, with a 95 % interval: Newcombe's method,
    /// from the Wilson intervals of both (Statistics in Medicine 17, 1998, method 10).
    pub fn above(self, other: Share) -> (f64, f64, f64) {
        let (own, others) = (self.rate(), other.rate());
        let ((low, high), (others_low, others_high)) = (self.wilson(), other.wilson());
        let difference = own - others;
        let down = (own - low).hypot(others_high - others);
        let up = (high - own).hypot(others - others_low);
        (difference, (difference - down).max(-1.0), (difference + up).min(1.0))
    }

    /// Fisher's exact test, two-sided: the probability of what was seen, and of all that is no
    /// likelier, if both rates are the same and as many are hit in all.
    pub fn same_as(self, other: Share) -> f64 {
        Table::of(self, other).map_or(1.0, |table| table.no_likelier(self.hits))
    }

    /// The least that [`Share::same_as`] can be for as many cases, and as many hit in all: what
    /// no result could prove needs no test.
    pub fn least_chance(self, other: Share) -> f64 {
        let ends = Table::of(self, other)
            .map(|table| table.no_likelier(table.least).min(table.no_likelier(table.most)));
        ends.unwrap_or(1.0)
    }

    /// The same, however many are hit: whether there are enough cases for any result.
    pub fn too_few(self, other: Share, level: f64) -> bool {
        let best = |hits: u64| {
            let split = Share { hits: hits.min(self.of), of: self.of };
            split.least_chance(Share { hits: hits - split.hits, of: other.of })
        };
        self.of == 0 || other.of == 0 || best(self.of).min(best(other.of)) >= level
    }
}

/// How hits may lie in two groups of given sizes.
struct Table {
    drawn: Hypergeometric,
    /// The fewest and the most that may lie in the first group, and the likeliest number.
    least: u64,
    most: u64,
    mode: u64,
}

impl Table {
    fn of(one: Share, other: Share) -> Option<Table> {
        let (all, hits) = (one.of.checked_add(other.of)?, one.hits.checked_add(other.hits)?);
        if one.hits > one.of || other.hits > other.of {
            return None;
        }
        let (least, most) = (hits.saturating_sub(other.of), hits.min(one.of));
        let mode = (u128::from(one.of) + 1) * (u128::from(hits) + 1) / (u128::from(all) + 2);
        let mode = u64::try_from(mode).ok()?.clamp(least, most);
        Some(Table { drawn: Hypergeometric::new(all, hits, one.of).ok()?, least, most, mode })
    }

    /// The chance of all numbers that are no likelier than `seen`. They lie at both ends: the
    /// chance rises up to the mode, and falls behind it.
    fn no_likelier(&self, seen: u64) -> f64 {
        let limit = self.drawn.ln_pmf(seen) + SAME;
        let fits = |number: u64| self.drawn.ln_pmf(number) <= limit;
        if fits(self.mode) {
            return 1.0;
        }
        // The first of least..mode, and of mode..=most, on the other side of the limit.
        let (mut low, mut high) = (self.least, self.mode);
        while low < high {
            let middle = low.midpoint(high);
            if fits(middle) { low = middle + 1 } else { high = middle }
        }
        let below = self.sum((self.least..low).rev());
        let (mut low, mut high) = (self.mode, self.most + 1);
        while low < high {
            let middle = low.midpoint(high);
            if fits(middle) { high = middle } else { low = middle + 1 }
        }
        (below + self.sum(low..=self.most)).clamp(0.0, 1.0)
    }

    /// Adds up from the likeliest on, as long as it makes a difference.
    fn sum(&self, numbers: impl Iterator<Item = u64>) -> f64 {
        let mut sum = 0.0;
        for number in numbers {
            let chance = self.drawn.ln_pmf(number).exp();
            sum += chance;
            if chance <= sum * 1e-17 {
                break;
            }
        }
        sum
    }
}

/// Corrects the chances of several questions so that one of them seems answered by chance in
/// no more cases than a single one would: Holm's method. In the order in which they are given.
pub fn holm(chances: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..chances.len()).collect();
    order.sort_by(|a, b| chances[*a].total_cmp(&chances[*b]));
    let mut corrected = vec![1.0; chances.len()];
    let mut least: f64 = 0.0;
    for (place, at) in order.into_iter().enumerate() {
        least = least.max(chances[at] * (chances.len() - place) as f64).min(1.0);
        corrected[at] = least;
    }
    corrected
}

/// A probability as `once in so many`.
pub fn times(chance: f64) -> String {
    if chance < 1e-30 { "over 1e30".to_owned() } else { format!("{:.0e}", 1.0 / chance) }
}

/// A rate to four places, as reports print it.
pub fn four_places(value: f64) -> f64 {
    // Adding zero turns -0.0 into 0.0.
    (value * 10_000.0).round() / 10_000.0 + 0.0
}

/// Four digits, however small: machines may differ in the last ones.
pub fn four_digits(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
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

    fn share(hits: u64, of: u64) -> Share {
        Share { hits, of }
    }

    /// Newcombe, Interval estimation for the difference between independent proportions,
    /// Statistics in Medicine 17 (1998), 873-890, table II, method 10.
    #[test]
    fn newcombe_s_own_examples() {
        for (one, other, low, high) in [
            (share(56, 70), share(48, 80), 0.0524, 0.3339),
            (share(9, 10), share(3, 10), 0.1705, 0.8090),
            (share(6, 7), share(2, 7), 0.0582, 0.8062),
            (share(5, 56), share(0, 29), -0.0381, 0.1926),
            (share(0, 10), share(0, 20), -0.1611, 0.2775),
            (share(0, 10), share(0, 10), -0.2775, 0.2775),
            (share(10, 10), share(0, 20), 0.6791, 1.0),
            (share(10, 10), share(0, 10), 0.6075, 1.0),
        ] {
            let (_, found_low, found_high) = one.above(other);
            let near = |found: f64, wanted: f64| (found - wanted).abs() < 5e-5;
            assert!(
                near(found_low, low) && near(found_high, high),
                "{one:?} {other:?}: {found_low} {found_high}"
            );
        }
    }

    /// Fisher's tea (The Design of Experiments, 1935) and his convicted twins (1934, as R's
    /// `fisher.test` has them), and the corners.
    #[test]
    fn fisher_s_own_examples() {
        for (one, other, wanted) in [
            (share(3, 4), share(1, 4), 34.0 / 70.0),
            (share(4, 4), share(0, 4), 2.0 / 70.0),
            (share(10, 13), share(2, 17), 0.000_536_7),
            (share(5, 10), share(5, 10), 1.0),
            (share(0, 10), share(0, 12), 1.0),
            (share(0, 0), share(3, 12), 1.0),
        ] {
            let found = one.same_as(other);
            assert!((found - wanted).abs() < 1e-6, "{one:?} {other:?}: {found}");
            assert!((other.same_as(one) - found).abs() < 1e-9);
        }
    }

    /// The sums from the ends are those of all numbers.
    #[test]
    fn the_test_leaves_nothing_out() {
        for (a, n, b, m) in [(1, 9, 7, 30), (20, 30, 4, 9), (0, 5, 5, 5), (300, 400, 100, 200)] {
            let (one, other) = (share(a, n), share(b, m));
            let table = Table::of(one, other).expect("a table");
            let seen = table.drawn.pmf(a);
            let all = (table.least..=table.most).map(|number| table.drawn.pmf(number));
            let wanted: f64 = all.filter(|chance| *chance <= seen * (1.0 + SAME)).sum();
            assert!((one.same_as(other) / wanted - 1.0).abs() < 1e-9, "{one:?} {other:?}");
        }
        // In exact fractions.
        let thousands = share(3, 1000).same_as(share(9, 1100));
        assert!((thousands / 0.150_328_715_477_289 - 1.0).abs() < 1e-9, "{thousands}");
        let many = share(2_000_000, 10_000_000).same_as(share(2_001_000, 10_000_000));
        assert!((0.4..0.8).contains(&many), "{many}");
    }

    #[test]
    fn few_cases_can_show_nothing() {
        assert!(share(0, 3).too_few(share(3, 3), 0.05), "3 of 3 against 0 of 3 is 0.1");
        assert!(!share(0, 4).too_few(share(4, 4), 0.05), "4 of 4 against 0 of 4 is 0.029");
        assert!(share(1, 1).too_few(share(0, 10), 0.05));
        assert!(!share(0, 1).too_few(share(0, 100), 0.05));
        assert!(share(0, 0).too_few(share(0, 100), 0.05));
    }

    /// Holm, A simple sequentially rejective multiple test procedure, 1979; R: p.adjust.
    #[test]
    fn several_questions_are_corrected() {
        let corrected = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, wanted) in corrected.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - wanted).abs() < 1e-12, "{corrected:?}");
        }
        assert!(holm(&[]).is_empty());
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
