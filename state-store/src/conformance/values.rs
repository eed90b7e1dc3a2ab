//! Small values and the embedded queue.

use jalm_kernel::ids::Timestamp;
use jalm_kernel::ports::{Message, Store};
use serde_json::{Value, json};

pub(super) async fn values(store: &dyn Store) {
    let at = Timestamp;
    let value = json!({"z": 1, "a": [0.1, -3, "ü\0", null, 1.797_693_134_862_315_7e308]});
    assert_eq!(store.get("s", "k", at(0)).await, Ok(None));
    assert_eq!(store.remove("s", "k").await, Ok(false));
    store.set("s", "k", value.clone(), None).await.expect("sets");
    assert_eq!(store.get("s", "k", at(i64::MAX)).await, Ok(Some(value.clone())));
    let text = store.get("s", "k", at(0)).await.expect("gets").map(|it| it.to_string());
    assert_eq!(text, Some(value.to_string()), "the order of keys changed");
    for (space, key) in [("t", "k"), ("s", "K"), ("", "k"), ("s", "")] {
        assert_eq!(store.get(space, key, at(0)).await, Ok(None), "`{space}` `{key}`");
    }
    store.set("s", "k", Value::Null, Some(at(100))).await.expect("replaces");
    assert_eq!(store.get("s", "k", at(99)).await, Ok(Some(Value::Null)));
    assert_eq!(store.get("s", "k", at(100)).await, Ok(None), "visible although it ran out");
    assert_eq!(store.remove("s", "k").await, Ok(false), "what has run out is not there");
    store.set("s", "k", json!(1), Some(at(300))).await.expect("sets");
    assert_eq!(store.remove("s", "k").await, Ok(true));
    assert_eq!(store.get("s", "k", at(100)).await, Ok(None));
    // Many come and run out; those that have not stay.
    for n in 0..400_u32 {
        let expires = (n % 2 == 0).then_some(at(200));
        store.set("many", &n.to_string(), json!(n), expires).await.expect("sets");
        if n == 200 {
            assert_eq!(store.get("many", "0", at(200)).await, Ok(None));
        }
    }
    for n in 0..400_u32 {
        let expected = (n % 2 == 1).then(|| json!(n));
        assert_eq!(store.get("many", &n.to_string(), at(250)).await, Ok(expected), "{n}");
    }
}

pub(super) fn message(id: &str, body: i64) -> Message {
    Message { id: id.into(), body: json!({"n": body}), headers: json!({}), at: Timestamp(body) }
}

pub(super) async fn messages(store: &dyn Store) {
    assert_eq!(store.queues().await, Ok(Vec::new()));
    assert_eq!(store.publish("q", message("2", 1)).await, Ok(true));
    assert_eq!(store.publish("q", message("1", 2)).await, Ok(true));
    assert_eq!(store.publish("q", message("2", 3)).await, Ok(false), "an id came twice");
    assert_eq!(store.publish("p", message("2", 4)).await, Ok(true));
    assert_eq!(store.peek("q", 10).await, Ok(vec![message("2", 1), message("1", 2)]));
    assert_eq!(store.peek("q", 1).await, Ok(vec![message("2", 1)]));
    assert_eq!(store.peek("q", 0).await, Ok(Vec::new()));
    assert_eq!(store.peek("nothing", 10).await, Ok(Vec::new()));
    assert_eq!(store.queues().await, Ok(vec![("p".to_owned(), 1), ("q".to_owned(), 2)]));
    assert_eq!(store.acknowledge("q", "2").await, Ok(true));
    assert_eq!(store.acknowledge("q", "2").await, Ok(false));
    assert_eq!(store.publish("q", message("3", 5)).await, Ok(true));
    assert_eq!(store.peek("q", 10).await, Ok(vec![message("1", 2), message("3", 5)]));
    assert_eq!(store.acknowledge("p", "2").await, Ok(true));
    assert_eq!(store.queues().await, Ok(vec![("q".to_owned(), 2)]));
}
