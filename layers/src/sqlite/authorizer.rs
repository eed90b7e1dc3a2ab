//! What SQL from an intent may do inside its database.

use super::mark::TABLE;
use rusqlite::hooks::{AuthAction, AuthContext};

/// Pragmas that only tell. `user_version` may be set too: it is made for applications.
const TELLING: [&str; 17] = [
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "page_count",
    "page_size",
    "table_info",
    "table_list",
    "table_xinfo",
];
/// Pragmas whose argument is a table or a bound, not a new setting.
const CHECKING: [&str; 2] = ["integrity_check", "quick_check"];

/// Why this is not allowed; none when it is.
pub(super) fn refusal(context: &AuthContext<'_>) -> Option<String> {
    match context.action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
            Some("it opens or writes another file (ATTACH, DETACH, VACUUM)".to_owned())
        }
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
            Some("a step is one transaction already; list its parts in `statements`".to_owned())
        }
        AuthAction::Pragma { pragma_name, pragma_value } => pragma(pragma_name, pragma_value),
        AuthAction::Function { function_name }
            if matches!(function_name, "load_extension" | "fts3_tokenizer") =>
        {
            Some(format!("function `{function_name}` runs code of its own"))
        }
        AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => {
            Some("temporary objects would be seen by other executions".to_owned())
        }
        AuthAction::CreateTable { table_name }
        | AuthAction::CreateView { view_name: table_name }
        | AuthAction::Insert { table_name }
        | AuthAction::Delete { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::DropTable { table_name }
        | AuthAction::AlterTable { table_name, .. }
        | AuthAction::CreateTrigger { table_name, .. }
            if table_name.eq_ignore_ascii_case(TABLE) =>
        {
            Some(format!("table `{TABLE}` belongs to the runner"))
        }
        // Spelled out, so that what a later SQLite can do is refused until somebody has looked.
        AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateVtable { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropVtable { .. }
        | AuthAction::DropTempIndex { .. }
        | AuthAction::DropTempTable { .. }
        | AuthAction::DropTempTrigger { .. }
        | AuthAction::DropTempView { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Recursive
        | AuthAction::Reindex { .. }
        | AuthAction::Analyze { .. }
        | AuthAction::Function { .. } => None,
        AuthAction::Unknown { .. } | _ => Some("the runner does not know this action".to_owned()),
    }
}

fn pragma(name: &str, value: Option<&str>) -> Option<String> {
    let name = name.to_ascii_lowercase();
    let settable = ["application_id", "encoding", "page_size", "journal_mode", "schema_version"];
    let allowed = name == "user_version"
        || CHECKING.contains(&name.as_str())
        || (TELLING.contains(&name.as_str())
            && (value.is_none() || !settable.contains(&name.as_str())))
        || (value.is_none() && ["schema_version", "journal_mode"].contains(&name.as_str()));
    (!allowed).then(|| format!("`PRAGMA {name}` changes how the database works"))
}
