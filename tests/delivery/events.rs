//! What happens to the logs of a share between two nights.

use super::{Log, Share};
use crate::rng::Rng;

/// Does something to a device of a share; what, for people, if anything.
type Event = fn(&mut Share, &str, &mut Rng) -> Option<String>;

/// What may happen to a device; those from `FIRST_LOSS` on destroy something.
const EVENTS: [(&str, Event); 12] = [
    ("rotated", rotate),
    ("renamed", rename),
    ("left or came back", leave),
    ("copied", copy),
    ("copied into a night", night),
    ("packed", pack),
    ("touched", touch),
    ("replaced with an equal head", replace),
    ("shrunk", shrink),
    ("rewritten", rewrite),
    ("restored", restore),
    ("deleted", delete),
];
/// The first event that destroys something.
const FIRST_LOSS: usize = 7;

impl Share {
    /// Lets logs grow, and things happen to one device; what happened, for people.
    pub fn happen(&mut self, device: &str, destroys: bool, rng: &mut Rng) -> Vec<String> {
        let mut told = Vec::new();
        let count = rng.index(3);
        // What was written last may have been written before a rotation, or after.
        let early = rng.percent(50);
        if early {
            self.grow(device, rng);
        }
        for _ in 0..count {
            let most = if destroys { EVENTS.len() } else { FIRST_LOSS };
            let (name, event) = EVENTS[rng.index(most)];
            told.extend(event(self, device, rng).map(|what| format!("{name}: {what}")));
        }
        if !early {
            self.grow(device, rng);
        }
        told
    }

    /// Logs grow, at any byte; others are there for the first time.
    fn grow(&mut self, device: &str, rng: &mut Rng) {
        for log in self.logs.iter_mut().filter(|log| log.device == device) {
            let chance = if log.now.is_some() { 60 } else { 40 };
            if !log.later.is_empty() && rng.percent(chance) {
                let all = rng.percent(30);
                let count = if all { log.later.len() } else { 1 + rng.index(log.later.len()) };
                log.write(count);
            }
        }
    }

    /// A log of a device that lies there, as a file of its own if `plain`.
    fn any(&self, device: &str, plain: bool, rng: &mut Rng) -> Option<usize> {
        let fits = |log: &Log| {
            log.device == device && self.is_there(log) && (log.member.is_none() || !plain)
        };
        let those = self.those(fits);
        (!those.is_empty()).then(|| *rng.pick(&those))
    }
}

impl Log {
    /// So many bytes are written to it.
    pub fn write(&mut self, count: usize) {
        let more: Vec<u8> = self.later.drain(..count.min(self.later.len())).collect();
        self.now.get_or_insert_default().extend(more);
    }

    fn shown(&self) -> String {
        format!(
            "{}{}",
            self.file,
            self.member.as_ref().map(|own| format!("!/{own}")).unwrap_or_default()
        )
    }
}

/// `vulscan.log` becomes `vulscan.1.log`, that becomes `vulscan.2.log`; a new `vulscan.log` goes on.
fn rotate(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, true, rng)?;
    let file = share.logs[at].file.clone();
    let stem = file.strip_suffix(".log")?.to_owned();
    // Others of these names no format knows.
    let (_, name) = stem.rsplit_once('/')?;
    let rolls = ["vulscan", "sdclient", "localsch"].iter().any(|own| name.starts_with(own));
    if !rolls || name.contains('.') {
        return None;
    }
    let name = |number: usize| format!("{stem}.{number}.log");
    for number in (1..4).rev() {
        let next = name(number + 1);
        let own = name(number);
        if share.is_free(&next)
            && let Some(log) = share.logs.iter_mut().find(|log| log.file == own)
        {
            log.file = next;
        }
    }
    if !share.is_free(&name(1)) {
        return None;
    }
    let log = &mut share.logs[at];
    let mut new = Log { now: None, seen: None, ..log.clone() };
    new.later = std::mem::take(&mut log.later);
    log.file = name(1);
    share.logs.push(new);
    Some(file)
}

fn rename(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, true, rng)?;
    let file = share.logs[at].file.clone();
    let (folder, name) = file.rsplit_once('/')?;
    let new = match rng.index(3) {
        // Beside a device's own logs `old` may be a device of its own.
        0 if folder != device => format!("{folder}/old/{name}"),
        1 => format!("{device}/{name}"),
        _other => format!("{folder}/Log/{name}"),
    };
    if !share.is_free(&new) {
        return None;
    }
    share.logs[at].file.clone_from(&new);
    Some(format!("{file} to {new}"))
}

fn leave(share: &mut Share, device: &str, _rng: &mut Rng) -> Option<String> {
    if share.stays {
        return None;
    }
    if !share.away.remove(device) {
        share.away.insert(device.to_owned());
    }
    Some(device.to_owned())
}

fn copy(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, false, rng)?;
    let log = share.logs[at].clone();
    let name = log.member.as_ref().unwrap_or(&log.file).rsplit('/').next()?.to_owned();
    let file = format!("{device}/old/{}{name}", if rng.percent(50) { "Data/" } else { "" });
    let is_free = share.is_free(&file);
    share.logs.extend(is_free.then(|| Log {
        file: file.clone(),
        member: None,
        later: Vec::new(),
        seen: None,
        ..log
    }));
    is_free.then_some(file)
}

/// All that is there of a device, copied into a folder named like a date.
fn night(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let folder = format!("{device}/2025-07-{:02}", 1 + rng.index(9));
    let inside = format!("{device}/");
    let fits = |log: &Log| log.device == device && share.is_there(log) && log.member.is_none();
    let mut count = 0;
    for at in share.those(fits) {
        let log = &share.logs[at];
        let file = log.file.strip_prefix(&inside).map(|own| format!("{folder}/{own}"))?;
        if !log.file.contains("2025-07-") && share.is_free(&file) {
            let copy = Log { file, later: Vec::new(), seen: None, ..log.clone() };
            share.logs.push(copy);
            count += 1;
        }
    }
    Some(format!("{folder}, {count} files"))
}

/// Some logs lie in an archive, too, and go on there.
fn pack(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let count = 1 + rng.index(3);
    let zip = format!("{device}/logs-{}.zip", rng.index(3));
    let is_zip = rng.percent(60);
    if is_zip && !share.is_free(&zip) {
        return None;
    }
    let mut told = Vec::new();
    for _ in 0..count {
        let at = share.any(device, true, rng)?;
        let log = &share.logs[at];
        let name = log.file.rsplit('/').next()?.to_owned();
        let file = if is_zip { zip.clone() } else { format!("{}.gz", log.file) };
        let is_known = |own: &Log| own.file == file && own.member.as_ref() == Some(&name);
        if share.logs.iter().any(is_known) {
            continue;
        }
        let copy = Log { file, member: Some(name), seen: None, ..log.clone() };
        told.push(copy.shown());
        share.logs.push(copy);
    }
    Some(told.join(", "))
}

/// A file has an older time, or a newer one, and is the same.
fn touch(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, false, rng)?;
    share.logs[at].backdated = true;
    Some(share.logs[at].shown())
}

/// Another log that begins as this one did.
fn replace(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, false, rng)?;
    let in_place = rng.percent(30);
    let log = &mut share.logs[at];
    let mut whole = log.now.clone()?;
    whole.extend(std::mem::take(&mut log.later));
    let cut = rng.index(whole.len() + 1);
    let behind = cut + rng.index(whole.len() - cut + 1);
    let other = [&whole[..cut], &whole[behind..], &whole[cut..behind]].concat();
    let length = cut + rng.index(other.len() - cut + 1);
    log.now = Some(other[..length].to_vec());
    log.later = other[length..].to_vec();
    log.in_place = in_place;
    Some(format!("{} from byte {cut} on, {length} bytes", log.shown()))
}

fn shrink(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, false, rng)?;
    let log = &mut share.logs[at];
    let now = log.now.as_mut()?;
    let cut = rng.index(now.len() + 1);
    let rest = now.split_off(cut);
    log.in_place = rng.percent(70);
    if rng.percent(50) {
        log.later = [rest, std::mem::take(&mut log.later)].concat();
    }
    Some(format!("{} to {cut} bytes", log.shown()))
}

/// Other bytes, as many: digits are others.
fn rewrite(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, false, rng)?;
    let log = &mut share.logs[at];
    let now = log.now.as_mut()?;
    let from = rng.index(now.len() + 1);
    let until = (from + 1 + rng.index(200)).min(now.len());
    for byte in now[from..until].iter_mut().filter(|byte| byte.is_ascii_digit()) {
        *byte = b'0' + (*byte - b'0' + 3) % 10;
    }
    log.in_place = true;
    Some(format!("{} from byte {from} to {until}", log.shown()))
}

/// An older copy of it, with its older time.
fn restore(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let told = shrink(share, device, rng)?;
    let cut = told.split(" to ").next()?.to_owned();
    let log = share.logs.iter_mut().find(|log| log.shown() == cut)?;
    (log.backdated, log.in_place) = (true, false);
    Some(told)
}

fn delete(share: &mut Share, device: &str, rng: &mut Rng) -> Option<String> {
    let at = share.any(device, false, rng)?;
    let log = &mut share.logs[at];
    let told = log.shown();
    log.now = None;
    if rng.percent(70) {
        log.later.clear();
    }
    Some(told)
}
