//! From the text of an expression to something that can be evaluated, every name resolved.

use super::MAX_EXPRESSION;
use super::environment::{environment, is_function};
use super::path::{self, Path, Segment};
use crate::plan::NodeIx;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// What a name in an expression stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those that authors write")]
pub enum Root {
    Params,
    Context,
    Execution,
    Env,
    /// The step's own output, inside its `output` key.
    Response,
    /// The item of the `depth`-th loop around the expression, 1 being the outermost.
    Item {
        name: Arc<str>,
        depth: u32,
    },
    /// The number of that item.
    Index {
        depth: u32,
    },
    /// `steps.ID`.
    Step {
        id: Arc<str>,
        node: NodeIx,
    },
    /// A name bound by `set` steps, the latest first: the first one that ran counts.
    Variable {
        name: Arc<str>,
        bound_by: Vec<NodeIx>,
    },
}

/// The names that exist where an expression stands.
pub trait Names {
    /// What `name` stands for; `steps` never comes here.
    fn name(&self, name: &str) -> Result<Root, NameError>;
    /// What `steps.ID` stands for.
    fn step(&self, id: &str) -> Result<Root, NameError>;
    /// Every step that is visible, for expressions that compute which one they want.
    fn steps(&self) -> Vec<Root>;
}

/// A name that does not exist, or not here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in `Problem`")]
pub struct NameError {
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}

/// Why an expression does not compile.
pub type CompileError = NameError;

/// A compiled expression.
pub struct Expr {
    pub(super) text: Box<str>,
    pub(super) code: Code,
    pub(super) roots: Vec<Root>,
}

pub(super) enum Code {
    /// `segments` start after the root, for steps after the id.
    Path {
        root: Root,
        segments: Vec<Segment>,
    },
    Jinja(minijinja::Expression<'static, 'static>),
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{ {} }}}}", self.text)
    }
}

impl Expr {
    /// Compiles `text`, which stands without its braces. All unknown names are reported.
    pub fn compile(text: &str, names: &dyn Names) -> Result<Self, Vec<CompileError>> {
        let text = text.trim();
        if text.len() > MAX_EXPRESSION {
            return Err(vec![error(
                "expression_too_long",
                format!("this expression has {} bytes, the limit is {MAX_EXPRESSION}", text.len()),
                "compute it in a `compute_script` step",
            )]);
        }
        if text.is_empty() {
            return Err(vec![error(
                "expression_syntax",
                "the expression is empty".to_owned(),
                "write a name or a computation between the braces: `{{ params.day }}`",
            )]);
        }
        if let Some(path) = path::parse(text) {
            return Self::from_path(text, path, names).map_err(|error| vec![error]);
        }
        let compiled = environment()
            .compile_expression_owned(text.to_owned())
            .map_err(|error| vec![syntax(text, &error)])?;
        let roots = resolve(&compiled.undeclared_variables(true), names)?;
        Ok(Self { text: text.into(), code: Code::Jinja(compiled), roots })
    }

    fn from_path(text: &str, path: Path, names: &dyn Names) -> Result<Self, CompileError> {
        let mut segments = path.segments;
        let root = match (&*path.root, segments.first()) {
            ("steps", Some(Segment::Key(id))) => {
                let root = names.step(id)?;
                segments.remove(0);
                check_step_field(text, segments.first())?;
                root
            }
            ("steps", _) => {
                return Err(error(
                    "expression_syntax",
                    "`steps` alone is not a value".to_owned(),
                    "name the step: `steps.ID.output`",
                ));
            }
            (name, _) => names.name(name)?,
        };
        Ok(Self {
            text: text.into(),
            roots: vec![root.clone()],
            code: Code::Path { root, segments },
        })
    }

    /// The text between the braces.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it refers to.
    pub fn roots(&self) -> &[Root] {
        &self.roots
    }

    /// The names below `env` that it reads.
    pub fn env_names(&self) -> Vec<String> {
        match &self.code {
            Code::Path { root: Root::Env, segments } => match segments.first() {
                Some(Segment::Key(name)) => vec![name.to_string()],
                Some(Segment::Index(_)) | None => Vec::new(),
            },
            Code::Path { .. } => Vec::new(),
            Code::Jinja(compiled) => compiled
                .undeclared_variables(true)
                .iter()
                .filter_map(|name| name.strip_prefix("env."))
                .map(|rest| rest.split('.').next().unwrap_or(rest).to_owned())
                .collect(),
        }
    }
}

/// What a step shows of itself to expressions.
const STEP_FIELDS: [&str; 4] = ["output", "error", "status", "attempts"];

fn check_step_field(text: &str, field: Option<&Segment>) -> Result<(), CompileError> {
    let wrong = |message: String| {
        Err(error("unknown_name", message, "a step has `output`, `error`, `status` and `attempts`"))
    };
    match field {
        None => Ok(()),
        Some(Segment::Key(key)) if STEP_FIELDS.contains(&&**key) => Ok(()),
        Some(Segment::Key(key)) => wrong(format!("`{text}`: a step has no `{key}`")),
        Some(Segment::Index(index)) => {
            wrong(format!("`{text}`: a step is not a list, so `[{index}]` finds nothing"))
        }
    }
}

/// Resolves dotted names such as `steps.rows.output`; each name is resolved once.
fn resolve<'a>(
    dotted: impl IntoIterator<Item = &'a String>,
    names: &dyn Names,
) -> Result<Vec<Root>, Vec<CompileError>> {
    // A set with an order, so that the same text gives the same problems in the same order.
    let sorted: BTreeSet<&String> = dotted.into_iter().collect();
    let mut roots = BTreeSet::new();
    let mut errors = Vec::new();
    for name in sorted {
        let mut parts = name.split('.');
        let found = match (parts.next().unwrap_or_default(), parts.next()) {
            ("steps", Some(id)) => {
                let field = parts.next().map(|field| Segment::Key(field.into()));
                names.step(id).and_then(|root| {
                    check_step_field(name, field.as_ref())?;
                    Ok(root)
                })
            }
            ("steps", None) => {
                roots.extend(names.steps());
                continue;
            }
            (root, _) if is_function(root) => continue,
            (root, _) => names.name(root),
        };
        match found {
            Ok(root) => {
                roots.insert(root);
            }
            Err(error) if errors.contains(&error) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(roots.into_iter().collect()) } else { Err(errors) }
}

fn syntax(text: &str, problem: &minijinja::Error) -> CompileError {
    let detail = problem.detail().unwrap_or("it cannot be read");
    let hint = if text.contains("&&") || text.contains("||") {
        "write `and`, `or`, `not`"
    } else if text.contains('?') && text.contains(':') {
        "write `A if CONDITION else B`"
    } else if text.contains("===") {
        "write `==`"
    } else {
        "expressions are MiniJinja's: `steps.a.output.n + 1`, `x if ok else y`, `list | length`"
    };
    error("expression_syntax", format!("`{text}` is not an expression: {detail}"), hint)
}

fn error(code: &'static str, message: String, hint: &str) -> CompileError {
    NameError { code, message, hint: hint.to_owned() }
}
