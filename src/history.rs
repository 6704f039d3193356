//! A device's incidents as they were told last → what is new of them, revised, withdrawn.

use std::collections::BTreeMap;

use crate::contract::Incident;
use crate::news::Changed;
use crate::report::json::word;
use crate::store::{IncidentRow, Store, pack, unpack};

/// Puts a device's incidents down as they are told now, in the run `night`.
///
/// # Errors
/// Of the store.
pub fn record(
    store: &mut Store,
    device: &str,
    incidents: &[Incident],
    night: u64,
) -> Result<(), String> {
    let rows = store.incidents(device)?;
    let mut before: BTreeMap<String, IncidentRow> =
        rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    for incident in incidents {
        let value = pack(incident);
        let Some(row) = before.remove(&incident.id) else {
            let row = IncidentRow { id: incident.id.clone(), first: night, withdrawn: None, value };
            store.set_incident(device, &row)?;
            continue;
        };
        if row.value == value && row.withdrawn.is_none() {
            continue;
        }
        let was: Incident = unpack(&row.value).map_err(|why| store.says(&row.id, &why))?;
        let mut changed = changes(&was, incident);
        if row.withdrawn.is_some() {
            changed.push(Changed {
                field: "withdrawn".to_owned(),
                before: Some("yes".to_owned()),
                after: None,
            });
        }
        // A run that goes on may have revised it before it was broken off.
        if let Some(packed) = store.revision(device, &incident.id, night)? {
            let before = unpack(&packed).map_err(|why| store.says(&row.id, &why))?;
            changed = merged(before, changed);
        }
        if !changed.is_empty() {
            store.set_revision(device, &incident.id, night, &pack(&changed))?;
        }
        store.set_incident(device, &IncidentRow { withdrawn: None, value, ..row })?;
    }
    for row in before.into_values().filter(|row| row.withdrawn.is_none()) {
        store.set_incident(device, &IncidentRow { withdrawn: Some(night), ..row })?;
    }
    Ok(())
}

/// Two changes, one after the other, as one.
fn merged(before: Vec<Changed>, after: Vec<Changed>) -> Vec<Changed> {
    let mut fields: BTreeMap<String, Changed> =
        before.into_iter().map(|own| (own.field.clone(), own)).collect();
    for own in after {
        match fields.get_mut(&own.field) {
            Some(first) => first.after = own.after,
            None => drop(fields.insert(own.field.clone(), own)),
        }
    }
    fields.into_values().filter(|own| own.before != own.after).collect()
}

/// What an incident says in one of its fields.
type Field = fn(&Incident) -> Option<String>;

/// What is told otherwise than before, in order of field.
fn changes(before: &Incident, after: &Incident) -> Vec<Changed> {
    let fields: [(&str, Field); 7] = [
        ("attempts", |own| Some(own.attempts.to_string())),
        ("blocker", |own| own.blocker.as_ref().map(blocker)),
        ("confidence", |own| word(&own.confidence)),
        ("exit_code", |own| own.refused.exit_code.as_ref().map(|code| code.hex.clone())),
        ("mechanism", |own| word(&own.mechanism)),
        ("step", |own| Some(own.step.clone())),
        ("template", |own| own.template.clone()),
    ];
    let change = |(field, of): (&str, Field)| {
        let (before, after) = (of(before), of(after));
        (before != after).then(|| Changed { field: field.to_owned(), before, after })
    };
    fields.into_iter().filter_map(change).collect()
}

/// `vulscan.exe, pid 4712, launched 2025-03-24T10:00:05Z`.
fn blocker(own: &crate::contract::Blocker) -> String {
    let pid = own.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    format!("{}{pid}, launched {}", own.program, own.launched)
}
