//! The real server, killed with SIGKILL at random moments under load: no acknowledged execution is
//! lost, each ends as it does without a crash, nothing that was shown is taken back, and what
//! `db_*` steps did to SQLite was done exactly once.
//!
//! One data folder lives through all kills. `JALM_TEST_SEED=17` repeats the choices of a run (not
//! the timing of the machine); `JALM_KILLS=1000` is a soak.
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests may fail by panicking, and say what they did"
)]

mod book;
mod load;

use book::Book;
use jalm_tests::{Chance, Runner, World, seed, until};
use load::{Kind, Order, Row};
use reqwest::Method;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Executions submitted between two kills at most.
const ORDERS: u64 = 40;

#[tokio::test]
async fn a_server_killed_again_and_again_loses_and_repeats_nothing() {
    let kills: u32 = std::env::var("JALM_KILLS").map_or(100, |text| text.parse().unwrap());
    let mut chance = Chance::new(seed());
    let world = World::new().await;
    world
        .database("main")
        .execute_batch(
            "create table mark (execution text, step text, item integer);
         create table counter (n integer); insert into counter values (0)",
        )
        .unwrap();
    let book = RefCell::new(Book::default());
    let mut next = 0;
    for _ in 0..kills {
        for _ in 0..chance.below(ORDERS) {
            let order = Order::new(next, &mut chance, &world);
            book.borrow_mut().open.push_back(order);
            next += 1;
        }
        let round = Round::new(&world, &book, world.start().await);
        Box::pin(round.live(&mut chance)).await.kill().await;
    }
    let round = Round::new(&world, &book, world.start().await);
    round.submit().await;
    let runner = round.runner;
    let mut book = book.into_inner();
    assert!(book.open.is_empty(), "the last server does not take orders");
    everything_is_as_it_must_be(&world, &runner, &mut book).await;
    assert_eq!(runner.stop().await, Some(0));
    eprintln!("{kills} kills, {} executions, {} comparisons", book.order.len(), book.compared);
}

/// One life of the server.
struct Round<'a> {
    world: &'a World,
    book: &'a RefCell<Book>,
    runner: Runner,
    acknowledged: Cell<u64>,
}

impl<'a> Round<'a> {
    fn new(world: &'a World, book: &'a RefCell<Book>, runner: Runner) -> Self {
        Self { world, book, runner, acknowledged: Cell::new(0) }
    }

    /// All clients at once, until the server dies.
    async fn live(self, chance: &mut Chance) -> Runner {
        let (mut looks, mut follows) = (Chance::new(chance.number()), Chance::new(chance.number()));
        tokio::join!(
            self.submit(),
            self.look(&mut looks),
            self.follow(&mut follows),
            self.end(chance),
        );
        self.runner
    }

    /// The end comes at a random moment: at once, in the middle of the load, or when most is done.
    async fn end(&self, chance: &mut Chance) {
        let orders = self.book.borrow().open.len() as u64;
        match chance.below(10) {
            0 | 1 => {}
            2..8 => {
                let enough = chance.below(orders + 1);
                let what = format!("{enough} of {orders} acknowledgements");
                until(&what, async || (self.acknowledged.get() >= enough).then_some(())).await;
            }
            _ => {
                until("all acknowledgements", async || {
                    (self.acknowledged.get() >= orders).then_some(())
                })
                .await;
                let last = self.book.borrow().order.last().cloned();
                if let Some(last) = last {
                    let ended = self.runner.wait(&last).await;
                    self.book.borrow_mut().shown(&last, &ended);
                }
            }
        }
        tokio::time::sleep(Duration::from_micros(chance.below(80_000))).await;
        self.runner.kill_now();
    }

    /// Submits what is open, several at a time.
    async fn submit(&self) {
        let client = async || {
            loop {
                let Some(order) = self.book.borrow_mut().open.pop_front() else { return };
                let request = self.runner.request(Method::POST, "/exec");
                let sent = self.runner.try_send(request.json(&order.body(self.world))).await;
                let Ok(answer) = sent else {
                    // Nobody knows whether it was taken: asked again with the same key.
                    return self.book.borrow_mut().open.push_front(order);
                };
                assert!(matches!(answer.status, 200 | 202), "{:#}", answer.body);
                self.book.borrow_mut().acknowledge(&answer.id(), order);
                self.acknowledged.set(self.acknowledged.get() + 1);
            }
        };
        tokio::join!(client(), client(), client(), client(), client(), client());
    }

    /// Looks at executions as long as the server lives.
    async fn look(&self, chance: &mut Chance) {
        loop {
            let picked = self.book.borrow().pick(chance);
            let path =
                picked.as_ref().map_or("/health/live".to_owned(), |id| format!("/exec/{id}"));
            let request = self.runner.request(Method::GET, &path);
            let Ok(answer) = self.runner.try_send(request).await else { return };
            assert_eq!(answer.status, 200, "{:#}", answer.body);
            if let Some(id) = picked {
                self.book.borrow_mut().shown(&id, &answer.body);
            }
        }
    }

    /// Follows the events of executions as long as the server lives.
    async fn follow(&self, chance: &mut Chance) {
        loop {
            let picked = self.book.borrow().pick(chance);
            let Some(id) = picked else {
                let request = self.runner.request(Method::GET, "/health/live");
                match self.runner.try_send(request).await {
                    Ok(_) => continue,
                    Err(_) => return,
                }
            };
            let after = self.book.borrow().last_event(&id).filter(|_| chance.percent(50));
            let Some(mut events) = self.runner.try_events(&id, after).await else { return };
            while let Some(event) = events.next().await {
                self.book.borrow_mut().heard(&id, event);
            }
        }
    }
}

async fn everything_is_as_it_must_be(world: &World, runner: &Runner, book: &mut Book) {
    let mut rows = BTreeSet::new();
    let mut kinds: BTreeMap<String, i64> = BTreeMap::new();
    for id in book.order.clone() {
        let ended = runner.wait(&id).await;
        book.shown(&id, &ended);
        let taken = &book.taken[&id];
        taken.order.check(&id, &ended);
        rows.extend(taken.order.rows(&id));
        *kinds.entry(format!("{:?}", taken.order.kind)).or_default() += 1;
    }
    let count = |kind: Kind| kinds.get(&format!("{kind:?}")).copied().unwrap_or(0);
    eprintln!("{kinds:?}");

    let listed = list(runner).await;
    let taken: BTreeSet<String> = book.order.iter().cloned().collect();
    assert_eq!(listed.len(), taken.len(), "the list holds more or less than was acknowledged");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), taken);

    let database = world.database("main");
    let mut query = database.prepare("select execution, step, item from mark").unwrap();
    let found = query.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let found: Vec<Row> = found.map(Result::unwrap).collect();
    assert_eq!(found.len(), rows.len(), "rows were lost or repeated");
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), rows);
    let counter: i64 = database.query_row("select n from counter", (), |row| row.get(0)).unwrap();
    assert_eq!(counter, count(Kind::Counter));

    let queues = runner.get("/queues").await.body;
    let messages = queues["queues"].as_array().into_iter().flatten();
    let messages: i64 = messages.filter_map(|queue| queue["messages"].as_i64()).sum();
    assert_eq!(messages, count(Kind::Message), "messages were lost or repeated: {queues:#}");

    let mut keys = BTreeMap::new();
    for seen in world.stub().all().iter().filter(|seen| seen.method == "POST") {
        let key = seen.header("idempotency-key").to_owned();
        let first =
            keys.entry(seen.path.clone()).or_insert_with(|| (key.clone(), seen.body.clone()));
        assert_eq!(*first, (key, seen.body.clone()), "{} came under two keys", seen.path);
    }
    let different: BTreeSet<&String> = keys.values().map(|(key, _)| key).collect();
    assert_eq!(different.len(), keys.len(), "two calls share a key");
}

/// All executions, page by page.
async fn list(runner: &Runner) -> Vec<String> {
    let mut all = Vec::new();
    let mut path = "/exec?limit=100".to_owned();
    loop {
        let page = runner.get(&path).await.body;
        let ids = page["executions"].as_array().unwrap().iter();
        all.extend(ids.map(|one| one["execution_id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => path = format!("/exec?limit=100&cursor={next}"),
            None => return all,
        }
    }
}
