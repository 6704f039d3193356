//! A device's clock: true UTC in, the digits that the device prints out.

use chrono::{DateTime, Offset, TimeZone};
use chrono_tz::Tz;

/// From `from` on the device believes to be in `zone`, and its UTC is wrong by `error` seconds.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// UTC second.
    pub(crate) from: i64,
    /// Zone in force.
    pub(crate) zone: Tz,
    /// Seconds by which the hardware clock is ahead.
    pub(crate) error: i64,
}

/// All settings of a device, in order of time.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    /// Never empty; the first holds for all earlier time too.
    pub(crate) settings: Vec<Setting>,
}

impl Clock {
    /// A clock that is right.
    pub(crate) fn right(zone: Tz) -> Self {
        Self { settings: vec![Setting { from: i64::MIN, zone, error: 0 }] }
    }

    /// Changes the clock at a moment not before the last change.
    pub(crate) fn set(&mut self, from: i64, zone: Tz, error: i64) {
        self.settings.push(Setting { from, zone, error });
    }

    /// The setting in force.
    pub(crate) fn at(&self, utc: i64) -> &Setting {
        let after = self.settings.partition_point(|setting| setting.from <= utc);
        &self.settings[after.max(1) - 1]
    }

    /// What the device takes for UTC: registry times and Unix seconds come from it.
    pub(crate) fn believed_utc(&self, utc: i64) -> i64 {
        utc + self.at(utc).error
    }

    /// What the device prints, as seconds since 1970 of its wall clock.
    pub(crate) fn local(&self, utc: i64) -> i64 {
        let setting = self.at(utc);
        let believed = utc + setting.error;
        believed + offset(setting.zone, believed)
    }
}

/// Seconds east of UTC.
pub(crate) fn offset(zone: Tz, utc: i64) -> i64 {
    let naive = DateTime::from_timestamp(utc, 0).unwrap_or_default().naive_utc();
    i64::from(zone.offset_from_utc_datetime(&naive).fix().local_minus_utc())
}

/// The UTC second at which a correct clock of the zone shows `local`.
pub(crate) fn utc_of(zone: Tz, local: i64) -> i64 {
    local - offset(zone, local - offset(zone, local))
}

/// The daylight-saving changes of a zone in a span of days, as UTC seconds.
pub(crate) fn changes(zone: Tz, first_day: i64, days: i64) -> Vec<i64> {
    let mut found = Vec::new();
    for day in first_day..first_day + days {
        if offset(zone, day * 86_400) == offset(zone, (day + 1) * 86_400) {
            continue;
        }
        let change = (1..=24)
            .map(|hour| day * 86_400 + hour * 3600)
            .find(|utc| offset(zone, *utc) != offset(zone, day * 86_400));
        found.extend(change);
    }
    found
}

/// A date and time in digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    /// 0 = Sunday.
    pub(crate) weekday: i64,
}

/// Days-to-date by Howard Hinnant's method; a share of a gigabyte prints ten million stamps,
/// and this is several times faster than a calendar library's general way.
pub(crate) fn civil(seconds: i64) -> Civil {
    let days = seconds.div_euclid(86_400);
    let rest = seconds.rem_euclid(86_400);
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    Civil {
        year: yoe + era * 400 + i64::from(month <= 2),
        month,
        day: doy - (153 * mp + 2) / 5 + 1,
        hour: rest / 3600,
        minute: rest / 60 % 60,
        second: rest % 60,
        weekday: (days + 4).rem_euclid(7),
    }
}

/// `2025-03-24T10:09:48`, without a zone.
pub(crate) fn iso(seconds: i64) -> String {
    let c = civil(seconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        c.year, c.month, c.day, c.hour, c.minute, c.second
    )
}

/// English month names, which the product prints in every language.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// English weekday names.
pub(crate) const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
