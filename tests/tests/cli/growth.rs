//! A cluster of one becomes one of four by the commands of people, and a key moves to a machine that joined.

use std::fs;
use std::path::PathBuf;

use keystead_tests::{Service, binary};

use crate::desk::{Desk, EXCHANGE, loopback, path};
use crate::script::{Script, ok};

#[test]
fn d01_machines_join_by_commands_and_a_key_moves_to_one_of_them() {
    let desk = Desk::open();
    let home = tempfile::tempdir().unwrap();
    let mut script = Script::new(&desk.folder);
    script.set("tmp", path(home.path()));
    script.set("exchange", EXCHANGE);
    for line in ["approver new node-2", "approver new node-3", "approver new node-4"] {
        let public = script.step(&ok("ana", line));
        let file = format!("{}.json", public["name"].as_str().unwrap());
        fs::write(home.path().join(file), public.to_string()).unwrap();
    }
    let machines: Vec<(String, String)> = (2..=4).map(|it| (format!("node-{it}"), loopback())).collect();
    let _running: Vec<Service> = machines.iter().map(|it| start(&desk, it, &machines)).collect();
    script.set("second", format!("node-2@{}", machines[0].1));
    script.play([
        ok("ana", "roster add {tmp}/node-2.json {tmp}/node-3.json {tmp}/node-4.json")
            .has("/after", "withstands 1 lying, 1 down")
            .keep("grown", "/request/request"),
        ok("ben", "approve {grown} --yes"),
        ok("cleo", "approve {grown} --yes"),
        ok("ana", "request transfer --key hot --to {exchange} --wei 3").has("/request/stage", "signed"),
        ok("ana", "status").has("/status/nodes", "4").has("/status/withstands/lying", "1"),
        ok("ben", "key restore hot --home node-2").keep("restore", "/request/request"),
        ok("ana", "approve {restore} --yes"),
        ok("cleo", "approve {restore} --yes"),
    ]);
    // The founders' roster does not know this node: its key is that of the roster in force.
    let moved = script.until_it_works("ana", "key hand-over {restore} --node {second}");
    assert_eq!(moved["key"]["home"], "node-2", "{moved}");
    script.play([
        ok("ana", "request transfer --key hot --to {exchange} --wei 4").has("/request/stage", "signed"),
        ok("ana", "key list --node {second}").has("/keys/0/epoch", "1"),
    ]);
}

/// A machine with its own folder, keys and configuration, as somebody sets it up by hand.
fn start(desk: &Desk, (name, address): &(String, String), machines: &[(String, String)]) -> Service {
    let folder = tempfile::Builder::new().prefix("keystead-joins-").tempdir().unwrap().keep();
    fs::create_dir(folder.join("members")).unwrap();
    let own = |file: &str| PathBuf::from("members").join(file);
    let files = [
        PathBuf::from("genesis"),
        own("vault.passphrase"),
        own(&format!("{name}.key")),
        own(&format!("{name}.passphrase")),
    ];
    for file in files {
        fs::copy(desk.folder.join(&file), folder.join(&file)).unwrap();
    }
    let text = fs::read_to_string(desk.folder.join("keystead.toml")).unwrap();
    let text = text.split("[coordinator]").next().unwrap();
    let first = text.split("address = \"").nth(1).unwrap().split('"').next().unwrap();
    let peer = |(name, address): (&str, &str)| format!("{{ name = \"{name}\", address = \"{address}\" }}");
    let others = machines.iter().map(|(name, address)| peer((name, address)));
    let peers = [vec![peer(("node-1", first))], others.collect()].concat().join(", ");
    let text = text
        .replace("members/node-1.", &format!("members/{name}."))
        .replace(&format!("listen = \"{first}\""), &format!("listen = \"{address}\""))
        .replace("peers = []", &format!("peers = [{peers}]"));
    fs::write(folder.join("keystead.toml"), text).unwrap();
    let program = binary("keystead");
    Service::start(&folder, &[path(&program), "--json", "node", "--dir", path(&folder)], "ready")
}
