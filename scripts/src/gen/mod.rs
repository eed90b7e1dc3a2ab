//! `cargo xtask gen`: writes every file that is a product of the code; `--check` finds stale ones.
//!
//! A product is one file here and one line in [`PRODUCTS`]. Nothing about an atom, a setting or a
//! key is written twice: what the code says is what these files say.

mod atoms;
mod cards;
mod cli;
mod layers;
mod raw;
mod schemas;
mod settings;
mod shape;
mod yaml;

use crate::finding::Finding;
use crate::repo::Repo;
use std::fmt::Write;

/// A generated file.
pub(crate) struct File {
    /// Its name from the root.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

impl File {
    fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A kind of generated files.
struct Product {
    /// For `--only`.
    name: &'static str,
    from: From,
    /// A folder and an extension: every such file in it is made by this product, so others are
    /// left over from atoms that are gone.
    owns: Option<(&'static str, &'static str)>,
}

/// Where the text of a product comes from.
enum From {
    /// From what the crates say, linked into this program.
    Code(fn() -> Vec<File>),
    /// From what the built binary says.
    Binary(fn(&Repo) -> Result<Vec<File>, String>),
}

const PRODUCTS: &[Product] = &[
    Product { name: "raw", from: From::Code(raw::make), owns: None },
    Product { name: "layers", from: From::Code(layers::make), owns: None },
    Product {
        name: "cards",
        from: From::Code(cards::make),
        owns: Some(("kernel/step_cards/", "yml")),
    },
    Product { name: "atoms", from: From::Code(atoms::make), owns: Some(("docs/atoms/", "md")) },
    Product { name: "intent-schema", from: From::Code(schemas::intent), owns: None },
    Product { name: "openapi", from: From::Code(schemas::openapi), owns: None },
    Product { name: "settings", from: From::Code(settings::make), owns: None },
    Product { name: "cli", from: From::Binary(cli::make), owns: None },
];

/// What was asked for.
#[derive(Default)]
struct Asked {
    check: bool,
    only: Vec<String>,
}

pub(crate) fn run(repo: &Repo, arguments: &[String]) -> crate::Outcome {
    let asked = asked(arguments)?;
    let mut findings = Vec::new();
    let (mut count, mut written) = (0, 0);
    for product in PRODUCTS {
        if !asked.only.is_empty() && !asked.only.iter().any(|name| name == product.name) {
            continue;
        }
        let files = match product.from {
            From::Code(make) => make(),
            From::Binary(make) => make(repo)?,
        };
        count += files.len();
        for file in &files {
            if std::fs::read_to_string(repo.path(&file.name)).is_ok_and(|text| text == file.text) {
                continue;
            }
            if asked.check {
                findings.push(stale(product, &file.name, "is not what the code says"));
            } else {
                write(repo, file)?;
                written += 1;
            }
        }
        for name in left_over(repo, product, &files)? {
            if asked.check {
                findings.push(stale(product, &name, "belongs to nothing that exists"));
            } else {
                std::fs::remove_file(repo.path(&name))
                    .map_err(|error| format!("cannot remove {name}: {error}"))?;
            }
        }
    }
    Ok((format!("{count} files are up to date, {written} of them were written"), findings))
}

fn asked(arguments: &[String]) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--check" => asked.check = true,
            "--only" => match arguments.next() {
                Some(name) if PRODUCTS.iter().any(|product| product.name == name) => {
                    asked.only.push(name.clone());
                }
                Some(_) | None => return Err(format!("`--only` takes one of {}", names())),
            },
            other => {
                return Err(format!("`gen` does not take `{other}`, only --check and --only NAME"));
            }
        }
    }
    Ok(asked)
}

fn names() -> String {
    PRODUCTS.iter().map(|product| product.name).collect::<Vec<_>>().join(", ")
}

fn stale(product: &Product, name: &str, why: &str) -> Finding {
    let mend = format!("run `cargo xtask gen --only {}` and commit what it changes", product.name);
    Finding::error(format!("{name} {why}"), mend)
}

fn write(repo: &Repo, file: &File) -> Result<(), String> {
    let path = repo.path(&file.name);
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder
        .and_then(|()| std::fs::write(&path, &file.text))
        .map_err(|error| format!("cannot write {}: {error}", file.name))
}

/// Files of the product's folder that it no longer makes.
fn left_over(repo: &Repo, product: &Product, files: &[File]) -> Result<Vec<String>, String> {
    let Some((folder, extension)) = product.owns else { return Ok(Vec::new()) };
    let mut names = repo.files(extension)?;
    names.retain(|name| name.starts_with(folder) && !files.iter().any(|file| file.name == *name));
    Ok(names)
}

/// JSON as it stands in files.
fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

/// A Markdown table. `|` and line ends in cells are taken care of.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
    for row in rows {
        let cells: Vec<String> =
            row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn what_was_changed_by_hand_or_left_over_is_found_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        let repo = Repo::at(folder.path());
        let (check, write) = (arguments("--check --only cards"), arguments("--only cards"));
        let stale = || run(&repo, &check).unwrap().1;
        assert!(stale().iter().any(|finding| finding.mend.contains("gen --only cards")));
        run(&repo, &write).unwrap();
        assert_eq!(stale(), []);

        let card = repo.path("kernel/step_cards/exec_http.yml");
        std::fs::write(&card, "by hand").unwrap();
        std::fs::write(repo.path("kernel/step_cards/gone.yml"), "old").unwrap();
        let found: Vec<String> = stale().into_iter().map(|finding| finding.what).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("exec_http.yml") && found[1].contains("gone.yml"), "{found:?}");
        run(&repo, &write).unwrap();
        assert_eq!(stale(), []);
    }

    #[test]
    fn what_cannot_be_made_is_refused_with_what_can() {
        let error = run(&Repo::of_this_checkout(), &arguments("--only pictures")).unwrap_err();
        assert!(error.contains("raw, layers, cards"), "{error}");
        run(&Repo::of_this_checkout(), &arguments("--chek")).unwrap_err();
    }

    #[test]
    fn cells_cannot_break_a_table() {
        let rows = [vec!["a|b".to_owned(), "c\nd".to_owned()]];
        assert_eq!(table(&["x", "y"], &rows), "| x | y |\n|---|---|\n| a\\|b | c d |\n");
    }
}
