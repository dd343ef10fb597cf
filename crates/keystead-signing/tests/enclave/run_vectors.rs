//! The messages about keys in shares, for the vectors.

use alloy_primitives::Address;
use keystead_base::{Digest, RequestId};
use keystead_bitcoin::SpendSignature;
use keystead_decision::Certificate;
use keystead_signing::{
    Abort, CreatedKey, Culprit, DealtShare, EnclaveClient, Ended, EthereumSignature, Fault, Hello, Outgoing,
    Progress, Record, Released, Reply, Request, RunAim, RunEnd, RunStart, SessionId,
};

use crate::fixture::{Cluster, name};
use crate::vectors::{Vector, vector};

const REQUEST: RequestId = RequestId(Digest([4; 32]));
const SESSION: SessionId = SessionId(Digest([3; 32]));

/// Of an enclave that was just started.
pub(crate) fn of(
    mut enclave: EnclaveClient,
    cluster: &Cluster,
    creation: &Certificate,
    created: &CreatedKey,
) -> Vec<Vector> {
    enclave.hello(Hello { genesis: cluster.genesis.clone() }).unwrap();
    let seat = enclave.seat(REQUEST).unwrap();
    let asked = RunAim::Request { request: REQUEST, height: 7 };
    let proof = RunAim::Proof { request: REQUEST, prover: name("node-2") };
    let input = RunAim::Input { request: REQUEST, height: 7, input: 2 };
    vec![
        vector("more seals", &Request::Open(vec![created.sealed.clone()])),
        vector("recall the journal", &Request::Recall(vec![begun()])),
        vector("take a seat", &Request::Seat(REQUEST)),
        vector("begin a ceremony", &Request::Convene(Box::new(creation.clone()))),
        vector("join a run", &Request::Join(Box::new(start(asked)))),
        vector("join a proof", &Request::Join(Box::new(start(proof)))),
        vector("join a run for an input", &Request::Join(Box::new(start(input)))),
        vector("deliver", &Request::Deliver(vec![vec![1, 2], vec![3]])),
        vector("give up", &Request::GiveUp(SESSION)),
        vector("erase", &Request::Erase { key: name("hot"), epoch: 2 }),
        vector("done", &Reply::Done),
        vector("a seat", &Reply::Seated(Box::new(seat))),
        vector("moved", &Reply::Moved(Box::new(progress(created)))),
    ]
}

fn start(aim: RunAim) -> RunStart {
    RunStart { aim, attempt: 1, signers: vec![name("node-1"), name("node-2")] }
}

fn begun() -> Record {
    Record::Begun { key: name("hot"), session: SESSION }
}

fn progress(created: &CreatedKey) -> Progress {
    let abort =
        Abort { session: SESSION, culprit: Culprit::Node(name("node-2")), fault: Fault::Multiplication };
    let signature = EthereumSignature { rs: [7; 64], y_parity: 1 };
    let released = Released { signing_digest: Digest([5; 32]), account: Address::repeat_byte(6), signature };
    let signature = SpendSignature { input: 2, key: [2; 33], bytes: vec![9; 71] };
    let dealt = DealtShare {
        key: name("hot"),
        epoch: 1,
        account: created.held.account,
        shares: vec![vec![2; 33], vec![3; 33]],
        sealed: created.sealed.clone(),
    };
    let ends = [
        RunEnd::Signed { height: 7, released },
        RunEnd::Dealt(Box::new(dealt)),
        RunEnd::Dismissed,
        RunEnd::Proved { prover: name("node-2"), proof: vec![8; 64] },
        RunEnd::Aborted(abort.clone()),
        RunEnd::SignedInput { height: 7, signature },
    ];
    Progress {
        records: vec![begun(), Record::Aborted { key: name("hot"), abort }],
        messages: vec![Outgoing { to: name("node-2"), message: vec![1, 2, 3] }],
        ended: ends.map(|end| Ended { session: SESSION, request: REQUEST, end }).to_vec(),
    }
}
