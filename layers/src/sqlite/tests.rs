//! Databases as steps see them.

use crate::testing::World;
use jalm_kernel::failure::Failure;
use jalm_kernel::ports::{Call, Runner};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

async fn query(world: &World, sql: &str) -> Result<Value, Failure> {
    world.run("db_query", json!({ "query": sql })).await.map(|output| output["rows"].clone())
}

async fn execute(world: &World, sql: &str) -> Result<Value, Failure> {
    world.run("db_update", json!({ "query": sql })).await
}

#[tokio::test]
async fn values_come_back_as_they_went() {
    let world = World::new();
    execute(&world, "create table t (i integer, r real, s text, b blob, n, j text)").await.unwrap();
    let row = json!({
        "i": 9_007_199_254_740_993_i64, "r": 0.1, "s": "ü'\"", "b": { "$base64": "AP8=" },
        "n": null, "j": { "a": [1, 2] },
    });
    world.run("db_insert", json!({ "table": "t", "row": row })).await.unwrap();
    let output = world
        .run("db_query", json!({ "query": "select *, i as i from t", "json": ["j"] }))
        .await
        .unwrap();
    let mut expected = row;
    expected["i_2"] = expected["i"].clone();
    assert_eq!(output["rows"], json!([expected]));
    assert_eq!(output["columns"], json!(["i", "r", "s", "b", "n", "j", "i_2"]));
}

#[tokio::test]
async fn parameters_are_bound_by_what_they_are_called() {
    let world = World::new();
    for (sql, params, expected) in [
        ("select $2 || $1 as x", json!(["a", "b"]), "ba"),
        ("select ?2 || ?1 as x", json!(["a", "b"]), "ba"),
        ("select ? || ? as x", json!(["a", "b"]), "ab"),
        ("select :a || @b || $c as x", json!({ "a": "1", "b": "2", "c": "3" }), "123"),
        ("select $1 || $1 as x", json!(["a", "unused"]), "aa"),
    ] {
        let output =
            world.run("db_query", json!({ "query": sql, "params": params })).await.unwrap();
        assert_eq!(output["rows"][0]["x"], expected, "{sql}");
    }
}

#[tokio::test]
async fn the_same_key_writes_once_and_answers_alike() {
    let world = World::new();
    execute(&world, "create table t (id integer primary key, n integer)").await.unwrap();
    let call =
        world.call("db_insert", json!({ "table": "t", "row": { "n": 1 }, "returning": "*" }));
    let first = world.perform(call.clone()).await.unwrap();
    let second = world.perform(Call { attempt: 2, ..call.clone() }).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(first["rows"], json!([{ "id": 1, "n": 1 }]));
    assert_eq!(query(&world, "select count(*) as n from t").await.unwrap(), json!([{ "n": 1 }]));
    // Without the promise it is done again.
    let loose =
        world.call("db_insert", json!({ "table": "t", "row": { "n": 2 }, "exactly_once": false }));
    for attempt in 1..=2 {
        world.perform(Call { attempt, ..loose.clone() }).await.unwrap();
    }
    assert_eq!(query(&world, "select count(*) as n from t").await.unwrap(), json!([{ "n": 3 }]));
}

#[tokio::test]
async fn a_write_that_fails_leaves_neither_rows_nor_a_mark() {
    let world = World::new();
    execute(&world, "create table t (n integer unique)").await.unwrap();
    let input = json!({ "table": "t", "rows": [{ "n": 1 }, { "n": 2 }, { "n": 1 }] });
    let call = world.call("db_insert", input);
    let failure = world.perform(call.clone()).await.unwrap_err();
    assert_eq!((failure.code.as_ref(), failure.retryable), ("db_constraint", false));
    assert!(failure.message.starts_with("row 3: "), "{failure:?}");
    assert_eq!(failure.detail.as_ref().unwrap()["constraint"], "unique");
    assert_eq!(query(&world, "select * from t").await.unwrap(), json!([]));
    // Tried again with what works, the same step does its work.
    let good = Call { input: json!({ "table": "t", "row": { "n": 1 } }), attempt: 2, ..call };
    assert_eq!(world.perform(good).await.unwrap()["rows_affected"], 1);
}

#[tokio::test]
async fn conflicts_are_settled_as_asked() {
    let world = World::new();
    execute(&world, "create table t (k text primary key, a integer, b integer default 7)")
        .await
        .unwrap();
    let insert = |row: Value, how: &str| {
        world.run("db_insert", json!({
            "table": "t", "row": row, "on_conflict": how, "conflict_keys": if how == "replace" { json!([]) } else { json!(["k"]) },
        }))
    };
    insert(json!({ "k": "x", "a": 1, "b": 2 }), "error").await.unwrap();
    assert_eq!(insert(json!({ "k": "x", "a": 9 }), "ignore").await.unwrap()["rows_affected"], 0);
    assert_eq!(
        query(&world, "select * from t").await.unwrap(),
        json!([{ "k": "x", "a": 1, "b": 2 }])
    );
    insert(json!({ "k": "x", "a": 3 }), "update").await.unwrap();
    assert_eq!(
        query(&world, "select * from t").await.unwrap(),
        json!([{ "k": "x", "a": 3, "b": 2 }])
    );
    insert(json!({ "k": "x", "a": 4 }), "replace").await.unwrap();
    assert_eq!(
        query(&world, "select * from t").await.unwrap(),
        json!([{ "k": "x", "a": 4, "b": 7 }])
    );
    assert_eq!(insert(json!({ "k": "x" }), "error").await.unwrap_err().code, "db_constraint");
}

#[tokio::test]
async fn an_insert_tells_its_rowid_and_others_tell_none() {
    let world = World::new();
    execute(&world, "create table t (id integer primary key, n)").await.unwrap();
    execute(&world, "create table u (id integer primary key, n)").await.unwrap();
    for table in ["t", "u"] {
        let output =
            world.run("db_insert", json!({ "table": table, "row": { "n": 1 } })).await.unwrap();
        assert_eq!(output["last_insert_id"], 1, "{table}");
    }
    let output = world
        .run("db_update", json!({ "table": "t", "set": { "n": 2 }, "all": true }))
        .await
        .unwrap();
    assert_eq!((&output["last_insert_id"], &output["rows_affected"]), (&Value::Null, &json!(1)));
    let output = execute(&world, "create table v (id)").await.unwrap();
    assert_eq!(output["rows_affected"], 0);
}

#[tokio::test]
async fn statements_reach_nothing_but_their_own_database() {
    let world = World::new();
    execute(&world, "create table t (n)").await.unwrap();
    let other = world.outside("other.db");
    for sql in [
        format!("attach '{}' as o", other.display()),
        "detach main".into(),
        "begin".into(),
        "commit".into(),
        "savepoint s".into(),
        "pragma journal_mode = off".into(),
        "pragma synchronous = off".into(),
        "pragma writable_schema = on".into(),
        "pragma query_only = off".into(),
        "pragma foreign_keys = off".into(),
        "select load_extension('x')".into(),
        "create temp table x (n)".into(),
        "create temp trigger x after insert on t begin select 1; end".into(),
        "delete from jalm_step_marks".into(),
        "drop table jalm_step_marks".into(),
        "create trigger x after insert on jalm_step_marks begin select 1; end".into(),
        "insert into jalm_step_marks values ('k', '{}', 0)".into(),
    ] {
        let failure = execute(&world, &sql).await.unwrap_err();
        assert_eq!(failure.code, "db_denied", "{sql}: {failure:?}");
        assert!(!failure.message.contains("not authorized"), "{sql}: {failure:?}");
    }
    let vacuum = format!("vacuum into '{}'", other.display());
    for result in [query(&world, &vacuum).await, execute(&world, &vacuum).await] {
        assert!(!result.unwrap_err().retryable);
    }
    assert!(!other.exists());
    for sql in ["pragma query_only = off", "attach 'x' as y", "begin"] {
        assert_eq!(query(&world, sql).await.unwrap_err().code, "db_denied", "{sql}");
    }
    assert_eq!(query(&world, "pragma table_info(t)").await.unwrap()[0]["name"], "n");
    execute(&world, "pragma user_version = 3").await.unwrap();
    assert_eq!(query(&world, "pragma user_version").await.unwrap(), json!([{ "user_version": 3 }]));
}

#[tokio::test]
async fn a_query_cannot_write() {
    let world = World::new();
    execute(&world, "create table t (n)").await.unwrap();
    for sql in [
        "insert into t values (1)",
        "with x as (select 1) insert into t select * from x",
        "update t set n = 1 returning n",
    ] {
        let failure = query(&world, sql).await.unwrap_err();
        assert_eq!(failure.code, "db_not_a_query", "{sql}");
        assert!(failure.hint.unwrap().contains("db_insert"));
    }
}

#[tokio::test]
async fn results_are_bounded() {
    let world = World::new();
    let numbers = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5) select i from n";
    let output = world.run("db_query", json!({ "query": numbers, "max_rows": 3 })).await.unwrap();
    assert_eq!((&output["count"], &output["truncated"]), (&json!(3), &json!(true)));
    let output = world.run("db_query", json!({ "query": numbers, "max_rows": 5 })).await.unwrap();
    assert_eq!((&output["count"], &output["truncated"]), (&json!(5), &json!(false)));
    let failure = query(&world, "select hex(zeroblob(10000000)) as x").await.unwrap_err();
    assert_eq!(failure.code, "result_too_large");
    assert_eq!(query(&world, "select zeroblob(100000000)").await.unwrap_err().code, "db_too_big");
    // Rows that are not given back are written all the same.
    execute(&world, "create table t (n)").await.unwrap();
    let rows: Vec<Value> = (0..5).map(|n| json!({ "n": n })).collect();
    let input = json!({ "table": "t", "rows": rows, "returning": "*", "max_rows": 2 });
    let output = world.run("db_insert", input).await.unwrap();
    assert_eq!((&output["rows_affected"], &output["truncated"]), (&json!(5), &json!(true)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_statement_is_interrupted_and_leaves_no_trace() {
    let world = World::new();
    execute(&world, "create table t (n)").await.unwrap();
    let endless = "with recursive n(i) as (select 1 union all select i + 1 from n) ";
    for (atom, sql) in [
        ("db_query", format!("{endless} select max(i) from n")),
        ("db_update", format!("{endless} insert into t select i from n")),
    ] {
        let call = world.call(atom, json!({ "query": sql }));
        let running = world.layers.run(call);
        // It never ends by itself: the time limit only decides when it is dropped.
        let dropped = tokio::time::timeout(Duration::from_millis(100), running).await;
        assert!(dropped.is_err(), "{atom}");
        // Waits for the writer; it gets it only when the dropped statement has really ended.
        let started = Instant::now();
        execute(&world, "insert into t values (-1)").await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(5), "{atom} went on");
    }
    assert_eq!(query(&world, "select * from t").await.unwrap(), json!([{ "n": -1 }, { "n": -1 }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_wait_for_each_other_and_readers_for_nobody() {
    let world = std::sync::Arc::new(World::new());
    execute(&world, "create table t (n)").await.unwrap();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let world = world.clone();
            tokio::spawn(async move {
                world.run("db_insert", json!({ "table": "t", "row": { "n": n } })).await.unwrap();
                query(&world, "select count(*) as n from t").await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(query(&world, "select count(distinct n) as n from t").await.unwrap()[0]["n"], 50);
}

#[tokio::test]
async fn a_bad_query_is_refused() {
    let world = World::new();
    world
        .refuses(
            "db_query",
            &[
                (json!({}), "`query`", "add `query`: "),
                (json!({ "query": "select 1", "sql": "select 1" }), "`sql`", "leave one out"),
                (
                    json!({ "query": "selec 1" }),
                    "syntax error (line 1, column 1)",
                    "check the statement",
                ),
                (
                    json!({ "query": "select * from none" }),
                    "no such table",
                    "create table if not exists",
                ),
                (json!({ "query": "select 1; select 2" }), "several", "`statements`"),
                (json!({ "query": "select $1" }), "parameter 1", "one value for each"),
                (
                    json!({ "query": "select $1", "params": { "a": 1 } }),
                    "no `1`",
                    "one value for each",
                ),
                (
                    json!({ "query": "select :a", "params": [1] }),
                    "must be a map",
                    "one value for each",
                ),
                (
                    json!({ "query": "select 1", "params": [1] }),
                    "no parameters",
                    "one value for each",
                ),
                (
                    json!({ "query": "select ?", "params": [1, 2] }),
                    "2 are given",
                    "one value for each",
                ),
                (
                    json!({ "query": "select ?", "params": [u64::MAX] }),
                    "larger than",
                    "one value for each",
                ),
                (json!({ "query": "select ?", "params": 1 }), "`params`", "`params`: "),
                (json!({ "query": "select 1", "connection": "../x" }), "`../x`", "letters"),
                (json!({ "qurey": "select 1" }), "`qurey`", "did you mean `query`?"),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_bad_write_is_refused() {
    let world = World::new();
    execute(&world, "create table t (n integer not null)").await.unwrap();
    world
        .refuses(
            "db_insert",
            &[
                (json!({}), "`table`", "write `table`"),
                (json!({ "table": "t" }), "`row`", "write `table`"),
                (json!({ "table": "t", "row": { "n": 1 }, "rows": [] }), "`row`", "`rows`"),
                (
                    json!({ "table": "t", "row": { "n": 1 }, "query": "select 1" }),
                    "`table`",
                    "write `table`",
                ),
                (
                    json!({ "table": "t", "row": { "n": null } }),
                    "NOT NULL",
                    "give the column a value",
                ),
                (
                    json!({ "table": "t", "row": { "m": 1 } }),
                    "no column named m",
                    "check the statement",
                ),
                (
                    json!({ "table": "t", "row": { "n": 1 }, "on_conflict": "update" }),
                    "`conflict_keys`",
                    "primary key",
                ),
                (
                    json!({ "table": "t", "row": { "n": 1 }, "on_conflict": "updat" }),
                    "`updat`",
                    "did you mean `update`?",
                ),
                (
                    json!({ "table": "t", "row": { "n": 1 }, "returning": 1 }),
                    "`returning`",
                    "`returning`: ",
                ),
                (json!({ "table": "", "row": { "n": 1 } }), "not a name", "as it stands"),
            ],
        )
        .await;
    world
        .refuses(
            "db_update",
            &[
                (json!({ "table": "t", "set": { "n": 1 } }), "`where`", "`all: true`"),
                (json!({ "table": "t", "set": {} }), "`set`", "name the columns"),
                (json!({ "table": "t", "where": { "n": 1 } }), "`set`", "write `table`"),
                (
                    json!({ "statements": [{ "query": "select 1" }, { "query": "x" }] }),
                    "statement 2: ",
                    "check the statement",
                ),
                (json!({ "statements": [{}] }), "`statements[0].query`", "add `query`"),
            ],
        )
        .await;
    world
        .refuses(
            "db_delete",
            &[
                (json!({ "table": "t" }), "`where`", "`all: true`"),
                (json!({}), "`table`", "write `table`"),
                (json!({ "table": "t", "were": {} }), "`were`", "did you mean `where`?"),
            ],
        )
        .await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    let world = World::new();
    let path = world.outside("data/db/main.db");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, "this is a text and no database, whatever its name says\n".repeat(50))
        .unwrap();
    let before = std::fs::read(&path).unwrap();
    for result in [
        query(&world, "select 1 from sqlite_master").await,
        execute(&world, "create table t (n)").await,
    ] {
        assert_eq!(result.unwrap_err().code, "db_corrupt");
    }
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[tokio::test]
async fn old_marks_are_removed_and_young_ones_stay() {
    let world = World::new();
    let path = world.outside("data/db/main.db");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let now = crate::context::now().0 / 1000;
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(&format!(
            "create table jalm_step_marks (key text primary key, result text not null, at integer not null) without rowid;
             insert into jalm_step_marks values ('old', '{{}}', {}), ('young', '{{}}', {});",
            now - 31 * 86_400,
            now - 29 * 86_400,
        ))
        .unwrap();
    execute(&world, "create table t (n)").await.unwrap();
    let keys = query(&world, "select key from jalm_step_marks order by key").await.unwrap();
    assert_eq!(keys, json!([{ "key": "jalm-test-0" }, { "key": "young" }]));
}

#[tokio::test]
async fn another_process_that_writes_is_waited_for() {
    let world = World::new();
    execute(&world, "create table t (n)").await.unwrap();
    let other = rusqlite::Connection::open(world.outside("data/db/main.db")).unwrap();
    other.execute_batch("begin immediate; insert into t values (1)").unwrap();
    let mut waiting = Box::pin(execute(&world, "insert into t values (2)"));
    // It cannot end while the other one holds the lock, however long that takes.
    let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
    assert!(early.is_err());
    other.execute_batch("commit").unwrap();
    waiting.await.unwrap();
    assert_eq!(query(&world, "select n from t").await.unwrap(), json!([{ "n": 1 }, { "n": 2 }]));
}
