//! The messages about keys in shares, for the vectors.

use alloy_primitives::Address;
use keystead_base::{ClusterId, Digest, HybridSignature, RequestId, Signed, Timestamp};
use keystead_bitcoin::SpendSignature;
use keystead_decision::{Certificate, Convened, Dealing, SealedPoint, Seat};
use keystead_intent::{Importer, KeyCeremony, KeyKind};
use keystead_signing::{
    Abort, CreatedKey, Culprit, DealTo, DealtShare, EnclaveClient, Ended, EthereumSignature, Fault, Hello,
    Outgoing, Progress, Record, Released, Reply, Request, RunAim, RunEnd, RunStart, SeatFor, SessionId,
    SplitWhole, Standing, TakeDealing, WholeKey,
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
    let claim = SeatFor { request: REQUEST, key: name("treasury"), node: name("node-2") };
    let seat = enclave.seat(claim.clone()).unwrap();
    let asked = RunAim::Request { request: REQUEST, height: 7 };
    let proof = RunAim::Proof { request: REQUEST, prover: name("node-2") };
    let input = RunAim::Input { request: REQUEST, height: 7, input: 2 };
    vec![
        vector("more seals", &Request::Open(vec![created.sealed.clone()])),
        vector("recall the journal", &Request::Recall(vec![begun()])),
        vector("take a seat", &Request::Seat(Box::new(claim))),
        vector("begin a ceremony", &Request::Convene(Box::new(creation.clone()))),
        vector("join a run", &Request::Join(Box::new(start(asked)))),
        vector("join a proof", &Request::Join(Box::new(start(proof)))),
        vector("join a run for an input", &Request::Join(Box::new(start(input)))),
        vector("deliver", &Request::Deliver(vec![vec![1, 2], vec![3]])),
        vector("give up", &Request::GiveUp(SESSION)),
        vector("erase", &Request::Erase { key: name("hot"), epoch: 2, whole: true }),
        vector("deal a whole key", &Request::Deal(Box::new(creation.clone()))),
        vector(
            "which key is it",
            &Request::Whole(Box::new(SplitWhole { everything: true, to: None, taproot: None })),
        ),
        vector("split a whole key", &Request::Whole(Box::new(split(seat.seat.clone(), created)))),
        vector("take what was dealt", &Request::Take(Box::new(taken()))),
        vector("a dealing", &Reply::Dealt(Box::new(taken().dealing.body))),
        vector("a whole key", &Reply::Whole(Box::new(whole(created)))),
        vector("done", &Reply::Done),
        vector("a seat", &Reply::Seated(Box::new(seat))),
        vector("moved", &Reply::Moved(Box::new(progress(created)))),
    ]
}

fn split(seat: Seat, created: &CreatedKey) -> SplitWhole {
    let (holders, account) = (vec![name("node-1"), name("node-2")], created.held.account);
    let (kind, from) = (KeyKind::ThresholdSecp256k1, Importer::Person(name("ann")));
    let key = name("treasury");
    let convened = Convened {
        ceremony: KeyCeremony::Import { key, kind, account, from, threshold: 2, holders: holders.clone() },
        epoch: 0,
        attempt: 1,
        threshold: 2,
        holders,
        old: None,
        account: Some(account),
        seats: [(name("node-2"), seat)].into(),
        expires: Timestamp(7),
    };
    let (cluster, decision) = (ClusterId(Digest([8; 32])), Digest([9; 32]));
    let to = DealTo { cluster, convened, policy_version: 3, decision, device: name("laptop") };
    SplitWhole { everything: false, to: Some(to), taproot: None }
}

fn taken() -> TakeDealing {
    let point = SealedPoint { encapsulated: vec![1; 1120], ciphertext: vec![2; 48] };
    let body = Dealing {
        cluster: ClusterId(Digest([8; 32])),
        key: name("treasury"),
        convened: Digest([9; 32]),
        device: None,
        coefficients: vec![vec![2; 33], vec![3; 33]],
        proof: vec![4; 64],
        points: vec![point.clone(), point],
    };
    let signature = HybridSignature::from_parts([3; 64], Box::new([4; 3309]));
    TakeDealing { request: REQUEST, dealing: Signed { body, signer: name("node-1"), signature } }
}

fn whole(created: &CreatedKey) -> WholeKey {
    WholeKey { account: created.held.account, dealing: Some(taken().dealing.body) }
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
        receipt: created.receipt.clone(),
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
        stands: vec![Standing {
            session: SESSION,
            request: REQUEST,
            round: 2,
            rounds: 3,
            missing: vec![name("node-2")],
        }],
    }
}
