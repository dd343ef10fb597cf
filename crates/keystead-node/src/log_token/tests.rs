//! A key of which a slow token has half: it signs when it is told to, and no clock decides.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keystead_base::{Coded as _, Digest, HybridSignature, HybridSigner, KeyError, Secret};
use keystead_homes::{Abilities, Home, HomeError, Label, PublicKey, Scheme, Signature, ToSign};
use keystead_keys::{MemberKey, TokenHalf};
use keystead_ledger::{Checkpoint, SignError};
use tokio::task::JoinSet;

use super::own_key::{Asker, OwnKey};
use super::worker::{MAX_WAITING, Pace, Rank, Worker, look};
use super::{LogToken, Seen, Waiting};
use crate::checkpoint::OwnCheckpoints;

/// So long that no test sees its end.
const SLOW: Pace = Pace { patience: Duration::from_secs(3_600), look: Duration::from_secs(3_600) };

/// A token that says what it has been given to sign, and signs once it is told to.
struct SlowHome {
    key: HybridSigner,
    shows: Arc<Mutex<[u8; 32]>>,
    began: Sender<Vec<u8>>,
    go: Mutex<Receiver<()>>,
}

/// The test's side of one.
struct Hand {
    half: TokenHalf,
    /// What it shows under the label of the node's half.
    shows: Arc<Mutex<[u8; 32]>>,
    began: Receiver<Vec<u8>>,
    go: Sender<()>,
}

impl SlowHome {
    fn new() -> (Self, Hand) {
        let key = signer(7);
        let public = *key.public().ed25519();
        let (shows, half) = (Arc::new(Mutex::new(public)), TokenHalf { label: LABEL.to_owned(), public });
        let ((began, seen), (go, told)) = (channel(), channel());
        let hand = Hand { half, shows: Arc::clone(&shows), began: seen, go };
        (Self { key, shows, began, go: Mutex::new(told) }, hand)
    }

    fn refuses<T>(&self) -> Result<T, HomeError> {
        Err(HomeError::Cannot { home: self.name(), what: "do that".to_owned() })
    }
}

impl Home for SlowHome {
    fn name(&self) -> String {
        "a slow token".to_owned()
    }

    fn public(&self, _: &Label) -> Result<PublicKey, HomeError> {
        let shown = *self.shows.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(PublicKey { scheme: Scheme::Ed25519, bytes: shown.to_vec() })
    }

    fn sign(&self, _: &Label, what: ToSign<'_>) -> Result<Signature, HomeError> {
        let ToSign::Message(message) = what else { return self.refuses() };
        let gone = |_| HomeError::Lost { home: self.name(), reason: "the test is over".to_owned() };
        // A test that looks at nothing has dropped its end.
        let _ = self.began.send(message.to_vec());
        self.go.lock().unwrap_or_else(PoisonError::into_inner).recv().map_err(|it| gone(it.to_string()))?;
        let bytes = *self.key.sign(message).unwrap().ed25519();
        Ok(Signature { bytes, recovery: None })
    }

    fn abilities(&self) -> Result<Abilities, HomeError> {
        self.refuses()
    }

    fn generate(&self, _: &Label, _: Scheme) -> Result<PublicKey, HomeError> {
        self.refuses()
    }

    fn import(&self, _: &Label, _: Scheme, _: &Secret<[u8; 32]>) -> Result<PublicKey, HomeError> {
        self.refuses()
    }

    fn destroy(&self, _: &Label) -> Result<(), HomeError> {
        self.refuses()
    }

    fn make_wrapping(&self, _: &Label) -> Result<(), HomeError> {
        self.refuses()
    }

    fn wrap(&self, _: &Label, _: &[u8], _: &Secret<Vec<u8>>) -> Result<Vec<u8>, HomeError> {
        self.refuses()
    }

    fn unwrap(&self, _: &Label, _: &[u8], _: &[u8]) -> Result<Secret<Vec<u8>>, HomeError> {
        self.refuses()
    }

    fn random(&self, _: &mut [u8]) -> Result<(), HomeError> {
        self.refuses()
    }
}

impl Hand {
    /// What the token was given to sign next.
    fn next(&self) -> String {
        String::from_utf8(self.began.recv().unwrap()).unwrap()
    }

    fn lets_sign(&self, times: usize) {
        (0..times).for_each(|_| self.go.send(()).unwrap());
    }

    fn shows(&self, public: [u8; 32]) {
        *self.shows.lock().unwrap_or_else(PoisonError::into_inner) = public;
    }
}

fn signer(byte: u8) -> HybridSigner {
    HybridSigner::from_seed(&Secret::new([byte; 64])).unwrap()
}

fn token(pace: Pace) -> (Arc<LogToken>, Hand) {
    let (home, hand) = SlowHome::new();
    let token = LogToken::start(Box::new(home), Label::new(LABEL).unwrap(), hand.half.public, pace).unwrap();
    (token, hand)
}

fn worker(pace: Pace) -> (Worker, Hand) {
    let (home, hand) = SlowHome::new();
    let (label, public) = (Label::new(LABEL).unwrap(), hand.half.public);
    let (_, asked) = std::sync::mpsc::sync_channel(1);
    let (waiting, seen) = (Waiting::default(), Arc::new(Mutex::new(Seen::default())));
    (Worker { home: Box::new(home), label, public, asked, waiting, seen, pace }, hand)
}

/// INVARIANT D3: a vote waits for the one signature under way, however much was asked before it.
#[test]
fn d03_a_vote_is_signed_before_checkpoints_that_were_asked_for_first() {
    let (token, hand) = token(SLOW);
    let asks = |rank, words: &str| token.ask(rank, words.as_bytes()).unwrap();
    let under_way = asks(Rank::AfterVotes, "checkpoint 1");
    assert_eq!(hand.next(), "checkpoint 1");
    let later = ["checkpoint 2", "checkpoint 3"].map(|it| asks(Rank::AfterVotes, it));
    let vote = asks(Rank::Vote, "a vote");
    hand.lets_sign(4);
    assert_eq!([(); 3].map(|()| hand.next()), ["a vote", "checkpoint 2", "checkpoint 3"]);
    for answered in [under_way, vote].into_iter().chain(later) {
        assert!(answered.recv().unwrap().is_some());
    }
}

/// What finds no room with the token is told so, and room is kept for votes.
#[test]
fn d03_no_more_waits_for_a_token_than_there_is_room_for() {
    let (token, hand) = token(SLOW);
    let asks = |rank| token.ask(rank, b"words");
    let first = asks(Rank::AfterVotes).unwrap();
    hand.next();
    // All of these fit the channel; its other end takes over when the first is signed.
    let many: Vec<_> = std::iter::from_fn(|| asks(Rank::AfterVotes).ok()).collect();
    assert!((MAX_WAITING..=2 * MAX_WAITING).contains(&many.len()), "{}", many.len());
    // It would sign all of them.
    hand.lets_sign(2 + many.len());
    assert!(first.recv().unwrap().is_some());
    let signed = many.iter().filter(|it| it.recv().is_ok_and(|it| it.is_some())).count();
    assert_eq!(signed, MAX_WAITING, "the others learn that there was no room");
    assert_eq!(
        token.missed(Rank::AfterVotes, many.last().unwrap().recv_timeout(Duration::ZERO).unwrap_err()),
        KeyError::Busy
    );
    let vote = asks(Rank::Vote).unwrap();
    assert!(vote.recv().unwrap().is_some());
    assert_eq!(token.view().unwrap().lost, None, "a token that is asked for too much is not away");
}

fn own_key() -> (OwnKey, Hand) {
    own_key_at(SLOW)
}

fn own_key_at(pace: Pace) -> (OwnKey, Hand) {
    let (token, hand) = token(pace);
    let member =
        MemberKey::generate_beside("node-1".parse().unwrap(), hand.half.clone(), &mut |it| it.fill(3));
    (OwnKey::beside(token, &member).unwrap(), hand)
}

/// Until it is so, or each task has had its turn many times.
async fn soon(is_so: impl Fn() -> bool) {
    for _ in 0..MANY_TURNS {
        if is_so() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// What an asker is told without waiting, if it is told anything then.
async fn at_once<T>(asked: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        answer = asked => Some(answer),
        () = std::future::ready(()) => None,
    }
}

type Signed = Result<HybridSignature, KeyError>;

fn sign(key: &Arc<OwnKey>, asker: Asker, words: &'static str) -> impl Future<Output = Signed> + Send + use<> {
    let key = Arc::clone(key);
    async move { key.sign(asker, move |key| key.sign(words.as_bytes())).await }
}

/// The first of eight peers is with the token, and each other one has its place.
async fn with_all_places_taken() -> (Arc<OwnKey>, Hand, JoinSet<Signed>) {
    let (key, hand) = own_key();
    let (key, mut asked) = (Arc::new(key), JoinSet::new());
    asked.spawn(sign(&key, Asker::Peer, "checkpoint"));
    while hand.began.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    (1..EIGHT).for_each(|_| drop(asked.spawn(sign(&key, Asker::Peer, "checkpoint"))));
    soon(|| key.free_places() == 0).await;
    (key, hand, asked)
}

/// Few places for those who ask from outside, and none of them is the node's own, nor a vote's.
#[tokio::test]
async fn d03_peers_who_ask_for_much_find_no_place_and_keep_no_vote() {
    let (key, hand, mut asked) = with_all_places_taken().await;
    assert_eq!(at_once(sign(&key, Asker::Peer, "checkpoint")).await, Some(Err(KeyError::Busy)));
    assert_eq!(KeyError::Busy.code(), "key.token_busy");
    // Each node's back end has its place all the same, and one.
    let node = |name: &str| Asker::Head(name.parse().unwrap());
    asked.spawn(sign(&key, node("node-2"), "a fresh head"));
    soon(|| key.heads() == 1).await;
    assert_eq!(at_once(sign(&key, node("node-2"), "another")).await, Some(Err(KeyError::Busy)));
    asked.spawn(sign(&key, node("node-3"), "a fresh head"));
    asked.spawn(sign(&key, Asker::Node, "an entry of the node's own"));
    let votes = Arc::clone(key.votes());
    let vote = std::thread::spawn(move || votes.sign(b"a vote"));
    hand.lets_sign(EIGHT + 4);
    vote.join().unwrap().unwrap();
    while let Some(signed) = asked.join_next().await {
        signed.unwrap().unwrap();
    }
    assert_eq!((key.free_places(), key.heads()), (EIGHT, 0), "all are free again");
    assert!(key.is_there());
}

/// Whoever asks and goes away, again and again, has no more with the token than who stays.
#[tokio::test]
async fn d03_a_place_is_free_when_the_token_is_and_not_when_its_asker_went_away() {
    let (key, hand, mut asked) = with_all_places_taken().await;
    asked.abort_all();
    while asked.join_next().await.is_some() {}
    assert_eq!(key.free_places(), EIGHT - 1, "the token signs for the first");
    hand.lets_sign(1);
    while key.free_places() < EIGHT {
        tokio::task::yield_now().await;
    }
}

/// Of what waited in vain only a vote says that the token is away: nothing else is the token's to sign at once.
#[tokio::test]
async fn d03_the_replica_votes_before_and_all_others_sign_after() {
    let (key, _hand) = own_key_at(Pace { patience: Duration::ZERO, ..SLOW });
    let key = Arc::new(key);
    assert_eq!(sign(&key, Asker::Node, "an entry of the node's own").await.unwrap_err(), KeyError::Busy);
    assert!(key.is_there());
    assert_eq!(key.votes().sign(b"a vote").unwrap_err(), KeyError::Away);
    assert!(!key.is_there());
}

fn checkpoint(size: u64) -> Checkpoint {
    Checkpoint { origin: "keystead/desk/0123456789abcdef".to_owned(), size, root: Digest([7; 32]) }
}

/// Nor does it need a place: whoever asks for the same checkpoint for ever keeps the token from nothing.
#[tokio::test]
async fn d03_a_checkpoint_that_was_signed_is_not_signed_again() {
    let (key, hand) = own_key();
    let own = Arc::new(OwnCheckpoints::default());
    // The second waits for its turn while the first is signed.
    let asks = || own.signed(checkpoint(1), &key);
    let (one, two, ()) = tokio::join!(asks(), asks(), async { hand.lets_sign(2) });
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((hand.began.try_iter().count(), &one), (1, &two));

    let (key, hand, mut asked) = with_all_places_taken().await;
    assert_eq!(at_once(own.signed(checkpoint(1), &key)).await.unwrap().unwrap(), one);
    let other = at_once(own.signed(checkpoint(2), &key)).await.unwrap();
    assert!(matches!(other, Err(SignError::Key(KeyError::Busy))), "{other:?}");
    hand.lets_sign(EIGHT);
    while asked.join_next().await.is_some() {}
}

#[tokio::test]
async fn d03_64_checkpoints_are_remembered_and_the_oldest_give_way() {
    let (key, hand) = own_key();
    let own = Arc::new(OwnCheckpoints::default());
    hand.lets_sign(3 * 65);
    for size in (1..=65).chain(2..=65) {
        own.signed(checkpoint(size), &key).await.unwrap();
    }
    assert_eq!(hand.began.try_iter().count(), 65, "each once");
    own.signed(checkpoint(1), &key).await.unwrap();
    assert_eq!(hand.began.try_iter().count(), 1, "the first was forgotten");
}

/// A token that was changed under the node's feet signs nothing for it.
#[test]
fn s07_a_token_with_another_key_under_the_label_is_away() {
    let (token, hand) = token(SLOW);
    hand.shows(*signer(8).public().ed25519());
    hand.lets_sign(1);
    assert_eq!(token.sign_as(Rank::Vote, b"a vote"), Err(KeyError::Away));
    let lost = token.view().unwrap().lost.unwrap();
    assert!(lost.contains("another key under the label"), "{lost}");
    assert_eq!(
        token.ask(Rank::Vote, b"a vote").err(),
        Some(KeyError::Away),
        "and nothing more is asked of it"
    );
}

/// Whoever asked waits no longer: a signature that came too late is nobody's, and the token counts as away.
#[test]
fn d03_a_signature_that_came_too_late_is_not_used() {
    let (worker, hand) = worker(Pace { patience: Duration::ZERO, ..SLOW });
    hand.lets_sign(1);
    let late = worker.in_time(b"a vote");
    assert!(matches!(late, Err(HomeError::Lost { .. })), "{late:?}");
    assert_eq!(hand.next(), "a vote", "it did sign");
    assert_eq!(worker.note(late), None);
    assert!(look(&worker.seen).lost.is_some());
}

/// Nor is a token asked for what nobody waits for any more, where it could sign a vote.
#[test]
fn d03_what_nobody_waits_for_any_more_is_not_signed() {
    let (token, hand) = token(Pace { patience: Duration::ZERO, ..SLOW });
    let answered = token.ask(Rank::AfterVotes, b"a checkpoint").unwrap();
    assert!(answered.recv().is_err(), "it was dropped");
    assert!(hand.began.try_recv().is_err(), "and never given to the token");
}

const LABEL: &str = "keystead-log-1";
/// As docs/homes.md says.
const EIGHT: usize = 8;
/// A test has few tasks.
const MANY_TURNS: u32 = 1_000;
