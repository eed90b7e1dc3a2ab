//! Lists and deletions.

use super::{append, append_all, birth, everything, id, next, summary};
use jalm_kernel::ids::Timestamp;
use jalm_kernel::machine::{Status, Summary};
use jalm_kernel::ports::{Filter, Store};

pub(super) async fn lists(store: &dyn Store) {
    let intents = ["a", "b", "with 'quotes'"];
    let mut all = Vec::new();
    for n in (1..=60).rev() {
        let status = Status::ALL[usize::try_from(n % 5).expect("small")];
        let intent = intents[usize::try_from(n % 3).expect("small")];
        append_all(store, [birth(n, intent, Status::Pending)]).await;
        if status != Status::Pending {
            append_all(store, [next(n, intent, status, 1, 1)]).await;
        }
        all.push(summary(n, intent, status));
    }
    let unfinished = store.unfinished().await.expect("lists");
    let open = all.iter().rev().filter(|it| !it.status.is_end()).map(|it| it.execution_id);
    assert_eq!(unfinished, open.collect::<Vec<_>>(), "unfinished, oldest first");

    let states = [None].into_iter().chain(Status::ALL.map(Some));
    for status in states {
        for intent in [None, Some("a"), Some("with 'quotes'"), Some("nothing")] {
            for since in
                [None, Some(Timestamp(0)), Some(Timestamp(30_000)), Some(Timestamp(60_001))]
            {
                for before in [None, Some(id(40)), Some(id(1))] {
                    let intent = intent.map(ToOwned::to_owned);
                    let filter = Filter { status, intent, since, before, limit: 7 };
                    let fits = |it: &&Summary| {
                        filter.status.is_none_or(|status| status == it.status)
                            && filter.intent.as_deref().is_none_or(|name| name == &*it.intent)
                            && filter.since.is_none_or(|since| it.created_at >= since)
                            && filter.before.is_none_or(|before| it.execution_id < before)
                    };
                    let expected: Vec<_> = all.iter().filter(fits).take(7).cloned().collect();
                    let listed = store.list(filter.clone()).await.expect("lists");
                    assert_eq!(listed, expected, "{filter:?}");
                }
            }
        }
    }
    // Page by page, each execution once.
    let (mut paged, mut before) = (Vec::new(), None);
    loop {
        let page = store.list(Filter { before, limit: 13, ..Filter::default() }).await;
        let page = page.expect("lists");
        let Some(last) = page.last() else { break };
        before = Some(last.execution_id);
        paged.extend(page);
    }
    assert_eq!(paged, all, "page by page");
    assert_eq!(store.list(Filter::default()).await.expect("lists").len(), 1, "limit 0 is 1");
}

pub(super) async fn deletes(store: &dyn Store) {
    for (n, status) in (1..).zip(Status::ALL) {
        append_all(store, [birth(n, "a", status)]).await;
        assert_eq!(store.delete(id(n)).await, Ok(status.is_end()), "{status:?}");
        assert_eq!(store.load(id(n)).await.expect("loads").is_none(), status.is_end());
        assert_eq!(store.delete(id(n)).await, Ok(false), "{status:?}, the second time");
    }
    assert_eq!(store.list(everything()).await.expect("lists").len(), 2);
    let late = append(store, next(3, "a", Status::Completed, 1, 1)).await;
    assert!(late.is_err(), "a record of a deleted execution was stored");
    // A plan outlives one of its executions, and comes again after the last.
    append_all(store, [birth(11, "p", Status::Failed), birth(12, "p", Status::Failed)]).await;
    for n in [11, 12] {
        assert_eq!(store.delete(id(n)).await, Ok(true));
        append_all(store, [birth(n + 10, "p", Status::Failed)]).await;
        let stored = store.load(id(n + 10)).await.expect("loads").expect("is there");
        assert_eq!(&*stored.source, "intent: p\n");
    }
    assert_eq!(store.delete(id(21)).await, Ok(true));
    assert_eq!(store.delete(id(22)).await, Ok(true));
    append_all(store, [birth(11, "p", Status::Failed)]).await;
    assert!(store.load(id(11)).await.expect("loads").is_some(), "born again after its deletion");
}
