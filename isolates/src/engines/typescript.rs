//! TypeScript, by oxc: its types are taken away, and what is left is JavaScript. Nothing checks
//! that the types are right.
//!
//! The parser overflows the stack on source that is nested deeply enough, as every known one does.
//! So this runs in the child of one script only, and ends that one.

mod places;

use super::javascript::Code;
use crate::api::ScriptError;
use oxc_allocator::Allocator;
use oxc_ast::ast::{Program, Statement};
use oxc_codegen::{Codegen, CodegenOptions, CommentOptions};
use oxc_diagnostics::{Diagnostics, OxcDiagnostic};
use oxc_parser::{ParseOptions, Parser};
use oxc_semantic::SemanticBuilder;
use oxc_span::{GetSpan, LabeledSpan, SourceType};
use oxc_transformer::{TransformOptions, Transformer};
use std::path::Path;

pub(super) use places::Places;

/// Has the library set up its tables, which takes longer than a usual script does: in the worker, so
/// that its children need not. What it reads is always this.
pub(super) fn warm_up() {
    let _ = strip("enum A { B } namespace C { export const d: A = A.B } return C.d as number");
}

/// The script as JavaScript, which knows the author's lines.
pub(super) fn strip(source: &str) -> Result<Code<'static>, ScriptError> {
    let allocator = Allocator::default();
    let options = ParseOptions { allow_return_outside_function: true, ..ParseOptions::default() };
    // A module, since `await` may stand outside of functions there.
    let parsed = Parser::new(&allocator, source, SourceType::ts()).with_options(options).parse();
    none(parsed.diagnostics, source)?;
    let mut program = parsed.program;
    let built = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .with_enum_eval(true)
        // The transformer adds names and scopes of its own.
        .with_excess_capacity(2.0)
        .build(&program);
    none(built.diagnostics, source)?;
    let scoping = built.semantic.into_scoping();
    let name = Path::new("script");
    let transformed = Transformer::new(&allocator, name, &TransformOptions::default())
        .build_with_scoping(scoping, &mut program);
    none(transformed.diagnostics, source)?;
    no_modules(&mut program, source)?;
    let options = CodegenOptions {
        source_map_path: Some(name.to_owned()),
        comments: CommentOptions::disabled(),
        ..CodegenOptions::default()
    };
    let generated = Codegen::new().with_options(options).build(&program);
    let places = generated.map.map(|map| {
        Places::new(map.get_tokens().map(|token| {
            let here = (token.get_dst_line(), token.get_dst_col());
            (here, (token.get_src_line(), token.get_src_col()))
        }))
    });
    Ok(Code { text: generated.code.into(), strict: true, places })
}

/// What could not be done is an error, even where the library only warns.
fn none(diagnostics: Diagnostics, source: &str) -> Result<(), ScriptError> {
    match diagnostics.into_vec().first() {
        None => Ok(()),
        Some(first) => Err(explain(first, source)),
    }
}

fn explain(found: &OxcDiagnostic, source: &str) -> ScriptError {
    if found.message.starts_with("Namespaces exporting non-const") {
        let error = at("a namespace exports a variable", start(found), source);
        return error.hint("let it export a `const`, or a function that gives the value");
    }
    let error = at(&found.message, start(found), source);
    match &found.help {
        Some(help) => error.hint(help.clone()),
        None => error,
    }
}

/// Where the trouble begins, in bytes from the start.
fn start(found: &OxcDiagnostic) -> Option<usize> {
    let first = found.labels.iter().map(LabeledSpan::offset).min()?;
    usize::try_from(first).ok()
}

fn at(message: &str, offset: Option<usize>, source: &str) -> ScriptError {
    // What is missing at the end is missed behind the last line that says something.
    let before = offset.and_then(|offset| source.get(..offset));
    let end = source.trim_end();
    let before = before.map(|before| if before.len() > end.len() { end } else { before });
    let number = |count: usize| u32::try_from(count + 1).unwrap_or(u32::MAX);
    let line = before.map(|before| number(before.matches('\n').count()));
    let column =
        before.map(|before| number(before.rsplit('\n').next().unwrap_or("").chars().count()));
    ScriptError {
        line,
        column,
        ..ScriptError::new("script_syntax", format!("SyntaxError: {message}"))
    }
}

/// Imports of types are gone by now. Any other import or export is refused, but for `export {}`,
/// which says nothing and is left behind when only types were exported.
fn no_modules(program: &mut Program<'_>, source: &str) -> Result<(), ScriptError> {
    let empty = |statement: &Statement<'_>| matches!(statement, Statement::ExportNamedDeclaration(export) if export.specifiers.is_empty());
    program.body.retain(|statement| !empty(statement));
    let found = program.body.iter().find(|statement| statement.is_module_declaration());
    found.map_or(Ok(()), |statement| {
        let message = "scripts are no modules";
        let offset = usize::try_from(statement.span().start).ok();
        Err(at(message, offset, source).hint("there is nothing to import or export, but types"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(source: &str) -> ScriptError {
        match strip(source) {
            Err(error) => error,
            Ok(code) => panic!("{source}\ngave {}", code.text),
        }
    }

    #[test]
    fn types_are_taken_away() {
        for source in [
            "const a: number = 1",
            "let a = 1 as unknown as string; a satisfies string",
            "interface I { a: string } type T = I | null; declare const b: T",
            "function f<T>(this: void, a: T, b?: T): a is T { return a! }",
            "abstract class A<T> implements I { declare x: T; private readonly y?: number; abstract z(): void }",
            "import type { A } from 'a'; import { B } from 'b'; import { type C } from 'c'; let x: A | B | C",
            "export type A = string; export interface B {} export {}",
        ] {
            let code = strip(source).unwrap_or_else(|error| panic!("{source}\n{error:?}"));
            for word in [
                "interface",
                "type",
                "declare",
                ": number",
                " as ",
                "satisfies",
                "<T>",
                "import",
                "export",
                "abstract",
                "readonly",
                "private",
            ] {
                assert!(!code.text.contains(word), "{source}\n{}", code.text);
            }
        }
    }

    #[test]
    fn an_error_stands_where_the_author_made_it() {
        for (source, line, column) in [
            ("let a: = 1", 1, 8),
            ("\n  return (", 2, 11),
            ("return [1,\n\n", 1, 11),
            ("/* ü */ let a = ;", 1, 17),
            ("const a = 1\nconst a = 2", 1, 7),
        ] {
            let error = wrong(source);
            assert_eq!(error.code, "script_syntax");
            assert_eq!(
                (error.line, error.column),
                (Some(line), Some(column)),
                "{source} {error:?}"
            );
        }
    }

    #[test]
    fn scripts_are_no_modules() {
        for source in [
            "import fs from 'fs'; return fs",
            "import 'fs'",
            "export const a = 1",
            "export default 1",
            "export * from 'a'",
            "const a = 1; export { a }",
        ] {
            assert!(wrong(source).hint.is_some(), "{source}");
        }
        assert_eq!(wrong("let a = 1\nexport const b = a").line, Some(2));
    }
}
