//! D4: node and enclave are killed at every sync, write and send of one request's way; S1–S14 hold afterwards.
//!
//! Two passes. While it starts, the node is killed at syncs and writes counted from its first one. Once it
//! listens, a first run writes down each call of each thread between question and answer, and then there is
//! one run for each of them, in which it is the last one. After each kill the node is started as anybody
//! would: what was answered is in the log, the same request sent again is signed with the same bytes, and what was
//! to be refused before is refused now.

mod process;
mod story;

use std::collections::BTreeMap;

use keystead_tests::tracer::{Thread, Tracer, calls_of, has_strace, is_gone};
use process::Process;
use story::Story;

#[tokio::test]
async fn d04_killed_at_syncs_of_its_start_the_node_recovers() {
    killed_while_starting("fsync,fdatasync", (1..=6).collect()).await;
}

#[tokio::test]
async fn d04_killed_at_writes_of_its_start_the_node_recovers() {
    killed_while_starting("pwrite64", (1..=40).step_by(8).collect()).await;
}

#[tokio::test]
async fn d04_killed_at_every_sync_write_and_send_of_a_request_the_node_recovers() {
    if !has_strace() {
        return;
    }
    let story = Story::new().await;
    let calls = calls_of_one_request(&story).await;
    let (mut node, mut enclave) = (0, 0);
    for ((thread, call), count) in &calls {
        for when in 1..=*count {
            let killed = killed_at(&story, thread, call, when).await;
            let kills = if thread.who == "node" { &mut node } else { &mut enclave };
            *kills += usize::from(killed);
        }
    }
    let all: usize = calls.values().sum();
    println!("killed at {node} calls of the node and {enclave} of the enclave, of {all}: {calls:?}");
    assert!(node >= 10, "only {node} calls of the node were reached");
    assert!(enclave >= 1, "only {enclave} calls of the enclave were reached");
}

/// The node dies the moment it answers, while a write may still be under way that the answer did not wait for.
#[tokio::test]
async fn s01_nothing_is_answered_before_its_block_is_written() {
    if !has_strace() {
        return;
    }
    let story = Story::new().await;
    let mut held = 0;
    // A thread that is held back at its first write makes none of the others meanwhile.
    let calls = calls_of_one_request(&story).await;
    for (thread, call) in calls.keys().filter(|(_, call)| call == "pwrite64") {
        let folder = tempfile::tempdir().unwrap();
        let config = story.copy(folder.path());
        let mut process = Process::start(&folder.path().join("config.json"), &[]);
        let address = process.listening().unwrap();
        let tracer = Tracer::holding(process.threads()[thread], call, 1);
        let answered = story.ask(&address).await;
        process.end();
        tracer.detach();
        assert!(answered, "what is held back is not lost");
        story.recovers(config, answered, &format!("a {call} of {thread}, held back")).await;
        held += 1;
    }
    assert!(held >= 1, "no write was held back");
}

async fn killed_while_starting(calls: &str, whens: Vec<usize>) {
    if !has_strace() {
        return;
    }
    let story = Story::new().await;
    let mut kills = 0;
    for when in &whens {
        let folder = tempfile::tempdir().unwrap();
        let config = story.copy(folder.path());
        let inject = format!("inject={calls}:signal=SIGKILL:when={when}");
        let trace = format!("trace={calls}");
        let mut process = Process::start(&folder.path().join("config.json"), &["-e", &trace, "-e", &inject]);
        let answered = match process.listening() {
            Some(address) => story.ask(&address).await,
            None => false,
        };
        process.end();
        story.recovers(config, answered, &format!("call {when} of {calls}")).await;
        kills += usize::from(!answered);
    }
    println!("killed at {kills} of {} calls of {calls}", whens.len());
    assert!(kills >= 3, "only {kills} calls of {calls} were reached");
}

/// How often each thread makes each call between the question and its answer.
async fn calls_of_one_request(story: &Story) -> BTreeMap<(Thread, String), usize> {
    let folder = tempfile::tempdir().unwrap();
    story.copy(folder.path());
    let mut process = Process::start(&folder.path().join("config.json"), &[]);
    let address = process.listening().unwrap();
    let asked = async { assert!(story.ask(&address).await) };
    let calls = calls_of(&process.threads(), asked).await;
    process.end();
    calls
}

/// Kills a thread's process at its n-th such call after the node listens. True when that place was reached.
async fn killed_at(story: &Story, thread: &Thread, call: &str, when: usize) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let config = story.copy(folder.path());
    let mut process = Process::start(&folder.path().join("config.json"), &[]);
    let address = process.listening().unwrap();
    let Some(number) = process.threads().get(thread).copied() else {
        process.end();
        return false;
    };
    let tracer = Tracer::killing(number, call, when);
    let answered = story.ask(&address).await;
    tracer.detach();
    // A node whose enclave dies starts another one, and answers all the same.
    assert!(answered || thread.who == "node", "{thread}, call {when} of {call}: the node gave up");
    // Where no answer came, the process is on its way out.
    let killed = is_gone(number) || (!answered && process.ended());
    process.end();
    assert!(answered || killed, "{thread}, call {when} of {call}: no answer, and nobody was killed");
    story.recovers(config, answered, &format!("call {when} of {call} of {thread}")).await;
    killed
}
