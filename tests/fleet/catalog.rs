//! What fleets are made of: sites, packages, codes. Flat tables, invented or publicly documented.

use chrono_tz::Tz;

/// A place with its clock and its language.
#[derive(Debug)]
pub(crate) struct Site {
    /// Prefix of the device names.
    pub(crate) prefix: &'static str,
    /// Where the clocks come from.
    pub(crate) zone: Tz,
    /// How `systeminfo` prints that zone in the site's language.
    pub(crate) zone_text: &'static str,
    /// Language of the operating system.
    pub(crate) language: Language,
    /// Whether slash dates begin with the day.
    pub(crate) day_first: bool,
}

/// Languages in which `systeminfo` speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// English.
    English,
    /// French.
    French,
    /// German.
    German,
    /// Spanish.
    Spanish,
    /// Italian.
    Italian,
    /// Portuguese.
    Portuguese,
}

const fn site(
    prefix: &'static str,
    zone: Tz,
    zone_text: &'static str,
    language: Language,
    day_first: bool,
) -> Site {
    Site { prefix, zone, zone_text, language, day_first }
}

/// All sites. The order is part of the output: add at the end only.
pub(crate) const SITES: &[Site] = &[
    site(
        "PAR",
        Tz::Europe__Paris,
        "(UTC+01:00) Bruxelles, Copenhague, Madrid, Paris",
        Language::French,
        true,
    ),
    site(
        "BER",
        Tz::Europe__Berlin,
        "(UTC+01:00) Amsterdam, Berlin, Bern, Rom, Stockholm, Wien",
        Language::German,
        true,
    ),
    site(
        "MAD",
        Tz::Europe__Madrid,
        "(UTC+01:00) Bruselas, Copenhague, Madrid, París",
        Language::Spanish,
        true,
    ),
    site(
        "MIL",
        Tz::Europe__Rome,
        "(UTC+01:00) Amsterdam, Berlino, Berna, Roma, Stoccolma, Vienna",
        Language::Italian,
        true,
    ),
    site(
        "LON",
        Tz::Europe__London,
        "(UTC+00:00) Dublin, Edinburgh, Lisbon, London",
        Language::English,
        true,
    ),
    site(
        "NYC",
        Tz::America__New_York,
        "(UTC-05:00) Eastern Time (US & Canada)",
        Language::English,
        false,
    ),
    site(
        "CHI",
        Tz::America__Chicago,
        "(UTC-06:00) Central Time (US & Canada)",
        Language::English,
        false,
    ),
    site(
        "SEA",
        Tz::America__Los_Angeles,
        "(UTC-08:00) Pacific Time (US & Canada)",
        Language::English,
        false,
    ),
    site("SAO", Tz::America__Sao_Paulo, "(UTC-03:00) Brasília", Language::Portuguese, true),
    site(
        "DEL",
        Tz::Asia__Kolkata,
        "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi",
        Language::English,
        true,
    ),
    site("TYO", Tz::Asia__Tokyo, "(UTC+09:00) Osaka, Sapporo, Tokyo", Language::English, false),
    site(
        "SYD",
        Tz::Australia__Sydney,
        "(UTC+10:00) Canberra, Melbourne, Sydney",
        Language::English,
        true,
    ),
];

/// A package: its name, and how many seconds its installation usually takes.
#[derive(Debug)]
pub(crate) struct Package(pub(crate) &'static str, pub(crate) i64, pub(crate) i64);

/// What a "Distribute software" action may install.
pub(crate) const PACKAGES: &[Package] = &[
    Package("Chrome", 45, 110),
    Package("Firefox ESR", 40, 100),
    Package("7-Zip 24.08 (x64)", 20, 60),
    Package("Acrobat Reader DC", 120, 260),
    Package("Microsoft 365 Apps", 420, 900),
    Package("Teams", 80, 190),
    Package("VPN client", 60, 150),
    Package("Endpoint protection", 150, 380),
    Package(".NET Desktop Runtime 8", 90, 220),
    Package("VC++ Redistributable 2015-2022", 60, 150),
    Package("Java 17", 80, 170),
    Package("SAP GUI 8.00", 200, 520),
    Package("Citrix Workspace", 140, 330),
    Package("Printer drivers", 60, 200),
    Package("Notepad++", 20, 50),
    Package("VLC media player", 30, 80),
    Package("Zoom", 40, 120),
    Package("Visual Studio 2022", 480, 1000),
    Package("AutoCAD 2025", 420, 950),
    Package("SQL tools", 240, 560),
    Package("PDF Creator", 50, 130),
    Package("KeePass", 20, 60),
    Package("Corporate fonts", 15, 45),
    Package("Disk encryption", 60, 240),
    Package("Power BI Desktop", 120, 300),
    Package("Remote support client", 30, 90),
];

/// What a "Patch system" action is called, and how long it takes.
pub(crate) const PATCHES: &[Package] = &[
    Package("Windows cumulative updates", 200, 700),
    Package("Office security updates", 120, 420),
    Package("Third-party updates", 90, 360),
];

/// What policies and pushes from the core deploy.
pub(crate) const POLICIES: &[Package] = &[
    Package("Policy - Asset tag", 60, 150),
    Package("Policy - Browser settings", 60, 240),
    Package("Policy - Certificates", 60, 200),
    Package("Policy - Inventory agent", 120, 480),
    Package("Policy - Wallpaper", 60, 120),
    Package("Policy - Power plan", 60, 300),
    Package("Policy - Telemetry off", 90, 600),
];

/// Template names; a fleet with more templates than names numbers them.
pub(crate) const TEMPLATES: &[&str] = &[
    "W11 Standard Office",
    "W11 Laptop Sales",
    "W11 CAD Workstation",
    "W10 Kiosk",
    "W11 Developer",
    "In-place refresh Office",
    "W11 Shared Classroom",
    "W10 Warehouse Terminal",
    "W11 Call Centre",
    "Server 2022 Branch",
];

/// Cores, one a device.
pub(crate) const CORES: &[&str] = &["EPMCORE01", "EPMCORE02", "ldcore"];

/// Exit codes of steps that fail for reasons of their own, with their weight and whether they come fast.
pub(crate) const FAILURES: &[(u32, u32, bool)] = &[
    (0x8DB5_0643, 34, false), // 1603
    (1603, 6, false),
    (0x8DB5_0652, 20, false), // 1618
    (0x8DAC_0069, 12, true),  // 105
    (0x8DAC_403A, 8, true),   // 16442
    (0x8DB5_270F, 12, false), // 9999
    (0x8DB5_0221, 5, true),   // unknown
    (0x8DB5_0133, 3, false),  // unknown
];

/// Records of the security scanner that say nothing but "alive", as they were seen.
pub(crate) const ALIVE: &[&str] = &[
    "Last status: Scanning for vulnerabilities",
    "Last status: Done",
    "Self update: files are up to date.",
    "Checking whether to unzip C:\\ProgramData\\vulScan\\vulscan.zip",
    "Checking whether to unzip C:\\ProgramData\\LANDesk\\Temp\\actions.zip",
    "Loading applier dll: C:\\Program Files (x86)\\LANDesk\\LDClient\\settingsapplier.dll",
    "Loading applier dll: C:\\Program Files (x86)\\LANDesk\\LDClient\\ldavhlpr.dll",
    "Calling 'ApplyBehavior' in C:\\Program Files (x86)\\LANDesk\\LDClient\\settingsapplier.dll",
    "Info: Core did not find file INTL_3312.xml",
    "Info: Core did not find file MS-NBL_20417.dll",
    "GetFileHash: could not find C:\\Windows\\System32\\drivers\\ldblank.sys",
    "GetFileHash: could not find C:\\Program Files (x86)\\LANDesk\\Shared Files\\cbaroot\\alert.exe",
];

/// Records of the scanner that no list of formats knows.
pub(crate) const SCANNER_NOISE: &[&str] = &[
    "Vulnerability 5034441_INTL: not detected (12 files, 3 registry keys)",
    "Vulnerability MOZFF-128_ENU: detected, patch mffx128.exe required",
    "Cached definition 7ZIP-24.08 is current",
    "HTTP POST http://core/WSVulnerabilityCore/VulCore.asmx took 412 ms",
    "Scanned 1180 of 2204 definitions",
    "Registry key HKLM\\SOFTWARE\\Microsoft\\Updates could not be opened (2)",
    "Reboot flag is not set",
];

/// Records of deployments that no list of formats knows.
pub(crate) const DEPLOY_NOISE: &[&str] = &[
    "Verifying file hash of main package file",
    "Preferred server lookup returned 0 entries",
    "Package working directory is C:\\Program Files (x86)\\LANDesk\\LDClient\\sdmcache",
    "Waiting on installer process",
    "Installer still active, 2 child processes",
    "Client requirements check passed",
    "Setting environment for SYSTEM account",
];
