//! Which logs have the same stamps: several versions and languages of an agent may lie in one share.

use crate::guess::{AS_MANY, trials};

/// Lines of each log that are read to find out.
const LINES: usize = 20;

/// Of some logs, those whose lines are read as the first one's are; `None` if no layout reads half of
/// these.
pub fn of_first(logs: &[&[String]]) -> Option<Vec<usize>> {
    let first = logs.first()?;
    let own = [first.to_vec()];
    // A short log may have one half of the day alone.
    let mut trials: Vec<_> =
        [false, true].into_iter().flat_map(|open| trials(&own, open)).collect();
    let most = trials.iter().map(|trial| trial.reads).max()?;
    trials.retain(|trial| trial.reads * 100 >= most * AS_MANY && trial.reads * 2 >= first.len());
    let mut best = Vec::new();
    // Where a day was taken for a month, fewer logs are read.
    for trial in &trials {
        let is_kin = |at: &usize| {
            let lines = &logs[*at][..logs[*at].len().min(LINES)];
            lines.iter().filter(|line| trial.read(line).is_some()).count() * 2 >= lines.len()
        };
        let kin: Vec<usize> = (0..logs.len()).filter(is_kin).collect();
        if kin.len() > best.len() {
            best = kin;
        }
    }
    // The first one's own beginning may be odd.
    if !best.is_empty() && best[0] != 0 {
        best.insert(0, 0);
    }
    (!best.is_empty()).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_language_on_its_own() {
        let log = |line: fn(usize) -> String| (0..40).map(line).collect::<Vec<String>>();
        let french = log(|n| format!("le {} mars 2025 à 10h{n}m07 : texte", 1 + n / 3));
        let german = log(|n| format!("{:02}.03.2025 10:{n:02}:07 Text", 1 + n / 3));
        let polish = log(|n| format!("2025-03-{:02} g.10.{n:02}.07 tekst", 1 + n / 3));
        let morning = log(|n| format!("10:{n:02}:07a 03/04/25 text"));
        let evening = log(|n| format!("11:{n:02}:07p 04/04/25 text"));
        let halves = [&morning, &evening, &german].map(Vec::as_slice);
        assert_eq!(of_first(&halves), Some(vec![0, 1]));
        let none = log(|n| format!("nothing {n}"));
        let all: Vec<&[String]> =
            [&german, &french, &none, &german, &polish, &french].map(Vec::as_slice).to_vec();
        assert_eq!(of_first(&all), Some(vec![0, 3]));
        assert_eq!(of_first(&all[1..]), Some(vec![0, 4]));
        assert_eq!(of_first(&all[2..]), None);
        assert_eq!(of_first(&all[4..]), Some(vec![0]));
    }
}
