//! What a PSBT does, as a table and as JSON.

use keystead_bitcoin::{Effect, EffectKind, Effects, View, coin_at, explain};
use serde_json::{Value, json};

use crate::table::Table;

/// For people: coins, outputs, and what it costs.
pub(crate) fn table(view: &View) -> String {
    let effects = explain(view);
    let mut table = Table::new(&["", "amount", "where"]);
    for (at, it) in effects.inputs.iter().enumerate() {
        let place = format!("{} {}", coin_at(it.outpoint), whose(it.ours.as_ref().map(|(name, _)| name)));
        table.row([format!("input {at}"), coins(it.sat, &effects), place]);
    }
    for (at, it) in effects.items.iter().enumerate() {
        table.row([format!("output {at}"), coins(it.sat, &effects), place(it)]);
    }
    let (tenths, vbytes) = (effects.rate_tenths(), effects.virtual_bytes);
    let rate = format!("{}.{} sat/vB for at most {vbytes} vB", tenths / 10, tenths % 10);
    table.row(["fee".to_owned(), coins(effects.fee_sat, &effects), rate]);
    let left = coins(effects.net_outflow_sat(), &effects);
    table.row(["leaves us".to_owned(), left, "with the fee".to_owned()]);
    table.pair("network", effects.network).pair("replaceable", effects.replaceable);
    table.pair("waits", effects.lock);
    for it in &effects.kept {
        table.pair(&it.scope.to_string(), format!("not read: {}", it.name));
    }
    table.render()
}

/// For scripts.
pub(crate) fn json(view: &View) -> Value {
    let effects = explain(view);
    let inputs = effects.inputs.iter().map(|it| {
        let ours = it.ours.as_ref().map(|(name, owned)| format!("{name}/{}", owned.place));
        json!({"coin": coin_at(it.outpoint).to_string(), "sat": it.sat, "ours": ours})
    });
    let outputs = effects.items.iter().map(|it| {
        let (kind, detail) = kind(it);
        let script = const_hex::encode(it.script.as_bytes());
        json!({"sat": it.sat, "kind": kind, "where": detail, "script": script, "class": it.class()})
    });
    json!({
        "network": effects.network,
        "inputs": inputs.collect::<Vec<_>>(),
        "outputs": outputs.collect::<Vec<_>>(),
        "fee_sat": effects.fee_sat,
        "fee_rate_tenths": effects.rate_tenths(),
        "virtual_bytes": effects.virtual_bytes,
        "leaves_sat": effects.net_outflow_sat(),
        "replaceable": effects.replaceable,
        "waits": effects.lock,
        "class": effects.class(),
        "not_read": effects.kept.iter().map(|it| json!([it.scope.to_string(), it.name])).collect::<Vec<_>>(),
    })
}

fn kind(it: &Effect) -> (&'static str, String) {
    match &it.kind {
        EffectKind::Payment { address } => ("payment", address.clone()),
        EffectKind::Return { name, owned, .. } => ("return", format!("{name}/{}", owned.place)),
        EffectKind::Data { bytes } => ("data", const_hex::encode(bytes)),
        EffectKind::Unknown => ("unknown", String::new()),
    }
}

fn place(it: &Effect) -> String {
    match kind(it) {
        ("payment", address) => address,
        ("return", place) => format!("back to ours at {place}, proven"),
        ("data", bytes) => format!("NOT UNDERSTOOD: bytes that others may take for an order: {bytes}"),
        _ => format!("NOT UNDERSTOOD: script {}", const_hex::encode(it.script.as_bytes())),
    }
}

fn whose(ours: Option<&String>) -> String {
    ours.map_or_else(|| "of others".to_owned(), |name| format!("ours, {name}"))
}

fn coins(sat: u64, effects: &Effects) -> String {
    effects.network.amount(sat)
}
