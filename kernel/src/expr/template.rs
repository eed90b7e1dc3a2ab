//! A value with expressions somewhere inside it.

use super::compile::{CompileError, Expr, NameError, Names};
use super::eval::Scope;
use super::split::{Part, split};
use crate::failure::Failure;
use crate::machine::json_size;
use crate::source::{Data, Node, Span};
use serde_json::{Map, Value};

/// What is put together from expressions never grows beyond this, in bytes of JSON. A short
/// intent can name one large output many times.
const MAX_VALUE: usize = 16 * 1024 * 1024;

/// A value with expressions inside; parts without any are kept ready made.
#[derive(Debug)]
#[expect(missing_docs, reason = "the type's line says it")]
pub enum Template {
    Literal(Value),
    /// A text that is one expression: the value keeps its type.
    Expr(Expr),
    /// Text around expressions: always text.
    Text(Vec<Piece>),
    List(Vec<Template>),
    Map(Vec<(String, Template)>),
}

/// A stretch of a text.
#[derive(Debug)]
pub enum Piece {
    Text(Box<str>),
    Expr(Expr),
}

/// Receives what is wrong, with its place.
pub(super) type Complain<'a> = dyn FnMut(Span, CompileError) + 'a;

impl Template {
    /// Compiles a tree; problems go to `complain`, and their place holds null.
    pub fn compile(node: &Node, names: &dyn Names, complain: &mut Complain<'_>) -> Self {
        match &node.data {
            Data::Text(text) => Self::compile_text(text, node.span, names, complain),
            Data::List(items) => {
                let items: Vec<Self> =
                    items.iter().map(|item| Self::compile(item, names, complain)).collect();
                if items.iter().all(Self::is_literal) {
                    return Self::Literal(node.to_value());
                }
                Self::List(items)
            }
            Data::Map(entries) => {
                let entries: Vec<(String, Self)> = entries
                    .iter()
                    .map(|(key, value)| (key.text.clone(), Self::compile(value, names, complain)))
                    .collect();
                if entries.iter().all(|(_, value)| value.is_literal()) {
                    return Self::Literal(node.to_value());
                }
                Self::Map(entries)
            }
            Data::Null | Data::Bool(_) | Data::Number(_) => Self::Literal(node.to_value()),
        }
    }

    fn compile_text(
        text: &str,
        span: Span,
        names: &dyn Names,
        complain: &mut Complain<'_>,
    ) -> Self {
        let parts = match split(text) {
            Ok(parts) => parts,
            Err(at) => {
                let from: String = text[at..].chars().take(30).collect();
                complain(span, unclosed(&from));
                return Self::Literal(Value::Null);
            }
        };
        // Block scalars end with a line break; the value is still meant as one expression.
        let core: Vec<&Part<'_>> = parts
            .iter()
            .filter(|part| !matches!(part, Part::Text(text) if text.trim().is_empty()))
            .collect();
        if let [Part::Expression(inside, _)] = core[..] {
            return match Expr::compile(inside, names) {
                Ok(expr) => Self::Expr(expr),
                Err(errors) => {
                    errors.into_iter().for_each(|error| complain(span, error));
                    Self::Literal(Value::Null)
                }
            };
        }
        if parts.iter().all(|part| matches!(part, Part::Text(_))) {
            return Self::Literal(Value::String(text.to_owned()));
        }
        let mut pieces = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Part::Text(text) => pieces.push(Piece::Text(text.into())),
                Part::Expression(inside, _) => match Expr::compile(inside, names) {
                    Ok(expr) => pieces.push(Piece::Expr(expr)),
                    Err(errors) => errors.into_iter().for_each(|error| complain(span, error)),
                },
            }
        }
        Self::Text(pieces)
    }

    /// Whether there is no expression in it.
    pub fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// The value.
    pub fn eval(&self, scope: &dyn Scope) -> Result<Value, Failure> {
        match self {
            // Alone it is no larger than what it names.
            Self::Expr(expr) => expr.eval(scope),
            Self::Literal(_) | Self::Text(_) | Self::List(_) | Self::Map(_) => {
                let mut left = MAX_VALUE;
                self.eval_within(scope, &mut left)
            }
        }
    }

    /// The value; what its expressions give is taken from `left`.
    fn eval_within(&self, scope: &dyn Scope, left: &mut usize) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Expr(expr) => {
                let value = expr.eval(scope)?;
                *left = left.checked_sub(json_size(&value)).ok_or_else(too_large)?;
                Ok(value)
            }
            Self::Text(pieces) => {
                let text = text(pieces, scope)?;
                *left = left.checked_sub(text.len()).ok_or_else(too_large)?;
                Ok(Value::String(text))
            }
            Self::List(items) => items
                .iter()
                .map(|item| item.eval_within(scope, left))
                .collect::<Result<_, _>>()
                .map(Value::Array),
            Self::Map(entries) => entries
                .iter()
                .map(|(key, value)| Ok((key.clone(), value.eval_within(scope, left)?)))
                .collect::<Result<Map<_, _>, _>>()
                .map(Value::Object),
        }
    }

    /// Visits every expression in it.
    pub fn visit(&self, visit: &mut dyn FnMut(&Expr)) {
        match self {
            Self::Literal(_) => {}
            Self::Expr(expr) => visit(expr),
            Self::Text(pieces) => pieces.iter().for_each(|piece| match piece {
                Piece::Text(_) => {}
                Piece::Expr(expr) => visit(expr),
            }),
            Self::List(items) => items.iter().for_each(|item| item.visit(visit)),
            Self::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(visit)),
        }
    }
}

fn text(pieces: &[Piece], scope: &dyn Scope) -> Result<String, Failure> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(literal) => text.push_str(literal),
            Piece::Expr(expr) => {
                let value = expr.eval(scope)?;
                match value.as_str() {
                    Some(value) => text.push_str(value),
                    None => text.push_str(&value.to_string()),
                }
            }
        }
        if text.len() > MAX_VALUE {
            return Err(too_large());
        }
    }
    Ok(text)
}

fn too_large() -> Failure {
    Failure::permanent(
        "too_large",
        format!("a value put together from expressions is larger than {MAX_VALUE} bytes"),
    )
    .hint("write large data to a file and pass its path")
}

fn unclosed(from: &str) -> CompileError {
    NameError {
        code: "expression_syntax",
        message: format!("`{from}` opens an expression that is never closed"),
        hint: "close it with `}}`; for literal braces write `{{ '{{' }}`".to_owned(),
    }
}
