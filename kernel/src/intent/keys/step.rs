//! The keys of a step.

use super::{Rule, Shape, Table, key, later};
use crate::intent::{Backoff, OnError, OnItemError};

/// One entry of `steps`.
pub(in crate::intent) static STEP: Table = Table {
    one_of: &[&["atom", "layer"], &["set"], &["steps"], &["parallel"]],
    ..Table::new(
        "step",
        "One step: what it does (an atom, `set`, `steps` or `parallel`) and when",
        &[
            key(
                "id",
                Shape::Name(Rule::Step),
                "The step's name in expressions: `steps.ID.output`; without it `step1`, `step2`… by its place",
            ),
            key("name", Shape::Text { example: "Read the rows" }, "What it is for, for people")
                .elsewhere(&["title", "description", "label"]),
            key("layer", Shape::Layer, "The layer; alone it means the layer's default atom"),
            key(
                "atom",
                Shape::Text { example: "get_timestamp" },
                "The atom to run; it implies its layer",
            )
            .elsewhere(&["uses", "type", "action", "tool", "task", "function", "do"]),
            key("input", Shape::Map, "The atom's input, with expressions")
                .beside(&["atom", "layer"])
                .elsewhere(&["with", "inputs", "params", "parameters", "arguments", "config"]),
            key(
                "needs",
                Shape::Texts { example: "fetch_rows" },
                "The steps it follows; without it, the step before. `[]` starts at once",
            )
            .elsewhere(&["depends_on", "dependsOn", "depends", "after", "requires"]),
            key("when", Shape::Condition, "The step is skipped unless this is true").elsewhere(&[
                "if",
                "condition",
                "only_if",
            ]),
            key(
                "foreach",
                Shape::Items,
                "Does the step once for each item of a list; `item` and `index` are its variables",
            )
            .elsewhere(&["for", "loop", "with_items", "each", "map", "items"]),
            key("as", Shape::Name(Rule::Variable), "Another name for `item`")
                .beside(&["foreach"])
                .elsewhere(&["var", "item_name"]),
            key(
                "concurrency",
                Shape::Whole { min: 1, max: 1000 },
                "How many items run at once; 1 without it",
            )
            .beside(&["foreach"])
            .elsewhere(&["max_parallel", "parallelism"]),
            key(
                "on_item_error",
                Shape::OneOf(ON_ITEM_ERROR_WORDS),
                "What a failing item does to its loop",
            )
            .beside(&["foreach"]),
            key("set", Shape::Variables, "Binds names for the expressions of later steps")
                .elsewhere(&["vars", "variables", "let", "assign"]),
            key("steps", Shape::Steps, "A group: steps in sequence")
                .elsewhere(&["group", "block", "sequence", "tasks"]),
            key("parallel", Shape::Steps, "Steps side by side")
                .elsewhere(&["branches", "concurrent"]),
            key(
                "retry",
                Shape::Retry(&RETRY),
                "How often a failed attempt is repeated; without it, once is enough",
            )
            .elsewhere(&["retries", "attempts"]),
            key(
                "timeout",
                Shape::Duration { zero: false },
                "The longest time one attempt may take",
            )
            .elsewhere(&["time_limit", "deadline"]),
            key("on_error", Shape::OneOf(ON_ERROR_WORDS), "What the step's final failure does")
                .elsewhere(&["continue_on_error", "ignore_errors", "catch"]),
            key(
                "output",
                Shape::Anything,
                "Reshapes the output: an expression over `response`, the step's own",
            )
            .elsewhere(&["outputs", "result", "register"]),
            later("switch", "write one step for each case, with `when`").form(),
            later("while", "use `foreach` over a list, or `retry` to repeat until it succeeds"),
            later("until", "use `foreach` over a list, or `retry` to repeat until it succeeds"),
            later("wait", "end the intent here, and let the caller start a second one in time")
                .elsewhere(&["sleep", "delay", "pause"])
                .form(),
            later("run", "put the steps of the other intent here, as a group under `steps`").form(),
            later("call", "write the function as a `compute_script` step").form(),
            later("call_tool", "write the function as a `compute_script` step").form(),
            later("args", "give an atom its values under `input`"),
            later("fail", "throw an error in a `compute_script` step, with `when`")
                .elsewhere(&["raise", "throw", "assert"])
                .form(),
            later(
                "return",
                "give the value as the intent's `output`, and put `when` on the steps to leave out",
            )
            .form(),
            later(
                "compensate",
                "set `on_error: continue` and put the undoing step behind it, with `when` on `steps.ID.status`",
            ),
            later("cache", "put `cache_get` before the step and `cache_set` behind it"),
            later(
                "idempotency_key",
                "leave it out; every call already has a key of its own, the same after a crash",
            ),
            later("on_interrupt", "leave it out; what may be repeated is repeated after a crash"),
            later("concurrency_key", "leave it out; `concurrency` bounds the items of a `foreach`"),
            later("priority", "leave it out; steps run in their order"),
        ],
    )
};

/// `retry`.
pub(in crate::intent) static RETRY: Table = Table {
    required: &["attempts"],
    ..Table::new(
        "retry",
        "How often and when a failed attempt is repeated",
        &[
            key(
                "attempts",
                Shape::Whole { min: 1, max: 1000 },
                "Attempts in all, the first included",
            )
            .elsewhere(&["max_attempts", "retries", "count", "times", "limit"]),
            key(
                "backoff",
                Shape::OneOf(BACKOFF_WORDS),
                "How the pause grows; `exponential` without it",
            )
            .elsewhere(&["strategy", "type"]),
            key(
                "delay",
                Shape::Duration { zero: true },
                "The pause after the first failure; 1 s without it",
            )
            .elsewhere(&["interval", "wait", "initial_delay", "initial_interval"]),
            key("max_delay", Shape::Duration { zero: true }, "No pause is longer; 1 m without it")
                .elsewhere(&["max_interval"]),
            key(
                "jitter",
                Shape::Flag,
                "Spreads the pauses, so that many retries do not meet; `true` without it",
            ),
            key(
                "on",
                Shape::Texts { example: "http_status" },
                "Only these failure codes are repeated; without it, all that may pass by themselves",
            ),
            key(
                "unless",
                Shape::Texts { example: "http_status" },
                "These failure codes are never repeated",
            )
            .elsewhere(&["except", "ignore"]),
        ],
    )
};

/// A word and what it stands for in the model.
type Choice<T> = (&'static str, T);

/// `retry.backoff`.
pub(in crate::intent) const BACKOFF: [Choice<Backoff>; 3] = [
    ("constant", Backoff::Constant),
    ("linear", Backoff::Linear),
    ("exponential", Backoff::Exponential),
];
const BACKOFF_WORDS: &[(&str, &str)] = &[
    ("constant", "The same pause each time"),
    ("linear", "`delay`, 2 × `delay`, 3 × `delay`…"),
    ("exponential", "`delay`, 2 × `delay`, 4 × `delay`…"),
];

/// `on_error`.
pub(in crate::intent) const ON_ERROR: [Choice<OnError>; 2] =
    [("fail", OnError::Fail), ("continue", OnError::Continue)];
const ON_ERROR_WORDS: &[(&str, &str)] = &[
    ("fail", "The block around the step fails"),
    ("continue", "The step is marked as failed and the next ones run"),
];

/// `on_item_error`.
pub(in crate::intent) const ON_ITEM_ERROR: [Choice<OnItemError>; 2] =
    [("fail", OnItemError::Fail), ("collect", OnItemError::Collect)];
const ON_ITEM_ERROR_WORDS: &[(&str, &str)] = &[
    ("fail", "The loop fails and its other items stop"),
    ("collect", "The item's place in the output holds `{error: …}`"),
];
