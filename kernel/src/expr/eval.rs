//! Evaluating a compiled expression against what is known of an execution.

use super::compile::{Code, Expr, Root};
use super::datum::Datum;
use super::path::{self, Segment};
use crate::failure::Failure;
use crate::machine::StepStatus;
use crate::plan::NodeIx;
use minijinja::Value as Jinja;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The facts that expressions can see.
pub trait Scope {
    /// The value behind a name; none if it has none (a `set` that was skipped).
    /// Never called with [`Root::Step`].
    fn datum(&self, root: &Root) -> Option<Datum>;
    /// What a step shows of itself.
    fn step(&self, node: NodeIx) -> StepFacts;
}

/// What a step shows of itself.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of DESIGN §3")]
pub struct StepFacts {
    pub status: StepStatus,
    pub output: Option<Datum>,
    pub error: Option<Failure>,
    pub attempts: u32,
}

impl Expr {
    /// The value; undefined is an error.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, Failure> {
        match &self.code {
            Code::Path { root: Root::Step { node, .. }, segments } => {
                self.eval_step_path(&scope.step(*node), segments)
            }
            Code::Path { root, segments } => {
                let datum = scope.datum(root).ok_or_else(|| self.undefined(""))?;
                self.walk(datum.json(), segments).cloned()
            }
            Code::Jinja(compiled) => {
                let value =
                    compiled.eval(self.context(scope)).map_err(|error| self.failed(&error))?;
                if value.is_undefined() {
                    return Err(self.undefined(""));
                }
                super::json::to_json(&value, &self.text)
            }
        }
    }

    /// Whether the value counts as true: not null, false, 0, or empty.
    pub fn eval_bool(&self, scope: &dyn Scope) -> Result<bool, Failure> {
        Ok(match self.eval(scope)? {
            Value::Null => false,
            Value::Bool(flag) => flag,
            Value::Number(number) => number.as_f64() != Some(0.0),
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(entries) => !entries.is_empty(),
        })
    }

    fn eval_step_path(&self, facts: &StepFacts, segments: &[Segment]) -> Result<Value, Failure> {
        let Some((Segment::Key(field), rest)) = segments.split_first() else {
            return serde_json::to_value(step_value(facts)).map_err(Failure::bug);
        };
        let value: Cow<'_, Value> = match (&**field, facts) {
            ("status", _) => Cow::Owned(facts.status.name().into()),
            ("attempts", _) => Cow::Owned(facts.attempts.into()),
            ("output", StepFacts { output: Some(output), .. }) => {
                return self.walk(output.json(), rest).cloned();
            }
            ("error", StepFacts { error: Some(error), .. }) => {
                Cow::Owned(serde_json::to_value(error).map_err(Failure::bug)?)
            }
            (field, _) => {
                let why = format!("the step is {} and has no {field}", facts.status.name());
                return Err(self.undefined(&why));
            }
        };
        self.walk(&value, rest).cloned()
    }

    fn walk<'a>(&self, value: &'a Value, segments: &[Segment]) -> Result<&'a Value, Failure> {
        path::walk(value, segments).map_err(|depth| {
            let reached = path::walk(value, &segments[..depth]).unwrap_or(&Value::Null);
            self.undefined(&missing(reached, &segments[depth]))
        })
    }

    /// The names that the expression uses, and no others: building a context is most of the cost.
    fn context(&self, scope: &dyn Scope) -> Jinja {
        let mut steps: BTreeMap<&str, Jinja> = BTreeMap::new();
        let mut names: BTreeMap<&str, Jinja> = BTreeMap::new();
        for root in &self.roots {
            let name: &str = match root {
                Root::Step { id, node } => {
                    steps.insert(id, step_value(&scope.step(*node)));
                    continue;
                }
                Root::Params => "params",
                Root::Context => "context",
                Root::Execution => "execution",
                Root::Env => "env",
                Root::Response => "response",
                Root::Index { .. } => "index",
                Root::Item { name, .. } | Root::Variable { name, .. } => name,
            };
            if let Some(datum) = scope.datum(root) {
                names.insert(name, datum.jinja());
            }
        }
        if !steps.is_empty() {
            names.insert("steps", Jinja::from_pairs(steps));
        }
        Jinja::from_pairs(names)
    }

    fn failed(&self, error: &minijinja::Error) -> Failure {
        if error.kind() == minijinja::ErrorKind::UndefinedError {
            return self.undefined(error.detail().unwrap_or_default());
        }
        let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Failure::permanent("expression", format!("`{}` failed: {reason}", self.text))
            .hint("check the values it works on in the earlier steps' outputs")
    }

    fn undefined(&self, why: &str) -> Failure {
        let mut message = format!("`{}` is undefined", self.text);
        if !why.is_empty() {
            message.push_str(": ");
            message.push_str(why);
        }
        Failure::permanent("undefined", message)
            .hint("use the name as the step gives it, or a fallback: `{{ (…) | default(\"…\") }}`")
    }
}

/// A step as expressions see it: absent fields are undefined.
fn step_value(facts: &StepFacts) -> Jinja {
    let mut fields: Vec<(&str, Jinja)> = vec![
        ("status", Jinja::from(facts.status.name())),
        ("attempts", Jinja::from(facts.attempts)),
    ];
    if let Some(output) = &facts.output {
        fields.push(("output", output.jinja()));
    }
    if let Some(error) = &facts.error {
        fields.push(("error", minijinja::value::Serde(error).into()));
    }
    Jinja::from_pairs(fields)
}

/// Says what was there instead.
fn missing(reached: &Value, segment: &Segment) -> String {
    match (reached, segment) {
        (Value::Object(entries), Segment::Key(key)) => {
            let close = crate::source::closest(key, entries.keys().map(String::as_str));
            match close {
                Some(close) => format!("there is no `{key}`, but there is `{close}`"),
                None if entries.is_empty() => format!("there is no `{key}`, the map is empty"),
                None => {
                    let keys: Vec<&str> = entries.keys().take(12).map(String::as_str).collect();
                    format!("there is no `{key}`, there is {}", keys.join(", "))
                }
            }
        }
        (Value::Array(items), Segment::Index(index)) => {
            format!("the list has {} items, so there is no number {index}", items.len())
        }
        (Value::Array(_), Segment::Key(key)) => format!("a list has no `{key}`"),
        (Value::Null, _) => "its value is null".to_owned(),
        (_, Segment::Key(key)) => format!("a plain value has no `{key}`"),
        (_, Segment::Index(index)) => format!("a value that is no list has no number {index}"),
    }
}
