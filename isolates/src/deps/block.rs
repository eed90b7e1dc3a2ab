//! The block at a script's beginning that says what it depends on: for Python that of PEP 723,
//! for others the same behind `//`.
//!
//! Only lines of that block are read, and what they say is data (TOML): nothing of the script.

use super::error::DependencyError;
use serde::Deserialize;
use toml::{Table, Value};

/// What a block says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Block {
    /// A list of texts, or a table.
    pub(super) dependencies: Option<Value>,
    /// Versions of Python that will do.
    #[serde(rename = "requires-python")]
    pub(super) python: Option<String>,
    /// Settings of tools: none of them is used.
    #[serde(flatten)]
    _others: Table,
}

const HINT: &str = "write `# /// script`, then lines such as `# dependencies = [\"six>=1.16\"]`, then `# ///`; with `//` instead of `#` where that begins a comment";

/// Reads the block, if there is one. `comment` is what a line begins with.
pub(super) fn read(source: &str, comment: &str) -> Result<Option<Block>, DependencyError> {
    let opening = format!("{comment} /// script");
    let closing = format!("{comment} ///");
    let lines: Vec<&str> = source.lines().map(str::trim_end).collect();
    let mut starts = lines.iter().enumerate().filter(|(_, line)| **line == opening);
    let Some((start, _)) = starts.next() else { return Ok(None) };
    if starts.next().is_some() {
        return Err(DependencyError::bad("the script has two `/// script` blocks", HINT));
    }
    let after = lines.get(start + 1..).unwrap_or_default();
    let inside = |line: &&&str| line.strip_prefix(comment).is_some_and(is_inside);
    let comments = after.iter().take_while(inside).collect::<Vec<_>>();
    let Some(end) = comments.iter().rposition(|line| ***line == closing) else {
        return Err(DependencyError::bad("the `/// script` block has no end", HINT));
    };
    let inside = comments.iter().take(end).filter_map(|line| line.strip_prefix(comment));
    let text = inside
        .fold(String::new(), |text, line| text + line.strip_prefix(' ').unwrap_or(line) + "\n");
    let read = toml::from_str::<Block>(&text);
    read.map(Some).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text[..span.start.min(text.len())].matches('\n').count());
        DependencyError::bad(
            format!(
                "the `/// script` block cannot be read (line {} of the script): {}",
                start + 2 + line,
                error.message()
            ),
            HINT,
        )
    })
}

/// Behind the comment's beginning stands nothing, or a blank.
fn is_inside(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(source: &str) -> Option<Value> {
        read(source, "#").unwrap()?.dependencies
    }

    #[test]
    fn a_block_of_pep_723_is_read() {
        let source = "import os\n# /// script\n# requires-python = \">=3.9\"\n# dependencies = [\n#   \"six>=1\",\n#\n#   \"attrs\",\n# ]\n#\n# [tool.uv]\n# x = 1\n# ///\nreturn 1\n";
        let block = read(source, "#").unwrap().unwrap();
        assert_eq!(block.python.as_deref(), Some(">=3.9"));
        assert_eq!(list(source).unwrap().as_array().unwrap().len(), 2);
        assert!(list("# /// other\n# dependencies = [\"six\"]\n# ///").is_none());
        assert!(list("return 1").is_none());
    }

    #[test]
    fn other_comments_do_as_well() {
        let source = "// /// script\r\n// [dependencies]\r\n// itoa = \"1\"\r\n// ///\r\nreturn 1";
        let block = read(source, "//").unwrap().unwrap();
        assert_eq!(block.dependencies.unwrap()["itoa"].as_str(), Some("1"));
    }

    #[test]
    fn the_last_end_among_comments_counts_as_pep_723_says() {
        let source = "# /// script\n# a = '''\n# ///\n# '''\n# dependencies = ['x']\n# ///\n";
        assert!(list(source).is_some());
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_line() {
        let wrong = |source: &str| read(source, "#").unwrap_err().message;
        assert!(wrong("# /// script\n# dependencies = []\nreturn 1").contains("no end"));
        assert!(wrong("x\n# /// script\n# a = 1\n# b = [\n# ///").contains("line "));
        assert!(wrong("\n\n# /// script\n# a = 1\n# b ! 1\n# ///").contains("(line 5 of"));
        let two = "# /// script\n# ///\nx\n# /// script\n# ///\n";
        assert!(wrong(two).contains("two"));
    }
}
