//! Webhooks: each stage that a request comes to, told to servers that the configuration names, signed and tried again.
//!
//! What is told is for convenience, like all that a coordinator says, and it is told in memory: a coordinator that is started
//! anew tells the stages of what still waits once more, with the same ids, and of nothing else. A receiver that must
//! not miss anything reads `/v1/requests/{id}`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use keystead_base::{Coded as _, Name, RequestId, Secret};
use keystead_transmit::Courier;
use keystead_wire::{RequestStage, RequestView};
use serde_json::json;
use sha2::Sha256;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::coordinator::Inner;
use crate::rest::{facts, is_final};
use crate::{Coordinator, CoordinatorError, clock};

/// The shortest secret of a webhook, in bytes.
pub const MIN_HOOK_SECRET_BYTES: usize = 24;

/// A server that is told.
#[derive(Debug)]
pub struct Hook {
    name: Name,
    courier: Courier,
    secret: Secret<Vec<u8>>,
}

impl Hook {
    /// Takes the secret that signs, which the receiver has, too.
    ///
    /// # Errors
    ///
    /// [`CoordinatorError::HookSecret`] when it is short.
    pub fn new(name: Name, courier: Courier, secret: Secret<Vec<u8>>) -> Result<Self, CoordinatorError> {
        match secret.expose().len() {
            MIN_HOOK_SECRET_BYTES.. => Ok(Self { name, courier, secret }),
            found => Err(CoordinatorError::HookSecret { min: MIN_HOOK_SECRET_BYTES, found }),
        }
    }
}

impl Coordinator {
    /// Tells these servers from now on; whoever calls this twice is heard the first time.
    pub fn tell(&self, hooks: Vec<Hook>) {
        if hooks.is_empty() {
            return;
        }
        let meters = Arc::downgrade(&self.inner);
        let queues = hooks.into_iter().map(|hook| {
            let (queue, waiting) = mpsc::channel(MAX_QUEUED);
            tokio::spawn(work(hook, waiting, meters.clone()));
            queue
        });
        let hooks = Hooks { queues: queues.collect(), followed: Mutex::default() };
        if self.inner.hooks.set(hooks).is_ok() {
            tokio::spawn(follow(Arc::downgrade(&self.inner)));
        }
    }
}

/// Who is told, and about which requests.
pub(crate) struct Hooks {
    queues: Vec<mpsc::Sender<Arc<News>>>,
    followed: Mutex<BTreeMap<RequestId, Followed>>,
}

struct Followed {
    stage: RequestStage,
    /// How often its block was given up.
    turns: u32,
    next: Instant,
    pause: Duration,
}

/// One thing to tell.
#[derive(Debug)]
struct News {
    id: String,
    body: String,
}

impl Hooks {
    /// A request as it stands: told if that is new, and looked after until nothing comes any more. Gives how many were too busy
    /// to be told.
    pub(crate) fn saw(&self, view: &RequestView) -> usize {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = followed.get(&view.request).map(|it| it.stage);
        let mut turns = 0;
        if is_final(view) {
            followed.remove(&view.request);
        } else if followed.len() < MAX_FOLLOWED || known.is_some() {
            let it = followed.entry(view.request).or_insert_with(Followed::now);
            it.take(view.stage, known);
            turns = it.turns;
        }
        drop(followed);
        if known == Some(view.stage) { 0 } else { self.tell(view, turns) }
    }

    fn tell(&self, view: &RequestView, turns: u32) -> usize {
        let news = Arc::new(News::of(view, turns));
        self.queues.iter().filter(|queue| queue.try_send(Arc::clone(&news)).is_err()).count()
    }

    fn due(&self) -> Vec<RequestId> {
        let (followed, now) = (self.followed.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
        let due = followed.iter().filter(|(_, it)| it.next <= now);
        due.map(|(request, _)| *request).take(MAX_LOOKS).collect()
    }

    fn forget(&self, request: &RequestId) {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).remove(request);
    }
}

impl Followed {
    fn now() -> Self {
        Self { stage: RequestStage::Waiting, turns: 0, next: Instant::now(), pause: FIRST_PAUSE }
    }

    fn take(&mut self, stage: RequestStage, known: Option<RequestStage>) {
        let same = known == Some(stage);
        self.pause = if same { self.pause.saturating_mul(2).min(MAX_PAUSE) } else { FIRST_PAUSE };
        self.turns = self.turns.saturating_add(u32::from(!same && stage == RequestStage::Reorged));
        (self.stage, self.next) = (stage, Instant::now() + self.pause);
    }
}

impl News {
    /// The same stage of the same request is the same news, whenever it is told; after a block was given up the
    /// stages before it come again, and each of them is news.
    fn of(view: &RequestView, turns: u32) -> Self {
        let id = match turns {
            0 => format!("{}.{}", view.request, view.stage.word()),
            turns => format!("{}.{}.{turns}", view.request, view.stage.word()),
        };
        let body = json!({"type": "request.stage", "timestamp": clock::now(), "data": facts(view)});
        Self { id, body: body.to_string() }
    }
}

/// Looks at what is followed until the coordinator is gone.
async fn follow(coordinator: Weak<Inner>) {
    let open = match coordinator.upgrade() {
        Some(inner) => inner.node.open().await.unwrap_or_default(),
        None => return,
    };
    let mut ticks = interval(FIRST_PAUSE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    if let Some(inner) = coordinator.upgrade() {
        open.iter().for_each(|view| inner.saw(view));
    }
    loop {
        ticks.tick().await;
        let Some(inner) = coordinator.upgrade() else { return };
        let Some(hooks) = inner.hooks.get() else { return };
        for request in hooks.due() {
            match inner.node.request(request).await {
                Ok(Some(detail)) => inner.saw(&detail.view),
                Ok(None) => hooks.forget(&request),
                // The next look finds it again.
                Err(_) => break,
            }
        }
    }
}

impl Inner {
    /// A request as it stands, for whoever is told.
    pub(crate) fn saw(&self, view: &RequestView) {
        let Some(hooks) = self.hooks.get() else { return };
        for _ in 0..hooks.saw(view) {
            self.meters.delivery("dropped");
        }
    }
}

/// Delivers one after the other, in their order.
async fn work(hook: Hook, mut waiting: mpsc::Receiver<Arc<News>>, coordinator: Weak<Inner>) {
    while let Some(news) = waiting.recv().await {
        let outcome = hook.persist(&news).await;
        let Some(inner) = coordinator.upgrade() else { return };
        inner.meters.delivery(outcome);
    }
}

impl Hook {
    async fn persist(&self, news: &News) -> &'static str {
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=MAX_ATTEMPTS {
            let error = match self.courier.deliver(&self.headers(news), news.body.clone()).await {
                Ok(()) => return "delivered",
                Err(error) => error,
            };
            if attempt == MAX_ATTEMPTS {
                report(&self.name, &news.id, &error);
                return error.code();
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2);
        }
        "dropped"
    }

    /// Standard Webhooks 1.0: id, time and signature.
    fn headers(&self, news: &News) -> [(&'static str, String); 3] {
        let time = clock::now().seconds().to_string();
        let signature = sign(&self.secret, &news.id, &time, &news.body);
        [("webhook-id", news.id.clone()), ("webhook-timestamp", time), ("webhook-signature", signature)]
    }
}

/// `v1,` and HMAC-SHA256 over id, time and body, with points in between.
fn sign(secret: &Secret<Vec<u8>>, id: &str, time: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose());
    let code = mac.map(|mut mac| {
        mac.update(format!("{id}.{time}.{body}").as_bytes());
        mac.finalize().into_bytes()
    });
    // A key of any length is one.
    code.map(|code| format!("v1,{}", STANDARD.encode(code))).unwrap_or_default()
}

/// Says on standard error what was not delivered in the end.
#[expect(clippy::print_stderr, reason = "a service's log is its standard error")]
fn report(hook: &Name, id: &str, error: &dyn std::error::Error) {
    eprintln!("coordinator: webhook `{hook}` was not told {id}: {error}");
}

/// News that wait for one server. Beyond it the newest is not told.
const MAX_QUEUED: usize = 10_000;
/// Requests that are followed. Beyond it a new one is told as it is, and not followed.
const MAX_FOLLOWED: usize = 10_000;
/// Requests that are looked at in one turn.
const MAX_LOOKS: usize = 64;
/// With doubling pauses of a second at first, the last attempt is 17 minutes after the first.
const MAX_ATTEMPTS: u32 = 11;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hmac`.
    #[test]
    fn news_are_signed_as_standard_webhooks_says() {
        let secret = Secret::new(b"0123456789abcdef01234567".to_vec());
        let signature = sign(&secret, "id", "1700000000", "{}");
        assert_eq!(signature, "v1,TEOZFOUFgM3x4Frsw5oWuLll633xzxnscfj6WoYkRr8=");
        assert_ne!(sign(&secret, "id", "1700000001", "{}"), signature);
    }
}
