//! What a PSBT does, and the transaction of it, as JSON: the command line and REST print the same.

use serde_json::{Value, json};

use crate::{Effect, EffectKind, Finalized, Progress, View, coin_at, explain};

impl View {
    /// Inputs with how far they are signed, outputs with what each does, and what it costs, for scripts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let (effects, progress) = (explain(self), self.progress());
        let inputs = effects.inputs.iter().enumerate().map(|(at, it)| {
            let ours = it.ours.as_ref().map(|(name, owned)| format!("{name}/{}", owned.place));
            let signatures = progress.iter().find(|it| it.input == at).map(signatures);
            let coin = coin_at(it.outpoint).to_string();
            json!({"coin": coin, "sat": it.sat, "ours": ours, "signatures": signatures})
        });
        json!({
            "network": effects.network,
            "inputs": inputs.collect::<Vec<_>>(),
            "outputs": effects.items.iter().map(output).collect::<Vec<_>>(),
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
}

impl Finalized {
    /// The transaction and its id in hexadecimal, for scripts.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({"transaction": const_hex::encode(self.to_bytes()), "txid": self.txid().to_string()})
    }
}

fn signatures(it: &Progress) -> Value {
    json!({"expected": it.expected, "found": it.found})
}

fn output(it: &Effect) -> Value {
    let (kind, detail) = match &it.kind {
        EffectKind::Payment { address } => ("payment", address.clone()),
        EffectKind::Return { name, owned, .. } => ("return", format!("{name}/{}", owned.place)),
        EffectKind::Data { bytes } => ("data", const_hex::encode(bytes)),
        EffectKind::Unknown => ("unknown", String::new()),
    };
    let script = const_hex::encode(it.script.as_bytes());
    json!({"sat": it.sat, "kind": kind, "where": detail, "script": script, "class": it.class()})
}
