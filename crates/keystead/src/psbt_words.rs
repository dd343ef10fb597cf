//! What a PSBT does, as a table.

use keystead_bitcoin::{Effect, EffectKind, Effects, View, coin_at, explain};

use crate::table::Table;

/// Coins, outputs, what it costs, and how far it is signed.
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
    for it in view.progress() {
        table.pair(&format!("input {}", it.input), format!("{} of {} signatures", it.found, it.expected));
    }
    for it in &effects.kept {
        table.pair(&it.scope.to_string(), format!("not read: {}", it.name));
    }
    table.render()
}

fn place(it: &Effect) -> String {
    match &it.kind {
        EffectKind::Payment { address } => address.clone(),
        EffectKind::Return { name, owned, .. } => format!("back to ours at {name}/{}, proven", owned.place),
        EffectKind::Data { bytes } => {
            let bytes = const_hex::encode(bytes);
            format!("NOT UNDERSTOOD: bytes that others may take for an order: {bytes}")
        }
        EffectKind::Unknown => format!("NOT UNDERSTOOD: script {}", const_hex::encode(it.script.as_bytes())),
    }
}

fn whose(ours: Option<&String>) -> String {
    ours.map_or_else(|| "of others".to_owned(), |name| format!("ours, {name}"))
}

fn coins(sat: u64, effects: &Effects) -> String {
    effects.network.amount(sat)
}
