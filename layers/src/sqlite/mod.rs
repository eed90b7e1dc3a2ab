//! SQLite behind the `db_*` atoms.
//!
//! Each database file has one writer and a few readers, each used by one call at a time on a
//! thread that may block. A write is one transaction that also holds the step's mark, so that a
//! repeated call finds its mark and answers as the first one did. SQL can reach nothing but its
//! own file: no other file, no extension, no pragma that weakens durability.

mod authorizer;
mod database;
mod databases;
mod failure;
mod mark;
mod read;
mod session;
pub(crate) mod source;
mod statement;
#[cfg(test)]
mod tests;
mod values;
mod write;

pub(crate) use databases::Databases;
pub(crate) use read::read;
pub(crate) use statement::{Params, ResultSet, Rows, check_query, ident};
pub(crate) use write::{Statement, Unit, WriteOutput, write, write_statements};
