//! Files as steps see them.

use crate::testing::World;
use jalm_kernel::intent::{FileGrants, Grants};
use jalm_kernel::ports::Call;
use serde_json::{Value, json};
use std::os::unix::fs::symlink;

fn names(world: &World, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(world.file(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn no_link_leads_out_of_the_root() {
    let world = World::new();
    std::fs::write(world.outside("secret.txt"), "secret").unwrap();
    std::fs::create_dir(world.outside("away")).unwrap();
    symlink(world.outside("secret.txt"), world.file("absolute")).unwrap();
    symlink("../secret.txt", world.file("relative")).unwrap();
    symlink("../away", world.file("folder")).unwrap();
    symlink("folder", world.file("twice")).unwrap();
    for path in ["absolute", "relative", "folder/x", "twice/x"] {
        let failure = world.run("file_read", json!({ "path": path })).await.unwrap_err();
        assert_eq!(failure.code, "path_escape", "{path}: {failure:?}");
    }
    for (path, mode) in [
        ("folder/new.txt", "overwrite"),
        ("twice/new.txt", "create"),
        ("folder/a/b.txt", "append"),
        ("relative", "append"),
        ("absolute", "append"),
    ] {
        let input = json!({ "path": path, "content": "x", "mode": mode });
        let failure = world.run("file_write", input).await.unwrap_err();
        assert_eq!(failure.code, "path_escape", "{path}: {failure:?}");
    }
    let failure = world.run("file_list", json!({ "path": "folder" })).await.unwrap_err();
    assert_eq!(failure.code, "path_escape");
    let failure = world.run("file_delete", json!({ "path": "folder/x" })).await.unwrap_err();
    assert_eq!(failure.code, "path_escape");
    assert_eq!(std::fs::read_dir(world.outside("away")).unwrap().count(), 0);
    // Overwriting a link replaces the link; deleting one removes the link.
    world.run("file_write", json!({ "path": "relative", "content": "mine" })).await.unwrap();
    world.run("file_delete", json!({ "path": "absolute" })).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.outside("secret.txt")).unwrap(), "secret");
    assert_eq!(std::fs::read_to_string(world.file("relative")).unwrap(), "mine");
}

#[tokio::test]
async fn a_link_inside_needs_a_grant_for_its_target_too() {
    let world = World::new();
    std::fs::create_dir_all(world.file("open")).unwrap();
    std::fs::create_dir_all(world.file("closed")).unwrap();
    std::fs::write(world.file("closed/x.txt"), "x").unwrap();
    symlink("../closed", world.file("open/link")).unwrap();
    let grants = || Grants {
        file: FileGrants { read: vec!["open/**".into()], write: vec!["open/**".into()] },
        ..Grants::default()
    };
    let read = world.run_granted("file_read", json!({ "path": "open/link/x.txt" }), grants()).await;
    assert_eq!(read.unwrap_err().code, "not_granted");
    for input in [
        json!({ "path": "open/link/y.txt", "content": "" }),
        json!({ "path": "open/link/x.txt", "content": "", "mode": "append" }),
        json!({ "path": "open/link/new/y.txt", "content": "" }),
    ] {
        let write = world.run_granted("file_write", input, grants()).await;
        assert_eq!(write.unwrap_err().code, "not_granted");
    }
    let delete =
        world.run_granted("file_delete", json!({ "path": "open/link/x.txt" }), grants()).await;
    assert_eq!(delete.unwrap_err().code, "not_granted");
    assert_eq!(names(&world, "closed"), ["x.txt"]);
    world.run("file_read", json!({ "path": "open/link/x.txt" })).await.unwrap();
}

#[tokio::test]
async fn a_write_is_whole_and_leaves_nothing_else() {
    let world = World::new();
    let big = "0123456789".repeat(100_000);
    world.run("file_write", json!({ "path": "a/b.txt", "content": "old" })).await.unwrap();
    world.run("file_write", json!({ "path": "a/b.txt", "content": big })).await.unwrap();
    assert_eq!(std::fs::read_to_string(world.file("a/b.txt")).unwrap(), big);
    assert_eq!(names(&world, "a"), ["b.txt"]);
    let input = json!({ "path": "a/b.txt", "content": "new", "mode": "create" });
    let failure = world.run("file_write", input).await.unwrap_err();
    assert_eq!(failure.code, "file_exists");
    assert_eq!(names(&world, "a"), ["b.txt"]);
    // The same content is what the step wanted: a repeated call is not an error.
    let call =
        world.call("file_write", json!({ "path": "a/c.txt", "content": "new", "mode": "create" }));
    world.perform(call.clone()).await.unwrap();
    world.perform(Call { attempt: 2, ..call }).await.unwrap();
    assert_eq!(names(&world, "a"), ["b.txt", "c.txt"]);
}

#[tokio::test]
async fn what_a_killed_writer_left_is_removed_by_the_next_attempt() {
    let world = World::new();
    let call = world.call("file_write", json!({ "path": "x.txt", "content": "whole" }));
    let name = super::write::temporary_name("", &call.idempotency_key, 1);
    std::fs::write(world.file(&name), "half").unwrap();
    world.perform(Call { attempt: 2, ..call }).await.unwrap();
    assert_eq!(names(&world, ""), ["x.txt"]);
    std::fs::write(world.file(".jalm-0-1.tmp"), "").unwrap();
    let listed = world.run("file_list", json!({})).await.unwrap();
    assert_eq!(listed["count"], 1, "unfinished files are not shown: {listed}");
}

#[tokio::test]
async fn an_append_that_is_repeated_stands_there_once() {
    let world = World::new();
    let input = |text: &str| json!({ "path": "log.txt", "content": text, "mode": "append" });
    let first = world.call("file_write", input("one\n"));
    world.perform(first.clone()).await.unwrap();
    world.perform(Call { attempt: 2, ..first.clone() }).await.unwrap();
    world.run("file_write", input("two\n")).await.unwrap();
    world.perform(Call { attempt: 3, ..first }).await.unwrap();
    let text = || std::fs::read_to_string(world.file("log.txt")).unwrap();
    assert_eq!(text(), "one\ntwo\n");
    // Killed in the middle: the first bytes are there, and the rest is added.
    let third = world.call("file_write", input("three\n"));
    world.perform(third.clone()).await.unwrap();
    std::fs::write(world.file("log.txt"), "one\ntwo\nthr").unwrap();
    world.perform(Call { attempt: 2, ..third }).await.unwrap();
    assert_eq!(text(), "one\ntwo\nthree\n");
    // The same text by another step is another line.
    world.run("file_write", input("three\n")).await.unwrap();
    assert_eq!(text(), "one\ntwo\nthree\nthree\n");
}

#[tokio::test]
async fn a_deletion_that_is_repeated_is_not_an_error() {
    let world = World::new();
    std::fs::write(world.file("x.txt"), "").unwrap();
    let call = world.call("file_delete", json!({ "path": "x.txt" }));
    for attempt in 1..=2 {
        let output = world.perform(Call { attempt, ..call.clone() }).await.unwrap();
        assert_eq!(output["deleted"], true);
    }
    let failure = world.run("file_delete", json!({ "path": "x.txt" })).await.unwrap_err();
    assert_eq!(failure.code, "file_not_found");
}

#[tokio::test]
async fn contents_are_given_and_taken_in_each_encoding() {
    let world = World::new();
    let write = |content: Value, encoding: Value| {
        world.run("file_write", json!({ "path": "f", "content": content, "encoding": encoding }))
    };
    let read =
        |encoding: &str| world.run("file_read", json!({ "path": "f", "encoding": encoding }));
    write(json!("AP8="), json!("base64")).await.unwrap();
    assert_eq!(std::fs::read(world.file("f")).unwrap(), [0, 255]);
    assert_eq!(read("base64").await.unwrap()["content"], "AP8=");
    assert_eq!(read("text").await.unwrap_err().code, "not_text");
    assert_eq!(read("json").await.unwrap_err().code, "not_json");
    write(json!({ "a": [1] }), Value::Null).await.unwrap();
    assert_eq!(read("json").await.unwrap()["content"], json!({ "a": [1] }));
    assert!(read("text").await.unwrap()["content"].as_str().unwrap().starts_with("{\n"));
}

#[tokio::test]
async fn a_list_is_sorted_bounded_and_shows_only_what_may_be_read() {
    let world = World::new();
    for path in ["b/2.csv", "b/1.csv", "a.csv", "b/c/3.csv", "b/c/x.txt", "d.csv"] {
        world.run("file_write", json!({ "path": path, "content": path })).await.unwrap();
    }
    symlink("a.csv", world.file("link.csv")).unwrap();
    let paths = |output: &Value| -> Vec<String> {
        let files = output["files"].as_array().unwrap();
        files.iter().map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    let list = |input: Value| world.run("file_list", input);
    let all = list(json!({ "glob": "**/*.csv" })).await.unwrap();
    assert_eq!(paths(&all), ["a.csv", "b/1.csv", "b/2.csv", "b/c/3.csv", "d.csv"]);
    assert_eq!(all["files"][1]["bytes"], 7);
    assert_eq!(paths(&list(json!({ "glob": "*.csv" })).await.unwrap()), ["a.csv", "d.csv"]);
    assert_eq!(
        paths(&list(json!({ "path": "b", "glob": "*.csv" })).await.unwrap()),
        ["b/1.csv", "b/2.csv"]
    );
    assert_eq!(
        paths(&list(json!({ "path": "b", "folders": true })).await.unwrap()),
        ["b/1.csv", "b/2.csv", "b/c"]
    );
    let two = list(json!({ "recursive": true, "max_entries": 2 })).await.unwrap();
    assert_eq!((paths(&two).len(), &two["truncated"]), (2, &json!(true)));
    let grants = Grants {
        file: FileGrants { read: vec!["b/*".into()], write: vec![] },
        ..Grants::default()
    };
    let some = world.run_granted("file_list", json!({ "recursive": true }), grants).await.unwrap();
    assert_eq!(paths(&some), ["b/1.csv", "b/2.csv"]);
    assert_eq!(list(json!({ "path": "none" })).await.unwrap_err().code, "file_not_found");
}

#[tokio::test]
async fn bad_input_is_refused() {
    let world = World::new();
    std::fs::create_dir(world.file("folder")).unwrap();
    std::fs::write(world.file("large"), vec![b'x'; 100]).unwrap();
    world
        .refuses(
            "file_read",
            &[
                (json!({}), "`path`", "add `path`: "),
                (json!({ "path": "../x" }), "`..`", "`path`: "),
                (json!({ "path": "/etc/passwd" }), "system's root", "`path`: "),
                (json!({ "path": "none.txt" }), "there is no such file", "file root"),
                (json!({ "path": "folder" }), "is a folder", "file_list"),
                (json!({ "path": "large/x" }), "part of the path is a file", "another path"),
                (json!({ "path": "large", "max_bytes": 99 }), "larger than 99 bytes", "max_bytes"),
                (json!({ "path": "large", "encoding": "xml" }), "`xml`", "write one of"),
                (json!({ "pth": "x" }), "`pth`", "did you mean `path`?"),
            ],
        )
        .await;
    world
        .refuses(
            "file_write",
            &[
                (json!({ "path": "x" }), "`content`", "add `content`: "),
                (json!({ "path": "folder", "content": "" }), "it is a folder", "file in it"),
                (
                    json!({ "path": "large/x", "content": "" }),
                    "part of the path is a file",
                    "another path",
                ),
                (
                    json!({ "path": "x", "content": 1, "encoding": "text" }),
                    "`content`",
                    "`encoding`",
                ),
                (
                    json!({ "path": "x", "content": "?", "encoding": "base64" }),
                    "`content`",
                    "`encoding`",
                ),
                (
                    json!({ "path": "x", "content": "", "mode": "apend" }),
                    "`apend`",
                    "did you mean `append`?",
                ),
                (json!({ "path": ".jalm-x", "content": "" }), "belong to the runner", "`path`: "),
            ],
        )
        .await;
    world
        .refuses(
            "file_list",
            &[
                (json!({ "glob": "a[" }), "`glob`", "*.csv"),
                (json!({ "path": "large" }), "part of the path is a file", "another path"),
                (json!({ "max_entries": -1 }), "`max_entries`", "`max_entries`: "),
            ],
        )
        .await;
    world
        .refuses(
            "file_delete",
            &[
                (json!({ "path": "folder" }), "is a folder", "file_list"),
                (json!({ "path": "none" }), "there is no file", "missing_ok"),
                (json!({ "path": "a/../b" }), "`..`", "`path`: "),
            ],
        )
        .await;
}
