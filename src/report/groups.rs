//! Incidents → groups of one template and step, so that a flood of them is some lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::contract::Incident;
use crate::correlate::Mechanism;

/// The incidents of one step of a template.
#[derive(Debug)]
pub struct Group<'i> {
    /// `None` where nothing names it.
    pub template: Option<&'i str>,
    /// The step's name.
    pub step: &'i str,
    /// In their order; there is at least one.
    pub incidents: Vec<&'i Incident>,
}

/// The groups, the largest first, then by template and step.
pub fn groups(incidents: &[Incident]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<(Option<&str>, &str), Vec<&Incident>> = BTreeMap::new();
    for own in incidents {
        groups.entry((own.template.as_deref(), &own.step)).or_default().push(own);
    }
    let group = |((template, step), incidents)| Group { template, step, incidents };
    let mut groups: Vec<Group<'_>> = groups.into_iter().map(group).collect();
    // A stable sort: those of one size stay in order of template and step.
    groups.sort_by_key(|group| std::cmp::Reverse(group.incidents.len()));
    groups
}

impl Group<'_> {
    /// How many devices it is about.
    pub fn devices(&self) -> u64 {
        let devices: BTreeSet<&str> =
            self.incidents.iter().map(|own| own.device.as_str()).collect();
        devices.len() as u64
    }

    /// What blocked them: `3 × scan that waited, 1 × policy task`.
    pub fn blocked_by(&self) -> String {
        let mut counts: BTreeMap<Mechanism, u64> = BTreeMap::new();
        for own in &self.incidents {
            *counts.entry(own.mechanism).or_default() += 1;
        }
        let mut counts: Vec<(Mechanism, u64)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, some)| std::cmp::Reverse(*some));
        if let [(only, _)] = counts.as_slice() {
            return brief(*only).to_owned();
        }
        let each = counts.iter().map(|(mechanism, some)| format!("{some} × {}", brief(*mechanism)));
        each.collect::<Vec<_>>().join(", ")
    }

    /// The newest of them.
    pub fn newest(&self) -> Option<&Incident> {
        self.incidents.iter().max_by_key(|own| own.at_millis).copied()
    }
}

/// What blocked an incident, in few words.
fn brief(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::ScanWaited => "scan that waited",
        Mechanism::ScanRunning => "running scan",
        Mechanism::PolicyTask => "policy task",
        Mechanism::SdclientRunning => "other sdclient",
        Mechanism::Unattributed => "not in the logs",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::specimen;

    #[test]
    fn the_largest_group_goes_first() {
        let news = specimen::usual();
        let groups = groups(&news.new);
        let steps: Vec<(&str, usize, u64)> =
            groups.iter().map(|own| (own.step, own.incidents.len(), own.devices())).collect();
        assert_eq!(steps, [("Install Chrome", 2, 2), ("Patch system", 1, 1)]);
        assert_eq!(groups[0].blocked_by(), "scan that waited");
        assert_eq!(groups[0].newest().map(|own| own.device.as_str()), Some("PAR-10417"));
        let mut both = specimen::usual().new;
        both[0].mechanism = Mechanism::PolicyTask;
        both.truncate(2);
        assert_eq!(super::groups(&both)[0].blocked_by(), "1 × scan that waited, 1 × policy task");
    }
}
