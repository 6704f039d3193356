//! A device's files → the order of day and month, where a file's own dates can be read either way.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use provtrace_parsers::format::Formats;
use provtrace_parsers::stamp::DateOrder;

use crate::discover::{Device, Source};
use crate::source::OpenSource;

/// The order of day and month, for files whose own dates can be read either way.
#[derive(Debug)]
pub struct DateOrders<'d> {
    device: &'d Device,
    formats: &'d Formats,
    known: Option<Option<DateOrder>>,
    /// Files that stayed ambiguous.
    pub warnings: Vec<String>,
}

impl<'d> DateOrders<'d> {
    /// Nothing is read before it is needed.
    pub fn new(device: &'d Device, formats: &'d Formats) -> DateOrders<'d> {
        DateOrders { device, formats, known: None, warnings: Vec::new() }
    }

    /// The order that the device's other files show; month first, and a warning, if none does.
    pub fn of_device(&mut self, own: &OpenSource<'_>, source: &Source) -> DateOrder {
        let (device, formats) = (self.device, self.formats);
        let known = *self.known.get_or_insert_with(|| {
            let mut other_days = BTreeSet::new();
            for other in device.sources.iter().filter(|other| other.shown != source.shown) {
                let format = &formats.formats[other.format];
                let Ok(open) = OpenSource::open(other, format, Vec::new()) else { continue };
                match open.date_order() {
                    Some(Some(order)) => return Some(order),
                    Some(None) => {}
                    None => other_days.extend(open.days(DateOrder::MonthFirst)),
                }
            }
            nearer(own, &other_days)
        });
        known.unwrap_or_else(|| {
            let path = &source.shown;
            self.warnings.push(format!(
                "{path}: day and month of its dates can't be told apart; read as month/day"
            ));
            DateOrder::MonthFirst
        })
    }
}

/// The order in which a file's days are those of the device's other files; `None` if both or
/// neither are.
fn nearer(own: &OpenSource<'_>, other_days: &BTreeSet<i64>) -> Option<DateOrder> {
    let shared = |order| {
        let days = own.days(order);
        days.iter().filter(|day| other_days.range(*day - 1..=*day + 1).next().is_some()).count()
    };
    match shared(DateOrder::MonthFirst).cmp(&shared(DateOrder::DayFirst)) {
        Ordering::Greater => Some(DateOrder::MonthFirst),
        Ordering::Less => Some(DateOrder::DayFirst),
        Ordering::Equal => None,
    }
}
