//! How SQLite answers, not what: no question may walk through all executions.

use super::{folder, open};
use crate::conformance::{append, birth, next};
use crate::sqlite::query::page_sql;
use jalm_kernel::machine::Status;
use jalm_kernel::ports::Journal;
use rusqlite::Connection;

/// The steps of a query, each on its line.
fn explain(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    for index in 1..=statement.parameter_count() {
        statement.raw_bind_parameter(index, rusqlite::types::Null).unwrap();
    }
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get::<_, String>("detail").unwrap());
    }
    steps.join("\n")
}

#[test]
fn lists_follow_an_index_and_sort_nothing() {
    let (_folder, path) = folder();
    let _store = open(&path);
    let connection = Connection::open(&path).unwrap();
    for (status, intent, expected) in [
        (false, false, "SEARCH executions USING PRIMARY KEY (id>? AND id<?)"),
        (
            true,
            false,
            "SEARCH executions USING INDEX executions_status (status=? AND id>? AND id<?)",
        ),
        (
            true,
            true,
            "SEARCH executions USING INDEX executions_intent \
             (intent=? AND status=? AND id>? AND id<?)",
        ),
    ] {
        assert_eq!(explain(&connection, &page_sql(status, intent)), expected);
    }
}

#[test]
fn other_questions_follow_an_index_too() {
    let (_folder, path) = folder();
    let _store = open(&path);
    let connection = Connection::open(&path).unwrap();
    for sql in [
        "SELECT id FROM executions INDEXED BY executions_status WHERE status = ?1",
        "SELECT id FROM executions INDEXED BY executions_key WHERE key = ?1",
        "SELECT first, count, parts, record FROM journal WHERE id = ?1 AND first >= coalesce(
             (SELECT max(first) FROM journal WHERE id = ?1 AND first <= ?2), 0) ORDER BY first",
        "SELECT space, key FROM kv WHERE expires <= ?1 LIMIT ?2",
        "SELECT id FROM messages INDEXED BY messages_order WHERE queue = ?1 ORDER BY seq LIMIT ?2",
    ] {
        let plan = explain(&connection, sql);
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}:\n{plan}");
    }
}

#[tokio::test]
async fn ten_steps_in_one_commit_are_one_row_of_each_table() {
    let (_folder, path) = folder();
    let store = open(&path);
    // A foreign lock makes the writer wait, so that the steps gather; the first may go alone.
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    store.append(birth(1, "a", Status::Running), Box::new(|_| {}));
    store.append(birth(2, "a", Status::Running), Box::new(|_| {}));
    for at in 1..10 {
        store.append(next(2, "a", Status::Running, at, 1), Box::new(|_| {}));
    }
    let last = next(2, "a", Status::Completed, 10, 1);
    connection.execute_batch("COMMIT").unwrap();
    append(&store, last).await.unwrap();
    let rows: i64 = connection
        .query_row("SELECT count(*) FROM journal WHERE id = ?1", [super::bytes(2)], |row| {
            row.get(0)
        })
        .unwrap();
    assert!(rows <= 2, "{rows} journal rows");
    let uses: i64 = connection.query_row("SELECT sum(uses) FROM plans", [], |r| r.get(0)).unwrap();
    assert_eq!(uses, 2);
}
