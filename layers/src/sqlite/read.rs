//! Queries: one statement that cannot write.

use super::statement::{self, Params, ResultSet, Rows};
use crate::context::Cx;
use jalm_kernel::failure::Failure;

/// Runs a statement on a reader of a connection.
pub(crate) async fn read(
    cx: &Cx,
    connection: &str,
    sql: String,
    params: Params,
    rows: Rows,
) -> Result<ResultSet, Failure> {
    cx.access()?.db(connection)?;
    let database = cx.shared.databases.get(connection)?;
    database.read(move |session, abort| statement::read(session, &sql, params, &rows, abort)).await
}
