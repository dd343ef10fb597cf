//! Who is who, line by line: nodes, services, people and their devices, each with the keys that make it so.

use keystead_base::{Name, Signed, tagged_hash};
use keystead_policy::{
    Device, DeviceProof, Enrolment, Node, Person, Roster, RosterDevices, Service, TransportKey,
};

use super::rules::{list, word};
use super::unambiguous;

/// Every member of a roster, with the fingerprints of its keys.
#[must_use]
pub fn members(roster: &Roster) -> Vec<String> {
    // What is added to rosters is added here.
    let Roster { quorum, nodes, services, people, devices } = roster;
    let mut lines = vec![format!("{quorum} of {} nodes commit", nodes.len())];
    lines.extend(nodes.iter().map(node));
    lines.extend(services.iter().map(service));
    lines.extend(people.iter().flat_map(person));
    lines.extend(devices.iter().flat_map(shown));
    lines.iter().map(|line| unambiguous(line)).collect()
}

fn node(node: &Node) -> String {
    let Node { name, key, transport, operator, host, provider, build, boot } = node;
    format!(
        "node `{name}`: key {}, {}, operator {operator}, host {host}, provider {provider}, build {build}, boot number {boot}",
        key.fingerprint(),
        connections(transport)
    )
}

fn service(service: &Service) -> String {
    let Service { name, key, transport, roles } = service;
    format!(
        "service `{name}`: roles {}, key {}, {}",
        listed(roles),
        key.fingerprint(),
        connections(transport)
    )
}

fn person(person: &Person) -> Vec<String> {
    let Person { name, roles, devices, recipient } = person;
    let backups = recipient.as_ref().map_or_else(
        || "reads no backups".to_owned(),
        |key| format!("reads backups with key {}", tagged_hash(RECIPIENT_DOMAIN, key)),
    );
    let head = format!("person `{name}`: roles {}, {backups}", listed(roles));
    [head].into_iter().chain(devices.iter().map(|it| device(name, it))).collect()
}

fn device(person: &Name, device: &Device) -> String {
    let Device { name, factor, key, transport } = device;
    format!(
        "device `{name}` of `{person}`: {}, key {}, {}",
        word(factor),
        key.fingerprint(),
        connections(transport)
    )
}

/// Which hardware everybody has shown, and whose word it is.
fn shown(devices: &RosterDevices) -> Vec<String> {
    let RosterDevices { required_of, records } = devices;
    let head = format!("hardware is required of {}", required_of.as_str());
    [head].into_iter().chain(records.iter().map(record)).collect()
}

fn record(record: &Signed<Enrolment>) -> String {
    let Signed { body: Enrolment { holder, key, proof }, signer, signature: _ } = record;
    format!(
        "hardware of {holder} with key {key}: {}, device {}, seen by `{signer}`",
        hardware(proof),
        proof.device()
    )
}

fn hardware(proof: &DeviceProof) -> String {
    match proof {
        DeviceProof::Tpm { endorsement } => format!("TPM with endorsement key {endorsement}"),
        DeviceProof::Fido { aaguid, credential } => {
            format!("authenticator of model {}, credential {credential}", const_hex::encode(aaguid))
        }
        DeviceProof::Token { manufacturer, serial } => {
            format!("token of {manufacturer}, serial number {serial}")
        }
        DeviceProof::TokenKey { manufacturer, model, serial, key, software } => {
            let what = if *software { "PROGRAM that passes for a token" } else { "token" };
            format!("{what}, model {model:?} of {manufacturer:?}, serial number {serial:?}, key {key}")
        }
        DeviceProof::FidoSerial { aaguid, serial } => {
            let (aaguid, serial) = (const_hex::encode(aaguid), const_hex::encode(serial));
            format!("authenticator of model {aaguid}, serial number {serial}")
        }
    }
}

fn connections(key: &TransportKey) -> String {
    format!("connections {}", key.0)
}

fn listed(roles: &[Name]) -> String {
    if roles.is_empty() { "none".to_owned() } else { list(roles) }
}

/// What the fingerprint of a key that backups are encrypted to is made under (specs/keys.md).
const RECIPIENT_DOMAIN: &str = "keystead/recipient-key/v1";
