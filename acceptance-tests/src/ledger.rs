//! Every call that reaches the sandbox, numbered in one sequence, and what tests do to calls.
//!
//! A server calls [`Ledger::begin`] when a request has been read, asks [`Ticket::fault`] before it acts, notes how the
//! call ended with [`Ticket::ok`] or [`Ticket::failed`], and calls [`Ticket::answer`] when the answer is due:
//!
//! ```
//! # use acceptance_tests::ledger::{Answer, Ledger, Plane};
//! # async fn serve(ledger: &Ledger) {
//! let ticket = ledger.begin(Plane::Talos, "10.0.0.4", "Bootstrap", serde_json::json!({}));
//! if let Some(fault) = ticket.fault().await {
//!     ticket.failed(fault.code());
//!     // turn `fault` into an answer of this protocol
//! } else {
//!     ticket.ok();
//! }
//! match ticket.answer().await {
//!     Answer::Send => { /* send it */ }
//!     Answer::Lose => { /* cut the connection: the call took effect, its answer is lost */ }
//! }
//! # }
//! ```

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use tokio::sync::watch;

/// Which of the sandbox's worlds a call belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// The cloud's API. Service and action as the cloud names them: `ec2`, `RunInstances`.
    Cloud,
    /// A node's Talos API. Service is the instance id of the node that answers, action the method.
    Talos,
    /// A node's Kubernetes API. Service is the instance id of the node that answers, action `GET /readyz`.
    Kubernetes,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Under way, or its client went away before the answer.
    Open,
    /// It took effect and was answered.
    Ok,
    /// It was refused, with this code of its protocol.
    Failed(String),
    /// It was carried out (or refused), but its answer never reached the client.
    Lost,
}

/// One call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// Place in the sequence of all calls, from 1.
    pub number: u64,
    /// Cloud, Talos or Kubernetes.
    pub plane: Plane,
    /// Service, or the node that was called.
    pub service: String,
    /// Action or method.
    pub action: String,
    /// Parameters, without secrets.
    pub detail: Json,
    /// How it ended.
    pub outcome: Outcome,
    /// Since the ledger was opened.
    pub at: Duration,
}

/// What a call must look like to be meant. All that is given must fit; the default fits every call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Matcher {
    /// Only the call with this number.
    pub number: Option<u64>,
    /// Only calls of this plane.
    pub plane: Option<Plane>,
    /// Only this service.
    pub service: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only calls whose `detail` has each of these keys with this value (anything but a string is compared as JSON text).
    pub detail: BTreeMap<String, String>,
    /// Leaves out the first calls that would fit, counted per use of the matcher.
    pub skip: u32,
}

impl Matcher {
    /// Fits every call.
    pub fn any() -> Self {
        Self::default()
    }

    /// Fits the call with this number.
    pub fn number(number: u64) -> Self {
        Self { number: Some(number), ..Self::default() }
    }

    /// Fits all calls of a plane.
    pub fn plane(plane: Plane) -> Self {
        Self { plane: Some(plane), ..Self::default() }
    }

    /// Fits an action, whatever the plane and service.
    pub fn action(action: impl Into<String>) -> Self {
        Self { action: Some(action.into()), ..Self::default() }
    }

    /// Fits an action of a cloud service.
    pub fn cloud(service: impl Into<String>, action: impl Into<String>) -> Self {
        Self { plane: Some(Plane::Cloud), service: Some(service.into()), action: Some(action.into()), ..Self::default() }
    }

    /// Fits a method of the Talos API on any node.
    pub fn talos(method: impl Into<String>) -> Self {
        Self { plane: Some(Plane::Talos), action: Some(method.into()), ..Self::default() }
    }

    /// Fits only this service or node besides.
    #[must_use]
    pub fn on(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Fits only calls with this parameter besides.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.detail.insert(key.into(), value.into());
        self
    }

    /// Leaves out the first `count` calls that fit.
    #[must_use]
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Whether the call fits, `skip` left aside.
    pub fn fits(&self, call: &Call) -> bool {
        self.number.is_none_or(|number| number == call.number)
            && self.plane.is_none_or(|plane| plane == call.plane)
            && self.service.as_ref().is_none_or(|service| *service == call.service)
            && self.action.as_ref().is_none_or(|action| *action == call.action)
            && self.detail.iter().all(|(key, wanted)| match call.detail.get(key) {
                Some(Json::String(value)) => value == wanted,
                Some(other) => {
                    let text = other.to_string();
                    text == *wanted
                }
                None => false,
            })
    }

    /// As [`Matcher::fits`], counting `skip` down.
    fn take(&mut self, call: &Call) -> bool {
        if !self.fits(call) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        true
    }
}

/// An answer that the server gives instead of acting; each protocol has its own words for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Too many requests.
    Throttle,
    /// The service failed: HTTP 500 or 503, gRPC `Unavailable`.
    ServerError,
    /// The service understood and refuses, with this code of its protocol.
    Refuse {
        /// For example `UnauthorizedOperation`.
        code: String,
        /// What the service says.
        message: String,
    },
}

impl Fault {
    /// The code for the ledger where the server has none of its own.
    pub fn code(&self) -> &str {
        match self {
            Self::Throttle => "Throttled",
            Self::ServerError => "ServerError",
            Self::Refuse { code, .. } => code,
        }
    }
}

/// What is done to the calls that fit a matcher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Injection {
    /// The call is answered with this and takes no effect.
    Fault(Fault),
    /// The call is held up before it takes effect. Several that fit add up.
    Delay(Duration),
    /// The call takes effect; the connection is cut instead of an answer.
    LoseAnswer,
}

/// Names an injection, so that it can be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InjectionId(u64);

/// What the server does now that the answer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Send it.
    Send,
    /// Cut the connection.
    Lose,
}

type HookFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
type Hook = Box<dyn FnOnce(Call) -> HookFuture + Send>;

struct Injected {
    id: InjectionId,
    matcher: Matcher,
    injection: Injection,
    left: Option<u32>,
}

struct Hooked {
    matcher: Matcher,
    hook: Hook,
    answer: Answer,
}

#[derive(Default)]
struct Book {
    calls: Vec<Call>,
    injected: Vec<Injected>,
    hooks: Vec<Hooked>,
    next_injection: u64,
}

struct Shared {
    opened: Instant,
    book: Mutex<Book>,
    /// Bumped whenever a call begins or ends.
    changes: watch::Sender<u64>,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

/// The sequence of all calls. Clones share it.
#[derive(Clone)]
pub struct Ledger {
    shared: Arc<Shared>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

impl Ledger {
    /// An empty ledger.
    pub fn new() -> Self {
        Self { shared: Arc::new(Shared { opened: Instant::now(), book: Mutex::default(), changes: watch::Sender::new(0) }) }
    }

    /// Numbers a call and settles what is injected into it. `detail` must hold no secret.
    pub fn begin(&self, plane: Plane, service: impl Into<String>, action: impl Into<String>, detail: Json) -> Ticket {
        let mut book = self.shared.book();
        let call = Call {
            number: book.calls.len() as u64 + 1,
            plane,
            service: service.into(),
            action: action.into(),
            detail,
            outcome: Outcome::Open,
            at: self.shared.opened.elapsed(),
        };
        let mut fault = None;
        let mut delay = Duration::ZERO;
        let mut lose = false;
        for injected in &mut book.injected {
            // The first fault wins; a later one keeps its count for the next call.
            if matches!(injected.injection, Injection::Fault(_)) && fault.is_some() {
                continue;
            }
            if injected.left == Some(0) || !injected.matcher.take(&call) {
                continue;
            }
            injected.left = injected.left.map(|left| left - 1);
            match &injected.injection {
                Injection::Fault(wanted) => fault = Some(wanted.clone()),
                Injection::Delay(wanted) => delay += *wanted,
                Injection::LoseAnswer => lose = true,
            }
        }
        book.injected.retain(|injected| injected.left != Some(0));
        let number = call.number;
        book.calls.push(call);
        drop(book);
        self.shared.changed();
        Ticket { shared: Arc::clone(&self.shared), number, fault, delay, lose }
    }

    /// All calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.book().calls.clone()
    }

    /// The calls after the one with this number, in order.
    pub fn calls_after(&self, number: u64) -> Vec<Call> {
        let book = self.shared.book();
        let from = usize::try_from(number).unwrap_or(usize::MAX).min(book.calls.len());
        book.calls[from..].to_vec()
    }

    /// The number of the newest call, 0 if there is none.
    pub fn newest(&self) -> u64 {
        self.shared.book().calls.len() as u64
    }

    /// How many calls fit.
    pub fn count(&self, matcher: &Matcher) -> usize {
        self.shared.book().calls.iter().filter(|call| matcher.fits(call)).count()
    }

    /// Does this to calls that fit: the next `times` of them, or all (`None`) until it is taken back.
    pub fn inject(&self, matcher: Matcher, injection: Injection, times: Option<u32>) -> InjectionId {
        let mut book = self.shared.book();
        book.next_injection += 1;
        let id = InjectionId(book.next_injection);
        book.injected.push(Injected { id, matcher, injection, left: times });
        id
    }

    /// Takes an injection back. `false` if it is used up or was taken back before.
    pub fn withdraw(&self, id: InjectionId) -> bool {
        let mut book = self.shared.book();
        let before = book.injected.len();
        book.injected.retain(|injected| injected.id != id);
        before != book.injected.len()
    }

    /// Takes all injections and hooks back.
    pub fn clear(&self) {
        let mut book = self.shared.book();
        book.injected.clear();
        book.hooks.clear();
    }

    /// Runs `hook` once, when the answer to the first call that fits is due and before it is sent (or, with `lose`, cut off).
    pub fn on_answer<F, R>(&self, matcher: Matcher, lose: bool, hook: F)
    where
        F: FnOnce(Call) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let answer = if lose { Answer::Lose } else { Answer::Send };
        let hook: Hook = Box::new(move |call| Box::pin(hook(call)));
        self.shared.book().hooks.push(Hooked { matcher, hook, answer });
    }

    /// Waits until `count` calls that fit have been answered (or lost), and returns them.
    /// `None` when that has not come within `limit`.
    pub async fn wait_answered(&self, matcher: &Matcher, count: usize, limit: Duration) -> Option<Vec<Call>> {
        let mut changes = self.shared.changes.subscribe();
        let wait = async {
            loop {
                changes.borrow_and_update();
                let done: Vec<Call> =
                    self.calls().into_iter().filter(|call| call.outcome != Outcome::Open && matcher.fits(call)).collect();
                if done.len() >= count {
                    return done;
                }
                if changes.changed().await.is_err() {
                    return done;
                }
            }
        };
        tokio::time::timeout(limit, wait).await.ok()
    }
}

/// A call under way.
pub struct Ticket {
    shared: Arc<Shared>,
    number: u64,
    fault: Option<Fault>,
    delay: Duration,
    lose: bool,
}

impl Ticket {
    /// The call's number.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Waits out injected delays; `Some` if the call must be answered with that instead of being carried out.
    pub async fn fault(&self) -> Option<Fault> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        self.fault.clone()
    }

    /// Adds what is known only after the request was looked at, for example the id of what was made.
    pub fn note(&self, key: &str, value: impl Into<Json>) {
        let mut book = self.shared.book();
        if let Some(Json::Object(detail)) = self.call(&mut book).map(|call| &mut call.detail) {
            detail.insert(key.to_owned(), value.into());
        }
    }

    /// The call took effect.
    pub fn ok(&self) {
        self.set(Outcome::Ok);
    }

    /// The call was refused with this code.
    pub fn failed(&self, code: impl Into<String>) {
        self.set(Outcome::Failed(code.into()));
    }

    /// The answer is due: runs the hooks and says whether to send it.
    pub async fn answer(self) -> Answer {
        let mut answer = if self.lose { Answer::Lose } else { Answer::Send };
        let (call, hooks) = {
            let mut book = self.shared.book();
            let Some(call) = self.call(&mut book).cloned() else { return answer };
            let mut due = Vec::new();
            let mut index = 0;
            while index < book.hooks.len() {
                if book.hooks[index].matcher.take(&call) {
                    due.push(book.hooks.remove(index));
                } else {
                    index += 1;
                }
            }
            (call, due)
        };
        for hooked in hooks {
            (hooked.hook)(call.clone()).await;
            if hooked.answer == Answer::Lose {
                answer = Answer::Lose;
            }
        }
        match answer {
            Answer::Lose => self.set(Outcome::Lost),
            // A server that says nothing else has carried the call out.
            Answer::Send if call.outcome == Outcome::Open => self.set(Outcome::Ok),
            Answer::Send => {}
        }
        answer
    }

    fn call<'a>(&self, book: &'a mut Book) -> Option<&'a mut Call> {
        let index = usize::try_from(self.number).ok()?.checked_sub(1)?;
        book.calls.get_mut(index)
    }

    fn set(&self, outcome: Outcome) {
        if let Some(call) = self.call(&mut self.shared.book()) {
            call.outcome = outcome;
        }
        self.shared.changed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn begin(ledger: &Ledger, action: &str) -> Ticket {
        ledger.begin(Plane::Cloud, "ec2", action, json!({"Name": action, "Count": 2}))
    }

    #[tokio::test]
    async fn calls_are_numbered_in_one_sequence() {
        let ledger = Ledger::new();
        assert_eq!(begin(&ledger, "A").number(), 1);
        assert_eq!(ledger.begin(Plane::Talos, "i-1", "Version", json!({})).number(), 2);
        assert_eq!(ledger.count(&Matcher::plane(Plane::Talos)), 1);
        assert_eq!(ledger.calls_after(1).len(), 1);
    }

    #[tokio::test]
    async fn a_fault_hits_as_often_as_told_and_leaves_out_what_it_skips() {
        let ledger = Ledger::new();
        ledger.inject(Matcher::cloud("ec2", "A").after(1), Injection::Fault(Fault::Throttle), Some(1));
        assert_eq!(begin(&ledger, "B").fault().await, None);
        assert_eq!(begin(&ledger, "A").fault().await, None);
        assert_eq!(begin(&ledger, "A").fault().await, Some(Fault::Throttle));
        assert_eq!(begin(&ledger, "A").fault().await, None);
    }

    #[tokio::test]
    async fn an_injection_can_be_taken_back() {
        let ledger = Ledger::new();
        let id = ledger.inject(Matcher::any().with("Count", "2"), Injection::Fault(Fault::ServerError), None);
        assert!(begin(&ledger, "A").fault().await.is_some());
        assert!(ledger.withdraw(id));
        assert!(begin(&ledger, "A").fault().await.is_none());
        assert!(!ledger.withdraw(id));
    }

    #[tokio::test]
    async fn a_hook_runs_once_before_the_answer_and_can_lose_it() {
        let ledger = Ledger::new();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        ledger.on_answer(Matcher::action("A"), true, |call| async move {
            let _ = sender.send(call.number);
        });
        assert_eq!(begin(&ledger, "B").answer().await, Answer::Send);
        assert_eq!(begin(&ledger, "A").answer().await, Answer::Lose);
        assert_eq!(receiver.await.ok(), Some(2));
        assert_eq!(begin(&ledger, "A").answer().await, Answer::Send);
        let outcomes: Vec<Outcome> = ledger.calls().into_iter().map(|call| call.outcome).collect();
        assert_eq!(outcomes, [Outcome::Ok, Outcome::Lost, Outcome::Ok]);
    }

    #[tokio::test]
    async fn waiting_sees_answers_that_come_later() {
        let ledger = Ledger::new();
        let ticket = begin(&ledger, "A");
        let waiting = ledger.clone();
        let wait = tokio::spawn(async move { waiting.wait_answered(&Matcher::action("A"), 1, Duration::from_secs(5)).await });
        ticket.failed("Nope");
        ticket.answer().await;
        let calls = wait.await.ok().flatten().unwrap_or_default();
        assert_eq!(calls.first().map(|call| call.outcome.clone()), Some(Outcome::Failed("Nope".to_owned())));
    }
}
