//! `cache_set`: a value kept for later steps and executions, until it runs out.

use super::cache_get::{check_key, space};
use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::{Cx, now};
use crate::input::TimeSpan;
use crate::marks::store_failure;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jalm_kernel::ids::Millis;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Keeps a value.
pub(crate) struct CacheSet;

/// Which value, and how long.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The key; 1 to 1024 bytes.
    key: String,
    /// Any JSON value.
    value: Value,
    /// How long it is kept: `60s`, `10m`, `24h`. Left out: until it is overwritten.
    ttl: Option<TimeSpan>,
    /// Keeps it where all intents can read it, instead of this intent only.
    #[serde(default)]
    shared: bool,
}

/// What was kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The key.
    key: String,
    /// When it runs out, in RFC 3339; `null` when it does not.
    expires_at: Option<String>,
}

impl Atom for CacheSet {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "cache_set",
        layer: Layer::IoDb,
        summary: "Keeps a value in the cache, for a while or for good.",
        effect: Effect::Write,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Memory,
        frequency: Frequency::High,
        blocker: Blocker::Disk,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Keep a rate for ten minutes",
            setup: vec![],
            input: json!({ "key": "rate:EUR", "value": { "rate": 1.08 }, "ttl": "10m" }),
            expect: json!({ "key": "rate:EUR" }),
        }]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        check_key("cache_set", &input.key)?;
        let expires = input.ttl.map(|ttl| now().plus(Millis(ttl.millis())));
        let space = space(&cx, input.shared);
        cx.shared.kv.set(&space, &input.key, input.value, expires).await.map_err(store_failure)?;
        Ok(Output { key: input.key, expires_at: expires.map(|at| at.to_string()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;
    use jalm_kernel::ports::{Call, Runner};
    use std::task::{Context, Poll, Waker};

    #[tokio::test]
    async fn values_run_out_and_belong_to_their_intent() {
        let world = World::new();
        for input in [
            json!({ "key": "a", "value": 1, "ttl": 0 }),
            json!({ "key": "b", "value": 2, "ttl": "1h" }),
            json!({ "key": "c", "value": 3, "shared": true }),
        ] {
            world.run("cache_set", input).await.unwrap();
        }
        let get = |key: &str, shared: bool| {
            world.run("cache_get", json!({ "key": key, "shared": shared }))
        };
        assert_eq!(get("a", false).await.unwrap(), json!({ "hit": false, "value": null }));
        assert_eq!(get("b", false).await.unwrap(), json!({ "hit": true, "value": 2 }));
        assert_eq!(get("c", false).await.unwrap()["hit"], false);
        assert_eq!(get("c", true).await.unwrap()["value"], 3);
        let other =
            Call { intent: "other".into(), ..world.call("cache_get", json!({ "key": "b" })) };
        assert_eq!(world.perform(other).await.unwrap()["hit"], false);
    }

    #[test]
    fn what_waits_for_nothing_answers_at_the_first_poll() {
        let world = World::new();
        for (atom, input) in [
            ("generate_uuid", json!({})),
            ("get_timestamp", json!({})),
            ("render_json", json!({ "data": [1] })),
            ("cache_set", json!({ "key": "k", "value": 1 })),
            ("cache_get", json!({ "key": "k" })),
        ] {
            let mut future = world.layers.run(world.call(atom, input));
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(matches!(polled, Poll::Ready(Ok(_))), "{atom}");
        }
    }

    #[tokio::test]
    async fn bad_input_is_refused() {
        let world = World::new();
        world
            .refuses(
                "cache_set",
                &[
                    (json!({ "key": "k" }), "`value`", "add `value`: "),
                    (json!({ "key": "", "value": 1 }), "`key`", "1 to 1024"),
                    (json!({ "key": "k", "value": 1, "ttl": "soon" }), "`ttl`", "`ttl`: "),
                    (json!({ "key": "k", "value": 1, "tll": 1 }), "`tll`", "did you mean `ttl`?"),
                ],
            )
            .await;
        world
            .refuses(
                "cache_get",
                &[
                    (json!({}), "`key`", "add `key`: "),
                    (json!({ "key": "k".repeat(1025) }), "1025 bytes", "hash longer keys"),
                    (json!({ "key": 1 }), "`key`", "`key`: "),
                ],
            )
            .await;
    }
}
