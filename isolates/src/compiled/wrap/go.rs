//! Go: a program with `main`, a function `run`, or the body of one.

use super::{Wrapped, after, columns};

/// The other file of scripts without a `main`.
const SUPPORT: &str = include_str!("support.go");

const PACKAGE: &str = "package main; ";
const BODY: &str = "func run(vars map[string]any) (any, error) { return script(vars), nil }; func script(vars map[string]any) any { ";

pub(super) fn wrap(source: &str) -> Wrapped {
    let packaged = after(source, &["package "]).is_some();
    let main = after(source, &["func main("]).is_some();
    let support = if main { "package main\n" } else { SUPPORT };
    let (text, shift) = if packaged {
        (source.to_owned(), (0, 0))
    } else if main || after(source, &["func run("]).is_some() {
        (format!("{PACKAGE}{source}"), (1, columns(PACKAGE)))
    } else {
        body(source)
    };
    Wrapped { files: vec![("script.go", text), ("support.go", support.to_owned())], shift }
}

/// Imports stand before the function that the rest is the body of.
fn body(source: &str) -> (String, (u32, u32)) {
    let at = imports(source);
    let (imports, body) = source.split_at_checked(at).unwrap_or(("", source));
    let line = u32::try_from(imports.matches('\n').count()).unwrap_or(0) + 1;
    let added = if line == 1 { columns(PACKAGE) } else { 0 } + columns(BODY);
    (format!("{PACKAGE}{imports}{BODY}{body}\nreturn nil }}\n"), (line, added))
}

/// The end of the lines at the beginning that are imports, comments or empty.
fn imports(source: &str) -> usize {
    let mut end = 0;
    let mut at = 0;
    let mut block = false;
    for line in source.split_inclusive('\n') {
        at += line.len();
        let line = line.trim();
        if block || line.starts_with("import ") || line.starts_with("import(") {
            block = (block || line.contains('(')) && !line.contains(')');
            end = at;
        } else if !line.is_empty() && !line.starts_with("//") {
            break;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        wrap(source).files.remove(0).1
    }

    #[test]
    fn a_whole_program_stays_as_it_is() {
        let source = "package main\n\nfunc main() {}\n";
        assert_eq!(text(source), source);
        assert_eq!(wrap(source).files[1].1, "package main\n");
        assert_eq!(text("func main() {}"), "package main; func main() {}");
    }

    #[test]
    fn imports_stay_before_the_body_and_lines_where_they_are() {
        let source = "import \"fmt\"\nimport (\n\t\"math\"\n)\nx := 1\nreturn x\n";
        let wrapped = wrap(source);
        let lines: Vec<&str> = wrapped.files[0].1.lines().collect();
        assert_eq!(lines[0], "package main; import \"fmt\"");
        assert_eq!(lines[4], format!("{BODY}x := 1"));
        assert_eq!((lines[5], wrapped.shift), ("return x", (5, columns(BODY))));
    }

    #[test]
    fn nonsense_is_looked_through_without_harm() {
        for source in ["", "import (", "func run(", "ä", "\n\n\u{0}"] {
            text(source);
        }
    }
}
