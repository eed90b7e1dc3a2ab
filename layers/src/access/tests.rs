//! Who may touch what, seen through the atoms.

use crate::testing::{Reply, Stub, World};
use crate::{Policy, SetupError};
use jalm_kernel::failure::Failure;
use jalm_kernel::intent::{FileGrants, Grants};
use serde_json::{Value, json};

fn refused(result: Result<Value, Failure>, hint: &str) {
    let failure = result.unwrap_err();
    assert_eq!(failure.code, "not_granted", "{failure:?}");
    assert!(!failure.retryable);
    assert_eq!(failure.hint.as_deref(), Some(hint), "{failure:?}");
}

#[tokio::test]
async fn a_kind_that_is_left_out_of_grants_is_granted_nothing() {
    let (world, nothing) = (World::new(), Grants::default);
    refused(
        world
            .run_granted(
                "exec_http",
                json!({ "url": "https://api.example.com/x?key=1" }),
                nothing(),
            )
            .await,
        "add `http: [\"https://api.example.com/*\"]` under `grants`",
    );
    refused(
        world.run_granted("db_query", json!({ "query": "select 1" }), nothing()).await,
        "add `db: [main]` under `grants`",
    );
    refused(
        world.run_granted("file_read", json!({ "path": "a/b.txt" }), nothing()).await,
        "add `file: { read: [\"a/b.txt\"] }` under `grants`",
    );
    refused(
        world
            .run_granted("file_write", json!({ "path": "a/b.txt", "content": "" }), nothing())
            .await,
        "add `file: { write: [\"a/b.txt\"] }` under `grants`",
    );
    refused(
        world.run_granted("file_list", json!({}), nothing()).await,
        "add `file: { read: [\"**\"] }` under `grants`",
    );
    refused(
        world.run_granted("notify_mq", json!({ "queue": "q", "message": 1 }), nothing()).await,
        "add `notify: [queue]` under `grants`",
    );
    let hook = json!({ "url": "https://api.example.com/x", "payload": 1 });
    refused(
        world.run_granted("notify_webhook", hook, nothing()).await,
        "add `notify: [webhook]` under `grants`",
    );
    // What touches nothing outside needs no grant.
    for (atom, input) in [
        ("generate_uuid", json!({})),
        ("get_timestamp", json!({})),
        ("render_json", json!({ "data": 1 })),
        ("cache_set", json!({ "key": "k", "value": 1 })),
        ("cache_get", json!({ "key": "k" })),
    ] {
        world.run_granted(atom, input, nothing()).await.unwrap();
    }
}

#[tokio::test]
async fn grants_open_what_they_name_and_no_more() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/open/x", Reply::status(200));
    let grants = Grants {
        http: vec![stub.url("/open/*")],
        db: vec!["sales".into()],
        file: FileGrants { read: vec!["in/*.txt".into()], write: vec!["out/**".into()] },
        notify: vec!["queue".into()],
        ..Grants::default()
    };
    let granted = |atom, input| world.run_granted(atom, input, grants.clone());
    granted("exec_http", json!({ "url": stub.url("/open/x") })).await.unwrap();
    assert_eq!(
        granted("exec_http", json!({ "url": stub.url("/open/../x") })).await.unwrap_err().code,
        "not_granted"
    );
    granted("db_query", json!({ "connection": "sales", "query": "select 1" })).await.unwrap();
    let other = granted("db_query", json!({ "connection": "main", "query": "select 1" })).await;
    assert_eq!(other.unwrap_err().code, "not_granted");
    granted("file_write", json!({ "path": "out/a/b.txt", "content": "x" })).await.unwrap();
    for path in ["in/a.txt", "outer.txt"] {
        let failure =
            granted("file_write", json!({ "path": path, "content": "" })).await.unwrap_err();
        assert_eq!(failure.code, "not_granted", "{path}");
    }
    let failure = granted("file_read", json!({ "path": "in/deep/a.txt" })).await.unwrap_err();
    assert_eq!(failure.code, "not_granted", "`*` stays within a folder");
    granted("notify_mq", json!({ "queue": "q", "message": 1 })).await.unwrap();
    assert_eq!(stub.seen().len(), 1);
}

#[tokio::test]
async fn the_policy_is_the_ceiling() {
    let policy = Policy {
        http: vec!["https://*.example.com/*".into()],
        db: vec!["main".into()],
        file: FileGrants { read: vec!["public/**".into()], write: vec![] },
        notify: vec![],
        private_networks: true,
        own_addresses: vec![],
        script_languages: vec!["python".into()],
        script_network: false,
        script_limits: crate::ScriptLimits::default(),
    };
    let world = World::with_policy(policy);
    let all = || Grants {
        http: vec!["*".into()],
        db: vec!["*".into()],
        file: FileGrants { read: vec!["**".into()], write: vec!["**".into()] },
        notify: vec!["*".into()],
        ..Grants::default()
    };
    for (atom, input) in [
        ("exec_http", json!({ "url": "http://127.0.0.1:1/" })),
        ("db_query", json!({ "connection": "sales", "query": "select 1" })),
        ("file_read", json!({ "path": "private/x" })),
        ("file_write", json!({ "path": "public/x", "content": "" })),
        ("notify_mq", json!({ "queue": "q", "message": 1 })),
    ] {
        for result in
            [world.run(atom, input.clone()).await, world.run_granted(atom, input, all()).await]
        {
            let failure = result.unwrap_err();
            assert_eq!(failure.code, "not_granted", "{atom}: {failure:?}");
            assert!(failure.message.starts_with("this runner's policy"), "{failure:?}");
        }
    }
    world.run("db_query", json!({ "query": "select 1" })).await.unwrap();
}

#[tokio::test]
async fn bad_patterns_are_named() {
    let world = World::new();
    let grants = Grants { http: vec!["api.example.com".into()], ..Grants::default() };
    let failure =
        world.run_granted("exec_http", json!({ "url": "http://x/" }), grants).await.unwrap_err();
    assert!(failure.message.contains("`api.example.com` is not a URL pattern"), "{failure:?}");

    let policy =
        Policy { file: FileGrants { read: vec!["a[".into()], write: vec![] }, ..Policy::default() };
    let error = crate::access::Rules::compile(&policy.as_grants()).unwrap_err();
    assert!(matches!(error, SetupError::Glob { .. }), "{error}");
}
