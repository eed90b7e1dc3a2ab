//! What an atom is, and how it stands in the list of its layer.

use crate::context::Cx;
use crate::input;
use jalm_kernel::atom::{AtomSpec, Effect, Layer, RetrySafety};
use jalm_kernel::failure::Failure;
use jalm_kernel::ports::{Answer, Future};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// One executable action.
///
/// `run` gets an input that has the right shape and a [`Cx`] that holds what the execution may
/// touch. Dropping its future aborts the work. When nothing has to be waited for it must answer at
/// the first poll: the engine takes such an answer on the spot.
pub trait Atom: 'static {
    /// What it takes; doc comments become the schema's descriptions.
    type Input: DeserializeOwned + JsonSchema + Send;
    /// What it gives.
    type Output: Serialize + JsonSchema + Send;
    /// Its name and its promises.
    const CARD: Card;

    /// For atoms that run foreign code: the effect of an input where the intent's grants give
    /// scripts the network.
    const ONLINE: Option<fn(&Value) -> Effect> = None;

    /// The effect of this very input; never stronger than the card's.
    fn effect_of(_input: &Value) -> Effect {
        Self::CARD.effect
    }

    /// Checks a top-level key whose value is known before the run.
    fn check_literal(_key: &str, _value: &Value) -> Result<(), Failure> {
        Ok(())
    }

    /// At least one use that works as it stands.
    fn examples() -> Vec<Example>;

    /// Does it.
    fn run(
        cx: Cx,
        input: Self::Input,
    ) -> impl std::future::Future<Output = Result<Self::Output, Failure>> + Send;

    /// The isolation that was in force, for atoms that run foreign code.
    fn isolation(_output: &Self::Output) -> Option<Arc<str>> {
        None
    }

    /// The output as JSON. Atoms whose outputs hold large values move them instead of copying.
    fn into_value(output: Self::Output) -> Result<Value, serde_json::Error> {
        serde_json::to_value(output)
    }
}

/// The name and the promises of an atom, all known at compile time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Card {
    /// `exec_http`; also the name of its file.
    pub name: &'static str,
    /// The layer, and with it the folder.
    pub layer: Layer,
    /// One sentence, for lists.
    pub summary: &'static str,
    /// The strongest effect that any input can have.
    pub effect: Effect,
    /// What to do when the answer was lost in a crash.
    pub retry: RetrySafety,
    /// Top-level input keys whose text is taken as written: scripts, queries, templates.
    pub verbatim: &'static [&'static str],
    /// What it mostly works with.
    pub io: IoType,
    /// How often intents use it.
    pub frequency: Frequency,
    /// What it can have to wait for.
    pub blocker: Blocker,
    /// Languages of the code it runs; empty for atoms that run none.
    pub languages: &'static [&'static str],
}

impl Card {
    /// The header of `kernel/raw_atomics.csv`.
    pub const CSV_HEADER: &'static str = "name|lang|side_effect|io_type|freq|blocker";

    /// Its row of `kernel/raw_atomics.csv`.
    pub fn csv_row(&self) -> String {
        let lang = match self.languages {
            [] => "native".to_owned(),
            languages => languages.join(","),
        };
        let effect = match self.effect {
            Effect::None => "none",
            Effect::Read => "read",
            Effect::Write => "write",
        };
        let (io, frequency, blocker) = (self.io.name(), self.frequency.name(), self.blocker.name());
        format!("{}|{lang}|{effect}|{io}|{frequency}|{blocker}", self.name)
    }
}

/// What an atom mostly works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum IoType {
    Network,
    Disk,
    Memory,
    Cpu,
}

impl IoType {
    /// As written in the CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
        }
    }
}

/// How often intents use an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Frequency {
    High,
    Medium,
    Low,
}

impl Frequency {
    /// As written in the CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// What an atom can have to wait for, other than the processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Blocker {
    /// Nothing: it answers at once.
    None,
    /// A service at the other end of a connection.
    Network,
    /// The disk.
    Disk,
    /// A free isolate, and the foreign code itself.
    Isolate,
}

impl Blocker {
    /// As written in the CSV.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Network => "network",
            Self::Disk => "disk",
            Self::Isolate => "isolate",
        }
    }
}

/// A use of an atom that works as it stands: documentation, and a test.
#[derive(Clone, Debug, Serialize)]
pub struct Example {
    /// What it shows.
    pub title: &'static str,
    /// What must be there before.
    pub setup: Vec<Setup>,
    /// The step's input.
    pub input: Value,
    /// A part of the output: each key stands there with this value, others may stand beside.
    pub expect: Value,
}

/// What an example needs to find.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Setup {
    /// A file below the file root.
    File { path: &'static str, content: &'static str },
    /// Statements run on a connection.
    Sql { connection: &'static str, statements: &'static [&'static str] },
    /// A value in the cache of the example's intent.
    Cache { key: &'static str, value: Value },
    /// What `https://api.example.com` answers to a request for this path.
    Http { method: &'static str, path: &'static str, status: u16, body: Value },
}

/// An atom as the registry holds it.
pub struct Entry {
    /// Its name and promises.
    pub card: &'static Card,
    /// What the kernel needs to know.
    pub spec: AtomSpec,
    /// Uses that work as they stand.
    pub examples: Vec<Example>,
    run: fn(Cx, Value) -> Future<'static, Result<Answer, Failure>>,
}

impl Entry {
    /// The entry of atom `A`.
    pub(crate) fn of<A: Atom>() -> Self {
        let card = &A::CARD;
        let spec = AtomSpec {
            name: card.name,
            layer: card.layer,
            summary: card.summary,
            effect: card.effect,
            effect_of: A::effect_of,
            online: A::ONLINE,
            retry: card.retry,
            verbatim: card.verbatim,
            input_schema: schemars::schema_for!(A::Input).to_value(),
            output_schema: schemars::schema_for!(A::Output).to_value(),
            check_literal: check::<A>,
        };
        Self { card, spec, examples: A::examples(), run: |cx, input| Box::pin(run::<A>(cx, input)) }
    }

    /// Runs it.
    pub(crate) fn run(&self, cx: Cx, input: Value) -> Future<'static, Result<Answer, Failure>> {
        (self.run)(cx, input)
    }
}

async fn run<A: Atom>(cx: Cx, input: Value) -> Result<Answer, Failure> {
    let input = input::decode::<A>(input)?;
    let output = A::run(cx, input).await?;
    let isolation = A::isolation(&output);
    let output = A::into_value(output)
        .map_err(|error| Failure::bug(format!("output of `{}`: {error}", A::CARD.name)))?;
    Ok(Answer { output, isolation })
}

/// A key that the atom does not take is wrong whatever its value is.
fn check<A: Atom>(key: &str, value: &Value) -> Result<(), Failure> {
    let spec = &crate::catalog::catalog()
        .entry(A::CARD.name)
        .ok_or_else(|| Failure::bug(format!("`{}` is in no list", A::CARD.name)))?
        .spec;
    if !input::keys(&spec.input_schema).any(|known| known == key) {
        return Err(input::unknown_key(spec, key));
    }
    // The planner points at the key itself, so that its name need not be said again.
    A::check_literal(key, value).map_err(|mut failure| {
        let named = format!("bad input `{key}` of `{}`: ", A::CARD.name);
        if failure.message.starts_with(&named) {
            failure.message.drain(..named.len());
        }
        failure
    })
}

/// A map in this order, its values moved.
pub(crate) fn object<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
