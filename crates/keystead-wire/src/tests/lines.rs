//! Lines: what a carrier that lies gains, and who may offer one.

use std::collections::BTreeSet;
use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, split};

use super::*;

/// What a carrier does to the first full TLS record that the caller sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twist {
    Nothing,
    Flip,
    Repeat,
    Reorder,
    Drop,
    End,
}

/// A node that keeps lines, of which a carrier offers it one.
struct Caller {
    lines: Lines,
    task: JoinHandle<()>,
    carrier: JoinHandle<()>,
}

impl Caller {
    /// Whomever the node calls, the carrier takes it to `reached`.
    async fn carried(twist: Twist, reached: SocketAddr) -> Self {
        let server = Server::bind("127.0.0.1:0", &identity(4), known(), hello(Role::Node)).await.unwrap();
        let (address, lines) = (server.address().unwrap().to_string(), Lines::default());
        let (kept, (told, mut parked)) = (lines.clone(), unbounded_channel());
        let keeper: LineKeeper = Arc::new(move |line| {
            kept.park(line);
            told.send(()).unwrap();
        });
        let answers = |_: Arc<Peer>, request| async move { request };
        let task = tokio::spawn(server.with_lines(keeper).serve(answers));
        let target = Target {
            address: address.clone(),
            server: *identity(4).key(),
            identity: client_identity(),
            hello: hello(Role::Service),
            limits: Limits::default(),
        };
        let road = Box::new(TcpStream::connect(address).await.unwrap());
        let offer = Offer::over(road, &target).await.unwrap();
        parked.recv().await.unwrap();
        let carrier = tokio::spawn(async move {
            let (call, offer) = offer.called().await.unwrap();
            assert_eq!(call, LineCall { node: "node-2".parse().unwrap() });
            let reached = TcpStream::connect(reached).await.unwrap();
            carry(offer.join().await.unwrap(), reached, twist).await;
        });
        Self { lines, task, carrier }
    }

    /// A client of the echo that is reached over the line.
    fn client(&self) -> Client {
        let target = Target {
            address: String::new(),
            server: *server_identity().key(),
            identity: identity(3),
            hello: hello(Role::Node),
            limits: Limits::default(),
        };
        let dial = OverLines::to(self.lines.clone(), "node-2".parse().unwrap(), LONG);
        Client::over(target, Arc::new(dial)).unwrap()
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.task.abort();
        self.carrier.abort();
    }
}

/// Carries records from the caller, and bytes back.
async fn carry(caller: AnyRoad, reached: TcpStream, twist: Twist) {
    let (mut from, mut back) = split(caller);
    let (mut answers, mut to) = reached.into_split();
    let returns = tokio::spawn(async move { copy(&mut answers, &mut back).await });
    let mut twist = Some(twist);
    while let Some(record) = record(&mut from).await {
        let full = record.len() > FULL_RECORD;
        let sent = match twist.filter(|_| full) {
            Some(twist) => twisted(twist, record, &mut from).await,
            None => vec![record],
        };
        if full && twist.take() == Some(Twist::End) {
            break;
        }
        for record in sent {
            if to.write_all(&record).await.is_err() {
                break;
            }
        }
    }
    returns.abort();
}

/// RFC 8446, section 5.1: five bytes, the last two of which are the length of the rest.
async fn record(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).await.ok()?;
    let length = usize::from(u16::from_be_bytes([record[3], record[4]]));
    record.resize(5 + length, 0);
    from.read_exact(&mut record[5..]).await.ok()?;
    Some(record)
}

async fn twisted(
    twist: Twist,
    mut first: Vec<u8>,
    from: &mut (impl tokio::io::AsyncRead + Unpin),
) -> Vec<Vec<u8>> {
    match twist {
        Twist::Nothing => vec![first],
        Twist::Flip => {
            first[5 + 77] ^= 1;
            vec![first]
        }
        Twist::Repeat => vec![first.clone(), first],
        Twist::Reorder => vec![record(from).await.unwrap(), first],
        Twist::Drop | Twist::End => Vec::new(),
    }
}

/// A server that echoes, and what it was asked.
async fn echo() -> (Running, Arc<Mutex<Vec<Vec<u8>>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&asked);
    let server = Running::start(Limits::default(), known(), move |_: Arc<Peer>, request: Vec<u8>| {
        kept.lock().unwrap().push(request.clone());
        async move { request }
    });
    (server.await, asked)
}

#[tokio::test]
async fn a02_a_carrier_that_changes_repeats_reorders_or_drops_only_ends_the_connection() {
    for (twist, passes) in [
        (Twist::Nothing, true),
        (Twist::Flip, false),
        (Twist::Repeat, false),
        (Twist::Reorder, false),
        (Twist::Drop, false),
        (Twist::End, false),
    ] {
        let (server, asked) = echo().await;
        let caller = Caller::carried(twist, server.address).await;
        let client = caller.client();
        // The first call is short: it is carried as it is, whatever comes.
        assert_eq!(client.call(b"short".to_vec()).await, Ok(b"short".to_vec()), "{twist:?}");
        // Four records, and more than enough to tell that one of them is missing.
        let long = vec![7; 4 * FULL_RECORD];
        let called = client.call(long.clone()).await;
        assert_eq!(called.is_ok(), passes, "{twist:?}: {:?}", called.map(|it| it.len()));
        let heard = [b"short".to_vec()].into_iter().chain(passes.then_some(long)).collect::<Vec<_>>();
        assert_eq!(*asked.lock().unwrap(), heard, "{twist:?}");
    }
}

#[tokio::test]
async fn a02_a_carrier_that_joins_a_line_to_another_server_gains_nothing() {
    let impostor = Server::bind("127.0.0.1:0", &identity(5), known(), hello(Role::Node)).await.unwrap();
    let address = impostor.address().unwrap();
    let serving = tokio::spawn(impostor.serve(|_: Arc<Peer>, request| async move { request }));
    let caller = Caller::carried(Twist::Nothing, address).await;
    let error = caller.client().connected().await.unwrap_err();
    assert_eq!(error.code(), "wire.tls");
    // The line is used up, and nobody offers another.
    assert_eq!(caller.client().connected().await.unwrap_err(), WireError::NoLine);
    serving.abort();
}

/// A line that a carrier with this key offers, and the carrier's end.
fn offered(name: &str, key: u8) -> (Line, tokio::io::DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(1024);
    let peer = Peer {
        name: name.parse().unwrap(),
        key: [key; 32],
        role: Role::Service,
        boot: 0,
        address: ([127, 0, 0, 1], 1).into(),
    };
    (Line { peer: Arc::new(peer), road: Box::new(ours) }, theirs)
}

#[test]
fn d03_whoever_offers_many_lines_takes_no_place_of_another_carrier() {
    let lines = Lines::default();
    lines.park(offered("desk", 2).0);
    (0..20).for_each(|_| lines.park(offered("loud", 3).0));
    let mut tried = BTreeSet::new();
    let mut next = || lines.take(&tried).map(|it| (tried.insert(it.peer.key), it.peer.name.to_string()).1);
    assert_eq!(next().as_deref(), Some("loud"), "the newest");
    assert_eq!(next().as_deref(), Some("desk"), "each carrier once before one is tried again");
    assert_eq!((next().as_deref(), next()), (Some("loud"), None), "two of one carrier");
    (0..20).for_each(|key| lines.park(offered("many", key).0));
    let names: BTreeSet<_> =
        std::iter::from_fn(|| lines.take(&BTreeSet::new())).map(|it| it.peer.key).collect();
    assert_eq!(names.len(), 8, "a bound for all of them");
}

#[tokio::test]
async fn a_line_that_is_refused_says_why() {
    let lines = Lines::default();
    let (line, theirs) = offered("desk", 2);
    lines.park(line);
    let refuses = async {
        let mut theirs = theirs;
        let _: LineCall = hello::receive(&mut theirs, LONG).await.unwrap();
        hello::send(&mut theirs, &LineAnswer::Refused(LineRefusal::Unknown), LONG).await.unwrap();
    };
    let dial = OverLines::to(lines.clone(), "node-2".parse().unwrap(), LONG);
    let (reached, ()) = tokio::join!(dial.dial(), refuses);
    assert_eq!(reached.err(), Some(WireError::Line(LineRefusal::Unknown)));
    assert!(!lines.any());
}

/// A server that keeps no lines speaks of calls alone.
#[tokio::test]
async fn a_line_is_offered_only_to_whoever_keeps_lines() {
    let mut server = Running::echo(Limits::default()).await;
    let target = server.target(client_identity());
    let road = Box::new(TcpStream::connect(server.address).await.unwrap());
    assert!(Offer::over(road, &target).await.is_err());
    assert_eq!(server.fault().await, WireError::Protocol);
}

/// RFC 8446, section 5.1: a record has at most so many bytes of content.
const FULL_RECORD: usize = 16 * 1024;
