//! What a collector adds: systeminfo in the site's language, and the registry with the last run of each program.

use crate::catalog::Language;
use crate::clock::civil;
use crate::sheet::{Body, Folder, Sheet};
use crate::story::{ProcessId, Program, Story};

/// Seconds from 1601 to 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600;

/// The output of `systeminfo`.
pub(crate) fn system_info(story: &Story) -> Sheet {
    let labels = labels(story.site.language);
    let boot = civil(story.clock.local(story.collected - 4 * 3600));
    let (first, second) =
        if story.site.day_first { (boot.day, boot.month) } else { (boot.month, boot.day) };
    let boot =
        format!("{first:02}/{second:02}/{}, {:02}:{:02}:00", boot.year, boot.hour, boot.minute);
    let name = story.name.as_str();
    let values = [
        name,
        "Microsoft Windows 11 Enterprise",
        "10.0.22631 N/A Build 22631",
        &boot,
        story.site.zone_text,
        "16,103 MB",
    ];
    let mut text = String::from("\n");
    for (label, value) in labels.iter().zip(values) {
        let label = format!("{label}:");
        text.push_str(&format!("{label:<36}{value}\n"));
    }
    Sheet {
        folder: Folder::Collector,
        name: "SystemInfo.log".to_owned(),
        rolls: false,
        body: Body::Text { text, utf16: false, proves: Vec::new() },
    }
}

/// Host, system, version, boot time, zone, memory.
fn labels(language: Language) -> [&'static str; 6] {
    match language {
        Language::English => [
            "Host Name",
            "OS Name",
            "OS Version",
            "System Boot Time",
            "Time Zone",
            "Total Physical Memory",
        ],
        Language::French => [
            "Nom de l’hôte",
            "Nom du système d’exploitation",
            "Version du système",
            "Heure de démarrage du système",
            "Fuseau horaire",
            "Mémoire physique totale",
        ],
        Language::German => [
            "Hostname",
            "Betriebssystemname",
            "Betriebssystemversion",
            "Systemstartzeit",
            "Zeitzone",
            "Gesamter physischer Speicher",
        ],
        Language::Spanish => [
            "Nombre de host",
            "Nombre del sistema operativo",
            "Versión del sistema operativo",
            "Tiempo de arranque del sistema",
            "Zona horaria",
            "Cantidad total de memoria física",
        ],
        Language::Italian => [
            "Nome host",
            "Nome SO",
            "Versione SO",
            "Tempo di avvio sistema",
            "Fuso orario",
            "Memoria fisica totale",
        ],
        Language::Portuguese => [
            "Nome do host",
            "Nome do sistema operacional",
            "Versão do sistema operacional",
            "Tempo de Inicialização do Sistema",
            "Fuso horário",
            "Memória física total",
        ],
    }
}

/// The registry export with `MonitorLog`: start and duration of the last run of each program.
pub(crate) fn registry(story: &Story) -> Sheet {
    const ROOT: &str =
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\WOW6432Node\\LANDesk\\ManagementSuite\\WinClient";
    let mut text = format!(
        "Windows Registry Editor Version 5.00\n\n[{ROOT}]\n\"DeviceName\"=\"{}\"\n\n[{ROOT}\\SoftwareMonitoring\\MonitorLog]\n",
        story.name
    );
    let mut proves = Vec::new();
    for program in [Program::PolicySync, Program::Sdclient, Program::Vulscan] {
        let Some((id, started, ended)) = last_run(story, program) else {
            continue;
        };
        let runs = story.of(program).count();
        let began = filetime(story.clock.believed_utc(started));
        text.push_str(&format!(
            "\n[{ROOT}\\SoftwareMonitoring\\MonitorLog\\C:/Program Files (x86)/LANDesk/LDClient/{}]\n\"Last Started\"=hex:{}\n\"Last Duration\"=hex:{}\n\"Total Runs\"=dword:{runs:08x}\n",
            program.exe(),
            bytes(began),
            bytes((ended - started) * 10_000_000),
        ));
        proves.push(id);
    }
    Sheet {
        folder: Folder::Registry,
        name: "Entire_LANDesk_Registry.log".to_owned(),
        rolls: false,
        body: Body::Text { text, utf16: true, proves },
    }
}

fn last_run(story: &Story, program: Program) -> Option<(ProcessId, i64, i64)> {
    story
        .of(program)
        .filter_map(|(id, process)| process.ended.map(|ended| (id, process.started, ended)))
        .max_by_key(|(id, started, _)| (*started, *id))
}

fn filetime(seconds: i64) -> i64 {
    (seconds + FILETIME_EPOCH) * 10_000_000
}

fn bytes(value: i64) -> String {
    let parts: Vec<String> = value.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    parts.join(",")
}
