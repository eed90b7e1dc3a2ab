//! `notify_mq`: a message on the embedded queue.
//!
//! Its id is the call's idempotency key: a call that is repeated after a crash publishes nothing
//! new.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::{Cx, now};
use crate::input::bad;
use crate::marks::store_failure;
use crate::net::Fields;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jalm_kernel::ports::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Publishes a message.
pub(crate) struct NotifyMq;

/// The message, and where it goes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The queue's name: up to 128 letters, digits, `_`, `-`, `.`, `:` and `/`. Needs the grant
    /// `notify: [queue]`.
    queue: String,
    /// Any JSON value.
    message: Value,
    /// Text headers.
    #[serde(default)]
    headers: Fields,
    /// The message's id; a queue takes each id once. Left out: an id of this very step.
    message_id: Option<String>,
}

/// What was published.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The message's id.
    message_id: String,
    /// The queue.
    queue: String,
    /// False when the queue had a message of this id already.
    published: bool,
}

/// The longest name of a queue and the longest id, in bytes.
const LONGEST: usize = 128;

impl Atom for NotifyMq {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "notify_mq",
        layer: Layer::NotifyMq,
        summary: "Puts a message on a queue, once.",
        effect: Effect::Write,
        retry: RetrySafety::WithKey,
        verbatim: &[],
        io: IoType::Disk,
        frequency: Frequency::High,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match (key, value.as_str()) {
            ("queue", Some(queue)) => check_queue(queue),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Tell others about an order",
            setup: vec![],
            input: json!({
                "queue": "orders",
                "message": { "id": 42, "status": "paid" },
                "headers": { "source": "shop" },
            }),
            expect: json!({ "queue": "orders", "published": true }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        let Input { queue, message, headers, message_id } = input;
        check_queue(&queue)?;
        cx.access()?.notify("queue")?;
        let id = match message_id {
            Some(id) if !(1..=LONGEST).contains(&id.len()) => {
                return Err(bad("notify_mq", "message_id", format!("it has {} bytes", id.len()))
                    .hint(format!("use 1 to {LONGEST} bytes")));
            }
            Some(id) => id,
            None => cx.key.to_string(),
        };
        let headers = headers.0.into_iter().map(|(name, text)| (name, Value::String(text)));
        let message = Message {
            id: id.clone(),
            body: message,
            headers: Value::Object(headers.collect()),
            at: now(),
        };
        let published = cx.shared.queue.publish(&queue, message).await.map_err(store_failure)?;
        Ok(Output { message_id: id, queue, published })
    }
}

fn check_queue(queue: &str) -> Result<(), Failure> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte);
    if (1..=LONGEST).contains(&queue.len()) && queue.bytes().all(good) {
        return Ok(());
    }
    Err(bad("notify_mq", "queue", format!("`{queue}` is not a queue's name"))
        .hint("use up to 128 letters, digits, `_`, `-`, `.`, `:` and `/`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use jalm_kernel::ports::{Call, Queue};

    #[tokio::test]
    async fn a_repeated_call_publishes_once() {
        let world = World::new();
        let call = world
            .call("notify_mq", json!({ "queue": "orders", "message": [1], "headers": { "n": 1 } }));
        let first = world.perform(call.clone()).await.unwrap();
        let second = world.perform(Call { attempt: 2, ..call }).await.unwrap();
        assert_eq!((&first["published"], &second["published"]), (&json!(true), &json!(false)));
        let messages = world.queue.peek("orders", 10).await.unwrap();
        assert_eq!(messages.len(), 1);
        assert_eq!((messages[0].id.as_str(), &messages[0].body), ("jalm-test-0", &json!([1])));
        assert_eq!(messages[0].headers, json!({ "n": "1" }));
    }

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "notify_mq",
                &[
                    (json!({ "queue": "q" }), "`message`", "add `message`: "),
                    (json!({ "queue": "", "message": 1 }), "`queue`", "up to 128"),
                    (json!({ "queue": "a b", "message": 1 }), "`a b`", "up to 128"),
                    (
                        json!({ "queue": "q", "message": 1, "message_id": "" }),
                        "`message_id`",
                        "1 to 128",
                    ),
                    (
                        json!({ "queue": "q", "message": 1, "header": {} }),
                        "`header`",
                        "did you mean `headers`?",
                    ),
                ],
            )
            .await;
    }
}
