//! A device's files → the order of day and month, where a file's own dates can be read either way.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::DateOrder;
use serde::{Deserialize, Serialize};

use crate::discover::{Device, Source};
use crate::source::OpenSource;

/// What the first block of a file says of dates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dates {
    /// Of the order of its slash dates: `None` if it has no such dates, `Some(None)` if they can be
    /// read either way.
    pub order: Option<Option<DateOrder>>,
    /// The days of its stamps with the month first, and with the day first; of a file with slash dates
    /// only if these can be read either way. `None` if nobody asked.
    days: Option<[BTreeSet<i64>; 2]>,
}

impl Dates {
    /// Of a file that was opened at its begin; `asked`: days are looked at where they may be needed.
    pub fn of(open: &OpenSource<'_>, asked: bool) -> Dates {
        let order = open.date_order();
        let days = match order {
            Some(Some(_)) => None,
            Some(None) => asked.then(|| {
                [DateOrder::MonthFirst, DateOrder::DayFirst].map(|order| open.days(order))
            }),
            None => asked.then(|| [open.days(DateOrder::MonthFirst), BTreeSet::new()]),
        };
        Dates { order, days }
    }

    /// Whether more text in the first block could say more.
    pub fn may_say_more(&self) -> bool {
        self.order == Some(None) || self.days.is_some()
    }
}

/// The order of day and month, for files whose own dates can be read either way.
#[derive(Debug)]
pub struct DateOrders<'d> {
    device: &'d Device,
    formats: &'d Formats,
    /// What is known of files without opening them.
    pub known: BTreeMap<String, Dates>,
    order: Option<Option<DateOrder>>,
    /// Files that stayed ambiguous.
    pub warnings: BTreeSet<String>,
}

impl<'d> DateOrders<'d> {
    /// Nothing is read before it is needed.
    pub fn new(device: &'d Device, formats: &'d Formats) -> DateOrders<'d> {
        let known = BTreeMap::new();
        DateOrders { device, formats, known, order: None, warnings: BTreeSet::new() }
    }

    /// The order that the device's other files show; month first, and a warning, if none does. `own`
    /// gives the dates of the file itself, with its days.
    pub fn of_device(&mut self, own: impl FnOnce() -> Dates, source: &Source) -> DateOrder {
        let order = match self.order {
            Some(order) => order,
            None => self.shown_by_others(own, source),
        };
        self.order = Some(order);
        order.unwrap_or_else(|| {
            let path = &source.shown;
            self.warnings.insert(format!(
                "{path}: day and month of its dates can't be told apart; read as month/day"
            ));
            DateOrder::MonthFirst
        })
    }

    fn shown_by_others(
        &mut self,
        own: impl FnOnce() -> Dates,
        source: &Source,
    ) -> Option<DateOrder> {
        let mut other_days = BTreeSet::new();
        for other in self.device.sources.iter().filter(|other| other.shown != source.shown) {
            let known = self.known.get(&other.shown);
            if known.is_none_or(|dates| dates.order.is_none() && dates.days.is_none()) {
                let format = &self.formats.formats[other.format];
                if let Ok(open) = OpenSource::open(other, format, Vec::new()) {
                    let asked = open.date_order().is_none();
                    self.known.insert(other.shown.clone(), Dates::of(&open, asked));
                }
            }
            match self.known.get(&other.shown) {
                Some(Dates { order: Some(Some(order)), .. }) => return Some(*order),
                Some(Dates { order: None, days: Some([days, _]) }) => other_days.extend(days),
                Some(_) | None => {}
            }
        }
        nearer(&own().days.unwrap_or_default(), &other_days)
    }
}

/// The order in which a file's days are those of the device's other files; `None` if both or
/// neither are.
fn nearer(
    [month_first, day_first]: &[BTreeSet<i64>; 2],
    others: &BTreeSet<i64>,
) -> Option<DateOrder> {
    let shared = |days: &BTreeSet<i64>| {
        days.iter().filter(|day| others.range(*day - 1..=*day + 1).next().is_some()).count()
    };
    match shared(month_first).cmp(&shared(day_first)) {
        Ordering::Greater => Some(DateOrder::MonthFirst),
        Ordering::Less => Some(DateOrder::DayFirst),
        Ordering::Equal => None,
    }
}
