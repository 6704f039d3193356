//! What in a text names a person, a machine or a network: names that a bundle replaces.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

use regex::Regex;
use serde::{Deserialize, Serialize};

/// What a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A device.
    Device,
    /// A core server.
    Core,
    /// A domain, by its DNS or NetBIOS name.
    Domain,
    /// A person's account or name.
    User,
    /// Another machine.
    Host,
    /// A company.
    Organisation,
    /// What the user asks for besides.
    Given,
    /// An e-mail address.
    Email,
    /// A security identifier.
    Sid,
    /// A hardware address.
    Mac,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
}

/// A name and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// What it is of.
    pub kind: Kind,
    /// The name.
    pub real: String,
    /// What stands for it.
    pub pseudonym: String,
}

/// Words that stand where names stand, and are none; in lower case. Names that are such words are left
/// alone: the logs' own words would be lost with them.
const NO_NAMES: &str = "\
 action admin administrator administrators agent alive all and appdata application apps archive backup builtin bundle \
 client code command common complete computers config copy core current data debug default deploy device done download \
 epm error event events eventviewer everyone exit export failed false file files for group guest hkcc hkcr hkcu \
 hkey_classes_root hkey_current_user hkey_local_machine hkey_users hklm hku image info install is ivanti ivanti.com landesk \
 landesk.com ldclient ldprovision ldprovisioning line local localhost localsch localservice localsystem log logs machine \
 microsoft microsoft.com name network networkservice none not null old package packages policies policy policysync \
 process program programdata provisioning public registryinfo return running scan schemas.microsoft.com script sdclient \
 security server service setup share shared software start status success sync system system32 task task's temp template \
 test the true unknown update user users vulscan vulscanfolder warn warning win32 windows winevt winnt workgroup \
 ps1_log_script management www.w3.org com net org int local lan example device-id";

/// Endings of files, so that `TOOLS\setup.exe` is no account.
const FILE_ENDINGS: [&str; 14] = [
    ".exe", ".dll", ".log", ".msi", ".cab", ".xml", ".ini", ".txt", ".zip", ".sys", ".cmd", ".bat",
    ".ps1", ".dat",
];

/// Each pattern's groups are names of its kind.
const PATTERNS: [(Kind, &str); 21] = [
    (Kind::Email, r"([\w.+%-]+@[\w-]+(?:\.[\w-]+)+)"),
    (Kind::Sid, r"(S-1-(?:5-21|12-1)(?:-[0-9]+){3,5})"),
    (Kind::Mac, r"\b((?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})\b"),
    (Kind::Mac, r"\b((?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})\b"),
    (Kind::Ipv4, r"([0-9]{1,3}(?:\.[0-9]{1,3}){3,})"),
    (Kind::Ipv6, r"([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,8})"),
    (Kind::Host, r"(?:^|[^\\\w:])\\{2,4}([\w.$-]+)"),
    (Kind::Host, r"(?i)\\\\\?\\UNC\\([\w.-]+)"),
    (Kind::Host, r#"\b[A-Za-z][A-Za-z0-9+.-]*://(?:[^\s/@]*@)?([^\s/:"'<>()\[\]\\]+)"#),
    (
        Kind::User,
        r#"(?i)[\\/](?:Users|Documents and Settings|home)[\\/]+([^\\/:*?"<>|\s][^\\/:*?"<>|\r\n\t]*)[\\/]"#,
    ),
    (Kind::User, r"(?i)[\\/](?:Users|Documents and Settings|home)[\\/]+([\w.~-]+)"),
    (
        Kind::User,
        r#"(?i)\b(?:user(?:name|id|_name)?|runas|owner|account|login|logon)=\s*["']?(?:[\w.-]+\\)?([\w.$~-]+)"#,
    ),
    (
        Kind::Domain,
        r#"(?i)\b(?:(?:user(?:name|id|_name)?|runas|owner|account|login|logon)=\s*["']?([\w.-]+)\\|(?:user)?domain=\s*["']?([\w.-]+))"#,
    ),
    (
        Kind::User,
        r"(?i)\b(?:user ?name|logged.?on user|benutzername|nom d.utilisateur|nombre de usuario)\s*[:=]\s*(?:[\w.-]+\\)?([\w.$~-]+)",
    ),
    (Kind::User, r#"\bCN=([^,=\r\n"<>;/\\]+)"#),
    (Kind::Domain, r"\bDC=([\w-]+)"),
    (
        Kind::Domain,
        r"(?i)^\s*(?:dom[aä]ine?|domäne|dom[ií]nio|domein|домен|ドメイン|域|도메인|doména|etki alanı)\s*[:：]\s*(\S+)",
    ),
    (Kind::Domain, r"(?i)\bdomain[:=\s]+((?:[\w-]+\.)+[\w-]+)"),
    (Kind::Core, r#"(?i)(?:[/-]|\b)core(?:server|name)?=\s*["']?([^\s"'/;,&<>\\]+)"#),
    (
        Kind::Core,
        r"(?i)\b(?:using (\S+) for core\b|core is ([\w.-]+)|sdclienttask\.([^\\/\s]+)\.[0-9]+\b)",
    ),
    (
        Kind::Organisation,
        r"(?i)^\s*(?:registered organization|registrierte organisation|organisation enregistrée|organización registrada|organizzazione registrata|organização registrada|зарегистрированная организация|登録されている組織)\s*[:：]\s*(.*\S)",
    ),
];

/// Who a copy of Windows is registered to.
const REGISTERED_OWNER: &str = r"(?i)^\s*(?:registered owner|registrierter benutzer|eingetragener besitzer|propriétaire enregistré|propietario registrado|proprietario registrato|proprietário registrado|geregistreerde eigenaar|зарегистрированный владелец|登録されている所有者)\s*[:：]\s*(.*\S)";

/// `DOMAIN\user`; what stands around it is checked apart.
const ACCOUNT: &str = r"([\w.-]+)\\([\w.$-]+)";

/// Names that were found, each with its kind.
#[derive(Debug)]
pub struct Names {
    /// By their folded form; the kind that goes first.
    pub found: BTreeMap<String, (Kind, String)>,
    patterns: Vec<(Kind, Regex)>,
    account: Option<Regex>,
}

impl Names {
    /// None yet.
    pub fn new() -> Names {
        let owner = [(Kind::User, REGISTERED_OWNER)];
        let patterns = PATTERNS.iter().chain(&owner);
        let compiled = patterns.filter_map(|(kind, text)| Some((*kind, Regex::new(text).ok()?)));
        Names {
            found: BTreeMap::new(),
            patterns: compiled.collect(),
            account: Regex::new(ACCOUNT).ok(),
        }
    }

    /// Notes a name, unless it can't be one: false then.
    pub fn add(&mut self, kind: Kind, name: &str) -> bool {
        let name = name.trim().trim_end_matches(['.', ',', ';', ')', '"', '\'']);
        let folded = fold(name).0;
        let letters = name.chars().filter(|c| c.is_alphanumeric()).count();
        let is_word = NO_NAMES.split_whitespace().any(|word| word == folded);
        let longest = 256;
        if letters == 0 || name.chars().count() < 2 || is_word || name.len() > longest {
            return false;
        }
        let entry = self.found.entry(folded).or_insert_with(|| (kind, name.to_owned()));
        if kind < entry.0 {
            *entry = (kind, name.to_owned());
        }
        // A machine's full name gives its own and its domain's.
        let is_machine = matches!(kind, Kind::Device | Kind::Core | Kind::Host);
        if is_machine
            && name.parse::<Ipv4Addr>().is_err()
            && let Some((own, domain)) = name.split_once('.')
        {
            self.add(kind, own);
            if domain.contains('.') || !domain.is_ascii() {
                self.add(Kind::Domain, domain);
            }
        }
        true
    }

    /// Notes the names in a line.
    pub fn read(&mut self, line: &str) {
        let mut all = Vec::new();
        for (kind, pattern) in &self.patterns {
            for found in pattern.captures_iter(line) {
                for group in found.iter().skip(1).flatten() {
                    if is_one(*kind, group.as_str()) {
                        all.push((*kind, group.as_str()));
                    }
                }
            }
        }
        for found in self.account.iter().flat_map(|pattern| pattern.captures_iter(line)) {
            if let (Some(whole), Some(domain), Some(user)) =
                (found.get(0), found.get(1), found.get(2))
                && is_account(
                    &line[..whole.start()],
                    domain.as_str(),
                    user.as_str(),
                    &line[whole.end()..],
                )
            {
                all.extend([(Kind::Domain, domain.as_str()), (Kind::User, user.as_str())]);
            }
        }
        for (kind, name) in all {
            self.add(kind, name);
        }
    }
}

/// Whether a text is what its pattern took it for.
fn is_one(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Ipv4 => text
            .parse::<Ipv4Addr>()
            .is_ok_and(|own| !own.is_loopback() && !own.is_unspecified() && !own.is_broadcast()),
        Kind::Ipv6 => {
            let own = text.parse::<Ipv6Addr>();
            own.is_ok_and(|own| !own.is_loopback() && !own.is_unspecified()) && text.len() > 5
        }
        Kind::Device
        | Kind::Core
        | Kind::Domain
        | Kind::User
        | Kind::Host
        | Kind::Organisation
        | Kind::Given
        | Kind::Email
        | Kind::Sid
        | Kind::Mac => true,
    }
}

/// Whether `DOMAIN\user` between two texts is an account, and no piece of a path.
fn is_account(before: &str, domain: &str, user: &str, after: &str) -> bool {
    let opens =
        before.chars().next_back().is_none_or(|c| c.is_whitespace() || "\"'=([,;<>".contains(c));
    let closes = after.chars().next().is_none_or(|c| c.is_whitespace() || "\"')],;<>&".contains(c));
    let capitals =
        domain.chars().any(char::is_alphabetic) && !domain.chars().any(char::is_lowercase);
    let user = user.to_lowercase();
    let is_word = |text: &str| NO_NAMES.split_whitespace().any(|word| word == text);
    let known = is_word(&domain.to_lowercase()) || is_word(&user);
    opens && closes && capitals && !known && !FILE_ENDINGS.iter().any(|end| user.ends_with(end))
}

/// A text in lower case, letter by letter, and for each of its bytes where the letter stands in
/// `text`; `None` where that is the same place.
pub fn fold(text: &str) -> (String, Option<Vec<usize>>) {
    if text.is_ascii() {
        return (text.to_ascii_lowercase(), None);
    }
    let mut folded = String::with_capacity(text.len());
    let mut places = Vec::with_capacity(text.len() + 1);
    for (at, c) in text.char_indices() {
        let mut lower = c.to_lowercase();
        // A letter that becomes two stays as it is: places must lead back.
        let c = lower.next().filter(|_| lower.next().is_none()).unwrap_or(c);
        folded.push(c);
        places.resize(folded.len(), at);
    }
    places.push(text.len());
    (folded, Some(places))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &str) -> Vec<(Kind, String)> {
        let mut names = Names::new();
        names.read(line);
        names.found.into_values().collect()
    }

    #[test]
    fn every_pattern_is_one() {
        assert_eq!(Names::new().patterns.len(), PATTERNS.len() + 1);
        assert!(Names::new().account.is_some());
    }

    #[test]
    fn names_are_found() {
        for (line, kind, name) in [
            ("ldProvision:Using EPMCORE01 for Core", Kind::Core, "EPMCORE01"),
            ("args (/taskid=1 /core=epm-7)", Kind::Core, "epm-7"),
            ("LDClient/SDClientTask.КОРА1.34163.log", Kind::Core, "КОРА1"),
            ("copy C:\\Users\\Élodie Müller\\x.txt", Kind::User, "Élodie Müller"),
            ("at C:\\Users\\田中", Kind::User, "田中"),
            ("started by \"CORP7\\jdoe\"", Kind::User, "jdoe"),
            ("started by \"CORP7\\jdoe\"", Kind::Domain, "CORP7"),
            ("/user=CORP7\\jdoe", Kind::Domain, "CORP7"),
            ("Domäne:      werk.example", Kind::Domain, "werk.example"),
            ("ldProvision:Domain corp.example, OU=W", Kind::Domain, "corp.example"),
            ("from \\\\PARPKG01\\images\\w.tbi", Kind::Host, "PARPKG01"),
            ("GET http://epm.corp.example/LANDesk", Kind::Host, "epm.corp.example"),
            ("address 10.1.2.3, up", Kind::Ipv4, "10.1.2.3"),
            ("address fe80::1ff:fe23:4567:890a", Kind::Ipv6, "fe80::1ff:fe23:4567:890a"),
            ("00-1A-2b-3C-4D-5E", Kind::Mac, "00-1A-2b-3C-4D-5E"),
            ("mail j.doe@corp.example.", Kind::Email, "j.doe@corp.example"),
            ("S-1-5-21-1-2-3-1001", Kind::Sid, "S-1-5-21-1-2-3-1001"),
            ("Registered Owner:    Åsa Öberg ", Kind::User, "Åsa Öberg"),
        ] {
            let found = names(line);
            assert!(found.contains(&(kind, name.to_owned())), "{line}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_name_is_left() {
        for line in [
            "Mon, 24 Mar 2025 12:17:40 Command line: /scan=0",
            "Loading applier dll: C:\\Program Files (x86)\\LANDesk\\LDClient\\AVApplier.dll",
            "HKLM\\Software",
            "127.0.0.1 and 10.0.22631.1 and ::1 and 12:20:19",
            "C:\\Users\\Public\\x and NT AUTHORITY\\SYSTEM, S-1-5-18",
            "2025-03-24 12:55:02(2216-2220) ldProvision:Heartbeat sent",
        ] {
            assert_eq!(names(line), [], "{line}");
        }
    }

    #[test]
    fn folding_leads_back() {
        let (folded, places) = fold("aÉİß漢B");
        assert_eq!(folded, "aéİß漢b");
        assert_eq!(places.and_then(|places| places.last().copied()), Some("aÉİß漢B".len()));
    }
}
