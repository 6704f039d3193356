//! Which device a file belongs to: told by its path, by guess or by a pattern.
//!
//! A device is the folder above the folders that an agent is known to write to. Its name
//! is that folder's; a folder named like a date above it is a night, not a part of the name.
//! An archive is a folder here, written `name.zip!`: the support script's names the device.

use std::path::Path;

use crate::paths::slashed;

/// Folders that are inside a device's folder: where agents and collectors put logs.
const INNER_FOLDERS: [&str; 29] = [
    "appdata",
    "data",
    "epm agent",
    "eventviewer",
    "ivanti",
    "landesk",
    "ldclient",
    "ldprovision",
    "ldprovisioning",
    "log",
    "logs",
    "management suite",
    "policies",
    "program files",
    "program files (x86)",
    "programdata",
    "provisioning",
    "ps1_log_script",
    "registryinfo",
    "shared files",
    "shared_files",
    "system32",
    "temp",
    "vulscan",
    "vulscanfolder",
    "windows",
    "windows_temp_folder",
    "winevt",
    "all users",
];

/// Folders that only an agent or its collector makes.
const AGENT_FOLDERS: [&str; 8] = [
    "landesk",
    "ldclient",
    "ldprovision",
    "ldprovisioning",
    "program files",
    "program files (x86)",
    "programdata",
    "ps1_log_script",
];

/// Words that name an archive of one device's logs, and no device.
const WORDS: &str = "\
 archive archives backup bak bundle collected copy export files ldprovision \
 localsch log logs old policysync provisioning rotated sdclient support vulscan";

/// The folder of an evidence bundle that holds the share.
const FILES: &str = "files";

/// How the support script begins its archives' names.
const BUNDLE: &str = "all_zipped_logs_";

/// The name of the folder given; a file's folder for a file.
pub fn root_name(root: &Path) -> String {
    let full = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let folder = if full.is_file() { full.parent().unwrap_or(&full) } else { &full };
    let inside_root = slashed(folder);
    let parts: Vec<&str> = inside_root.split('/').filter(|part| !part.is_empty()).collect();
    let device = parts.iter().rev().find(|part| !is_inner(part) && !is_date(part));
    (*device.or(parts.last()).unwrap_or(&"device")).to_owned()
}

/// The device that a file belongs to, told by its path below the one given; `None` where that
/// names none. `is_known` says of a device whether logs outside of archives belong to it.
pub fn guess(inside: &str, is_known: &dyn Fn(&str) -> bool) -> Option<String> {
    let parts: Vec<&str> = inside.split('/').collect();
    if let Some(device) = of_evidence(&parts, is_known) {
        return Some(device);
    }
    let bundle = parts.iter().enumerate().rev().find_map(|(at, part)| Some((at, computer(part)?)));
    if let Some((at, computer)) = bundle {
        return Some(of_bundle(&parts[..at], computer));
    }
    let Some(last) = parts.iter().rposition(|part| is_archive(part)) else {
        return of_folders(&parts[..parts.len() - 1]);
    };
    let folder = of_folders(&parts[..last]);
    let in_agents_folder = folder.is_some() && parts[..last].iter().any(|part| is_agents_own(part));
    if in_agents_folder {
        return folder;
    }
    let stem = stem(parts[last]);
    let own = own_folder(&parts[last + 1..parts.len() - 1]);
    if own.is_none() && (is_common(stem) || is_known(folder.as_deref().unwrap_or_default())) {
        return folder;
    }
    let own = own.unwrap_or_else(|| stem.to_owned());
    Some(folder.map_or_else(|| own.clone(), |folder| format!("{folder}/{own}")))
}

/// Whether a path goes through a folder that agents or collectors make.
pub fn is_agents(inside: &str) -> bool {
    inside.rsplit('/').skip(1).any(is_agents_own)
}

/// In a bundle that `evidence` made, the share is the folder `files`.
fn of_evidence(parts: &[&str], is_known: &dyn Fn(&str) -> bool) -> Option<String> {
    let at = parts.windows(2).position(|two| is_archive(two[0]) && two[1] == FILES)?;
    let support = parts[..=at].iter().any(|part| computer(part).is_some());
    let own = guess(&parts[at + 2..].join("/"), is_known).filter(|_| !support)?;
    Some(of_folders(&parts[..at]).map_or_else(|| own.clone(), |folder| format!("{folder}/{own}")))
}

/// The folders above the agent's, without nights and archives.
fn of_folders(folders: &[&str]) -> Option<String> {
    let mut folders: Vec<&str> = folders.iter().copied().filter(|part| !is_archive(part)).collect();
    let depth = folders.len();
    while folders.last().is_some_and(|folder| is_inner(folder)) {
        folders.pop();
    }
    // Folders of the agent can hold unknown sub-folders (copies): cut at the first one that is
    // surely the agent's. `Log` or `Data` may as well stand above the devices.
    if let Some(first) =
        folders.iter().position(|folder| is_agents_own(folder)).filter(|at| *at > 0)
    {
        folders.truncate(first);
    }
    let in_agent = folders.len() < depth && folders.len() > 1;
    if in_agent && folders.last().is_some_and(|last| is_drive(last)) {
        folders.pop();
    }
    let named: Vec<&str> = folders.into_iter().filter(|folder| !is_date(folder)).collect();
    if named.is_empty() { None } else { Some(named.join("/")) }
}

/// The device that the folders in an archive name. What stands below the agent's folders
/// names one only if there are such folders again below it.
fn own_folder(folders: &[&str]) -> Option<String> {
    let folders = match folders {
        [drive, next, ..] if is_drive(drive) && is_agents_own(next) => &folders[1..],
        folders => folders,
    };
    let leading = folders.iter().take_while(|folder| is_inner(folder)).count();
    let rest = &folders[leading..];
    let script = folders.first().is_some_and(|first| first.eq_ignore_ascii_case("ps1_log_script"));
    let named = leading == 0 || rest.iter().any(|folder| is_inner(folder));
    if named && !script { of_folders(rest) } else { None }
}

/// The support script's archive is a folder of its computer's name, whatever it holds.
fn of_bundle(above: &[&str], computer: &str) -> String {
    let same = |folder: &&str| folder.to_lowercase() == computer.to_lowercase();
    let folders = match above.iter().position(same) {
        Some(at) => return of_folders(&above[..=at]).unwrap_or_else(|| computer.to_owned()),
        None => of_folders(above),
    };
    folders.map_or_else(|| computer.to_owned(), |folder| format!("{folder}/{computer}"))
}

/// `PAR-1` of `All_Zipped_Logs_PAR-1_03252025.zip!`, also of copies that a browser numbers.
fn computer(part: &str) -> Option<&str> {
    let stem = if is_archive(part) { stem(part) } else { return None };
    let head = stem.get(..BUNDLE.len())?;
    let rest = if head.eq_ignore_ascii_case(BUNDLE) { &stem[BUNDLE.len()..] } else { return None };
    let date = rest.rmatch_indices('_').find_map(|(at, _)| {
        let digits = rest.get(at + 1..at + 9)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then_some(at)
    });
    let name = &rest[..date.unwrap_or(rest.len())];
    if name.is_empty() { None } else { Some(name) }
}

fn is_archive(part: &str) -> bool {
    part.len() > 5 && part.get(part.len() - 5..).is_some_and(|e| e.eq_ignore_ascii_case(".zip!"))
}

/// An archive's name without `.zip!`.
fn stem(part: &str) -> &str {
    part.get(..part.len().saturating_sub(5)).unwrap_or(part)
}

/// Whether an archive's name says nothing of a device: `logs_20250324`, `vulscan-old`, `Data`.
fn is_common(stem: &str) -> bool {
    let mut words = stem.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    is_inner(stem)
        || words.all(|word| WORDS.split_whitespace().any(|own| own == word.to_lowercase()))
}

/// A pattern over the parts of a path, which says where the device's name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    parts: Vec<Part>,
    rest: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Device,
    Site,
    Any,
    Text(String),
}

/// Reads a pattern such as `{night}/{device}/**`.
///
/// # Errors
/// What is wrong with it, and what a pattern may have.
pub fn read_layout(pattern: &str) -> Result<Layout, String> {
    let wrong = |what: &str| {
        format!(
            "{what}; a layout has folders joined by /: {{device}} once, {{site}}, {{night}} or * \
             for any one, a name for itself, and ** at the end for all that is below"
        )
    };
    let mut parts = Vec::new();
    let mut rest = false;
    for part in pattern.split(['/', '\\']) {
        if rest {
            return Err(wrong("** stands before the end"));
        }
        match part {
            "**" => rest = true,
            "{device}" => parts.push(Part::Device),
            "{site}" => parts.push(Part::Site),
            "{night}" | "*" => parts.push(Part::Any),
            "" => return Err(wrong("an empty part")),
            text if text.contains(['{', '}', '*']) => {
                return Err(wrong(&format!("`{text}` is not known")));
            }
            text => parts.push(Part::Text(text.to_lowercase())),
        }
    }
    let count = |wanted| parts.iter().filter(|part| **part == wanted).count();
    if count(Part::Device) != 1 || count(Part::Site) > 1 {
        return Err(wrong("{device} must stand in it once, {site} at most once"));
    }
    Ok(Layout { parts, rest })
}

impl Layout {
    /// The device that a path names, if it fits.
    pub fn device(&self, inside: &str) -> Option<String> {
        let parts: Vec<&str> = inside.split('/').collect();
        let long = parts.len() > self.parts.len();
        if parts.len() < self.parts.len() || long != self.rest {
            return None;
        }
        let (mut device, mut site) = (None, None);
        for (part, name) in self.parts.iter().zip(parts) {
            let plain = if is_archive(name) { stem(name) } else { name };
            match part {
                Part::Device => device = Some(computer(name).unwrap_or(plain)),
                Part::Site => site = Some(plain),
                Part::Any => {}
                Part::Text(text) if *text == name.to_lowercase() => {}
                Part::Text(text) if *text == plain.to_lowercase() => {}
                Part::Text(_) => return None,
            }
        }
        device.map(|device| site.map_or(device.to_owned(), |site| format!("{site}/{device}")))
    }
}

/// A drive of the device, as a collector names it: `C`, `C$`.
fn is_drive(folder: &str) -> bool {
    let letter = folder.strip_suffix('$').unwrap_or(folder);
    letter.len() == 1 && letter.bytes().all(|b| b.is_ascii_alphabetic())
}

/// Whether an agent or its collector made a folder of this name, and nobody else.
fn is_agents_own(folder: &str) -> bool {
    AGENT_FOLDERS.contains(&folder.to_lowercase().as_str())
}

/// Whether a folder is one inside a device's: where agents and collectors put logs.
pub fn is_inner(folder: &str) -> bool {
    let lower = folder.to_lowercase();
    INNER_FOLDERS.contains(&lower.as_str())
}

/// `2025-03-24`, `20250324`, `24.03.2025`, `03242025`: a calendar date of this century. A
/// computer's name may be a number, too.
pub fn is_date(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split(['-', '_', '.']).collect();
    if !parts.iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit())) {
        return false;
    }
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let date = |year: &str, first: &str, second: &str| {
        let (first, second) = (number(first), number(second));
        let month_and_day = first.min(second) <= 12 && first.max(second) <= 31;
        year.len() == 4
            && (2000..2100).contains(&number(year))
            && month_and_day
            && first.min(second) > 0
    };
    match parts.as_slice() {
        [year, month, day] if year.len() == 4 => date(year, month, day),
        [first, second, year] => date(year, first, second),
        [digits] if digits.len() == 8 => {
            date(&digits[..4], &digits[4..6], &digits[6..])
                || date(&digits[4..], &digits[..2], &digits[2..4])
        }
        _other => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_named_by_the_folder_above_the_agents() {
        let table = [
            ("PAR-1/ProgramData/LANDesk/Log/vulscan.log", "PAR-1"),
            ("2025-03-24/PAR-1/Program Files (x86)/LANDesk/LDClient/Data/x.log", "PAR-1"),
            ("site/PAR-1/ldprovisioning/ldProvision.log", "site/PAR-1"),
            ("PAR-1/vulscan.log", "PAR-1"),
            ("ProgramData/LANDesk/Log/vulscan.log", "-"),
            ("vulscan.log", "-"),
            ("PAR-1/ProgramData/LANDesk/Log/copy/vulscan.log", "PAR-1"),
            ("机器/Log/vulscan.log", "机器"),
            ("10023456/ProgramData/LANDesk/Log/vulscan.log", "10023456"),
            ("Lyon/logs/PAR-1/ProgramData/LANDesk/Log/vulscan.log", "Lyon/logs/PAR-1"),
            ("PAR-1/C$/ProgramData/LANDesk/Log/vulscan.log", "PAR-1"),
            ("X/ProgramData/LANDesk/Log/vulscan.log", "X"),
            ("24.03.2025/PAR-1/vulscan.log", "PAR-1"),
            ("site/PAR-1/Windows/System32/winevt/Logs/Security.evtx", "site/PAR-1"),
        ];
        for (path, device) in table {
            assert_eq!(guess(path, &|_| false).as_deref().unwrap_or("-"), device, "{path}");
        }
    }

    #[test]
    fn an_archive_is_a_folder() {
        let table = [
            ("All_Zipped_Logs_PAR-1_03252025.zip!/PS1_Log_Script/Log/vulscan.log", "PAR-1"),
            ("2025-03-25/all_zipped_logs_PAR_1_03252025 (1).ZIP!/a/b/vulscan.log", "PAR_1"),
            ("site/All_Zipped_Logs_PAR-1.zip!/PS1_Log_Script/x.log", "site/PAR-1"),
            ("site/PAR-1/up/All_Zipped_Logs_par-1_03252025.zip!/x.log", "site/PAR-1"),
            ("logs/All_Zipped_Logs_PAR-1_03252025.zip!/x.log", "PAR-1"),
            ("week.zip!/All_Zipped_Logs_PAR-2_03252025.zip!/Log/x.log", "PAR-2"),
            ("PAR-1.zip!/PS1_Log_Script/Log/vulscan.log", "PAR-1"),
            ("site/PAR-1.zip!/Log/copy/vulscan.log", "site/PAR-1"),
            ("PAR-1.zip!/C/ProgramData/LANDesk/Log/vulscan.log", "PAR-1"),
            ("week.zip!/PAR-1/Log/vulscan.log", "PAR-1"),
            ("week.zip!/logs/PAR-1/Log/vulscan.log", "PAR-1"),
            ("site/week.zip!/PAR-1/Log/vulscan.log", "site/PAR-1"),
            ("PAR-1/ProgramData/LANDesk/Log/stuff.zip!/x/vulscan.log", "PAR-1"),
            ("PAR-1/logs_20250324.zip!/Log/vulscan.log", "PAR-1"),
            ("KNOWN/stuff.zip!/Log/vulscan.log", "KNOWN"),
            ("logs.zip!/vulscan.log", "-"),
            ("ticket.zip!/files/PAR-1/vulscan.log", "PAR-1"),
            ("site/ticket.zip!/files/Lyon/PAR-1.zip!/Log/x.log", "site/Lyon/PAR-1"),
        ];
        for (path, device) in table {
            let known = |name: &str| name == "KNOWN";
            assert_eq!(guess(path, &known).as_deref().unwrap_or("-"), device, "{path}");
        }
    }

    #[test]
    fn a_layout_overrides_the_guess() {
        for (pattern, path, device) in [
            ("{night}/{device}/**", "2025-03-24/PAR-1/a/b.log", "PAR-1"),
            ("{night}/{device}/**", "x/All_Zipped_Logs_PAR-1_03252025.zip!/b.log", "PAR-1"),
            ("{night}/{device}/**", "x/PAR-1.zip!/b.log", "PAR-1"),
            ("{site}/*/{device}/**", "Paris/x/PAR-1/b.log", "Paris/PAR-1"),
            ("Share/{device}/*", "share/PAR-1/b.log", "PAR-1"),
            ("Share/{device}/*", "share/PAR-1/a/b.log", "-"),
            ("Share/{device}/**", "other/PAR-1/b.log", "-"),
            ("{device}/**", "b.log", "-"),
        ] {
            let layout = read_layout(pattern).expect("a layout");
            assert_eq!(layout.device(path).as_deref().unwrap_or("-"), device, "{pattern} {path}");
        }
        for pattern in
            ["", "**", "{night}/**", "**/{device}", "{device}/{device}", "a-{device}", "/x"]
        {
            assert!(read_layout(pattern).is_err(), "{pattern}");
        }
    }
}
