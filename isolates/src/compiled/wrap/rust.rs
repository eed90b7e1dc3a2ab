//! Rust: a program with `main`, a function `run`, or the body of one.

use super::{Wrapped, after, columns};

/// What scripts without a `main` find as the module `jalm`.
const SUPPORT: &str = include_str!("support.rs");

const BODY: &str = "fn script(vars: &jalm::Json) -> impl jalm::Answer { ";

pub(super) fn wrap(source: &str) -> Wrapped {
    let mut shift = (0, 0);
    let main = after(source, &["fn main(", "pub fn main("]).is_some();
    let text = if main {
        source.to_owned()
    } else if let Some(rest) = after(source, &["fn run(", "pub fn run("]) {
        let arguments: Vec<String> = parameters(rest).into_iter().map(argument).collect();
        finish(source, &format!("run({})", arguments.join(", ")))
    } else {
        shift = (1, columns(BODY));
        finish(&format!("{BODY}{source}\n}}"), "script(vars)")
    };
    Wrapped { files: vec![("script.rs", text)], shift }
}

fn finish(source: &str, call: &str) -> String {
    format!(
        "{source}\nfn main() {{ jalm::finish(|vars| jalm::Answer::answer({call})) }}\nmod jalm {{\n{SUPPORT}}}\n"
    )
}

/// `name: type` of each parameter, from behind the opening parenthesis.
fn parameters(text: &str) -> Vec<(&str, &str)> {
    let mut depth = 0_usize;
    let mut begin = 0;
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            '(' | '[' | '<' | '{' => depth += 1,
            ',' | ')' if depth == 0 => {
                found.push(text.get(begin..at).unwrap_or_default());
                begin = at + 1;
                if c == ')' {
                    break;
                }
            }
            ')' | ']' | '>' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
        .into_iter()
        .filter_map(|text| text.split_once(':'))
        .map(|(name, kind)| (name.trim().trim_start_matches("mut "), kind.trim()))
        .collect()
}

/// The expression that gives a parameter its value.
fn argument((name, kind): (&str, &str)) -> String {
    let name = name.trim().trim_start_matches("r#");
    let take = |kind: &str| format!("jalm::argument::<{kind}>(vars, {name:?})?");
    match kind.strip_prefix('&').map(str::trim) {
        None => take(kind),
        Some("str") => format!("&{}", take("String")),
        Some(kind) => match kind.strip_prefix('[').and_then(|kind| kind.strip_suffix(']')) {
            Some(item) => format!("&{}", take(&format!("Vec<{item}>"))),
            None => format!("&{}", take(kind)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        wrap(source).files.remove(0).1
    }

    #[test]
    fn a_whole_program_stays_as_it_is() {
        let source = "use std::io;\n\nfn main() {}\n";
        assert_eq!(text(source), source);
    }

    #[test]
    fn run_gets_each_parameter_by_its_name() {
        let source = "fn run(a: i64, mut b: Vec<(i64, f64)>, c: &str, d: &[String],\n e: Option<bool>) -> i64 { a }";
        let text = text(source);
        assert!(text.starts_with(source));
        for part in [
            "jalm::argument::<i64>(vars, \"a\")?, jalm::argument::<Vec<(i64, f64)>>(vars, \"b\")?",
            "&jalm::argument::<String>(vars, \"c\")?",
            "&jalm::argument::<Vec<String>>(vars, \"d\")?",
            "jalm::argument::<Option<bool>>(vars, \"e\")?)",
        ] {
            assert!(text.contains(part), "{part}");
        }
    }

    #[test]
    fn a_body_keeps_its_lines() {
        let wrapped = wrap("let a = 1;\nreturn a;");
        let second = wrapped.files[0].1.lines().nth(1);
        assert_eq!((second, wrapped.shift), (Some("return a;"), (1, columns(BODY))));
    }

    #[test]
    fn nonsense_is_looked_through_without_harm() {
        for source in ["", "fn run(", "fn run(a", "fn run(>>>)", "fn run(ä: ö)", "\u{0}\n\n"] {
            text(source);
        }
    }
}
