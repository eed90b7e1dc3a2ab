//! `generate_uuid`: names that nothing else has.
//!
//! Its effect is none although it answers differently each time: the answer is recorded, and a
//! recorded value never changes on replay.

use crate::atom::{Atom, Blocker, Card, Example, Frequency, IoType};
use crate::context::Cx;
use crate::input::bad;
use jalm_kernel::atom::{Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

/// Makes UUIDs.
pub(crate) struct GenerateUuid;

/// Which kind, and how many.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Input {
    /// 4 is random; 7 starts with the time, so that later ones sort behind earlier ones.
    #[serde(default = "four")]
    #[schemars(extend("enum" = [4, 7]))]
    version: u8,
    /// How many; 1 to 1000.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1000))]
    count: u16,
}

fn four() -> u8 {
    4
}

fn one() -> u16 {
    1
}

/// The UUIDs, in lower case with dashes.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The first one.
    uuid: String,
    /// All of them.
    uuids: Vec<String>,
}

impl Atom for GenerateUuid {
    type Input = Input;
    type Output = Output;
    const CARD: Card = Card {
        name: "generate_uuid",
        layer: Layer::ComputeScript,
        summary: "Makes unique identifiers (UUIDs).",
        effect: Effect::None,
        retry: RetrySafety::Safe,
        verbatim: &[],
        io: IoType::Cpu,
        frequency: Frequency::High,
        blocker: Blocker::None,
        languages: &[],
    };

    fn check_literal(key: &str, value: &Value) -> Result<(), Failure> {
        match key {
            "version" if !matches!(value.as_u64(), Some(4 | 7)) => Err(wrong_version(value)),
            "count" if !matches!(value.as_u64(), Some(1..=1000)) => Err(wrong_count(value)),
            _ => Ok(()),
        }
    }

    fn examples() -> Vec<Example> {
        vec![Example {
            title: "Three identifiers that sort by time",
            setup: vec![],
            input: json!({ "version": 7, "count": 3 }),
            expect: json!({}),
        }]
    }

    async fn run(_: Cx, input: Input) -> Result<Output, Failure> {
        let make = match input.version {
            4 => Uuid::new_v4,
            7 => Uuid::now_v7,
            other => return Err(wrong_version(&other.into())),
        };
        if !(1..=1000).contains(&input.count) {
            return Err(wrong_count(&input.count.into()));
        }
        let uuids: Vec<String> = (0..input.count).map(|_| make().to_string()).collect();
        Ok(Output { uuid: uuids[0].clone(), uuids })
    }

    fn into_value(output: Output) -> Result<Value, serde_json::Error> {
        let Output { uuid, uuids } = output;
        Ok(crate::atom::object([("uuid", uuid.into()), ("uuids", uuids.into())]))
    }
}

fn wrong_version(found: &Value) -> Failure {
    bad("generate_uuid", "version", format!("`{found}` is not supported"))
        .hint("write 4 (random) or 7 (sorts by time)")
}

fn wrong_count(found: &Value) -> Failure {
    bad("generate_uuid", "count", format!("`{found}` is out of range")).hint("write 1 to 1000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn identifiers_differ_and_version_7_sorts() {
        let world = World::new();
        let output =
            world.run("generate_uuid", json!({ "version": 7, "count": 1000 })).await.unwrap();
        let uuids: Vec<&str> =
            output["uuids"].as_array().unwrap().iter().map(|uuid| uuid.as_str().unwrap()).collect();
        assert_eq!(uuids.len(), 1000);
        assert!(uuids.is_sorted() && uuids.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!(output["uuid"], uuids[0]);
        assert_eq!(Uuid::parse_str(uuids[0]).unwrap().get_version_num(), 7);
        let random = world.run("generate_uuid", json!({})).await.unwrap();
        let uuid = Uuid::parse_str(random["uuid"].as_str().unwrap()).unwrap();
        assert_eq!(uuid.get_version_num(), 4);
    }

    #[tokio::test]
    async fn bad_input_is_refused() {
        World::new()
            .refuses(
                "generate_uuid",
                &[
                    (json!({ "version": 1 }), "`version`", "write 4"),
                    (json!({ "count": 0 }), "`count`", "1 to 1000"),
                    (json!({ "count": 70000 }), "`count`", "1 to 1000"),
                    (json!({ "cuont": 1 }), "`cuont`", "did you mean `count`?"),
                ],
            )
            .await;
    }
}
