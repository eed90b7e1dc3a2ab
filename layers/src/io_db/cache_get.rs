//! `cache_get`: a value that an earlier step or execution kept.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType, Setup};
use crate::context::{Cx, now};
use crate::marks::store_failure;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Looks a value up.
pub(crate) struct CacheGet;

/// Which value.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// The key; 1 to 1024 bytes.
    key: String,
    /// The answer when there is no value, or it has run out.
    #[serde(default)]
    default: Value,
    /// Looks among the values that all intents share, instead of this intent's own.
    #[serde(default)]
    shared: bool,
}

/// What was found.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether there was a value.
    hit: bool,
    /// The value, or `default`.
    value: Value,
}

/// The longest key, in bytes.
const LONGEST_KEY: usize = 1024;

/// Where values of an intent, or those of all, are kept.
pub(super) fn space(cx: &Cx, shared: bool) -> String {
    if shared { "cache".to_owned() } else { format!("cache:{}", cx.intent) }
}

/// Keys have a length.
pub(super) fn check_key(atom: &str, key: &str) -> Result<(), Failure> {
    if (1..=LONGEST_KEY).contains(&key.len()) {
        return Ok(());
    }
    Err(crate::input::bad(atom, "key", format!("it has {} bytes", key.len()))
        .hint(format!("use 1 to {LONGEST_KEY} bytes; hash longer keys")))
}

impl Atom for CacheGet {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "cache_get",
        layer: Layer::IoDb,
        summary: "Looks up a value in the cache.",
        effect: Effect::Read,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Memory,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn examples() -> Vec<Example> {
        vec![
            Example {
                title: "Look up a rate that an earlier execution kept",
                setup: vec![Setup::Cache { key: "rate:EUR", value: json!(1.08) }],
                input: json!({ "key": "rate:EUR" }),
                expect: json!({ "hit": true, "value": 1.08 }),
            },
            Example {
                title: "Fall back to a value of one's own",
                setup: vec![],
                input: json!({ "key": "rate:GBP", "default": 1 }),
                expect: json!({ "hit": false, "value": 1 }),
            },
        ]
    }

    async fn run(cx: Cx, input: Input) -> Result<Output, Failure> {
        check_key("cache_get", &input.key)?;
        let space = space(&cx, input.shared);
        let found = cx.shared.kv.get(&space, &input.key, now()).await.map_err(store_failure)?;
        Ok(Output { hit: found.is_some(), value: found.unwrap_or(input.default) })
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { hit, value } = output;
        Ok(crate::atom::object([("hit", hit.into()), ("value", value)]))
    }
}
