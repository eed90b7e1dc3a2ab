use super::*;
use crate::testing::World;
use jalm_kernel::ports::Runner;

fn read(world: &World, path: &str) -> String {
    std::fs::read_to_string(world.file(path)).unwrap()
}

#[tokio::test]
async fn bad_input_is_refused() {
    let world = World::new();
    std::fs::create_dir(world.file("folder")).unwrap();
    world
        .refuses(
            "log_write",
            &[
                (json!({ "entry": "x" }), "`path`", "add `path`"),
                (json!({ "path": "a.log" }), "`entry`", "`entries`"),
                (json!({ "path": "a.log", "entry": "x", "entries": [] }), "`entries`", "leave one out"),
                (json!({ "path": "a.log", "entries": [] }), "there are none", "another step"),
                (json!({ "path": "a.log", "entry": 5 }), "`entries[0]`", "text, or a map"),
                (json!({ "path": "../a.log", "entry": "x" }), "goes up", "`path`: "),
                (json!({ "path": "a.log", "entry": "x", "level": "info\nERROR" }), "`level`", "`info`"),
                (json!({ "path": "a.log", "entry": "x", "rotate": {} }), "does not say when", "`max_bytes`"),
                (json!({ "path": "a.log", "entry": "x", "rotate": { "max_bytes": 0 } }), "put every line aside", "larger"),
                (json!({ "path": "a.log", "entry": "x", "rotate": { "daily": true, "keep": 5000 } }), "`rotate.keep`", "1000"),
                (json!({ "path": "a.log", "entry": "x", "rotate": { "size": 1 } }), "`rotate.size`", "write one of"),
                (json!({ "path": "a.log", "entry": "x", "format": "xml" }), "`xml`", "write one of"),
                (json!({ "path": "folder", "entry": "x" }), "it is a folder", "name a file"),
            ],
        )
        .await;
}

#[tokio::test]
async fn one_entry_is_one_line_whatever_is_in_it() {
    let world = World::new();
    let input = json!({ "path": "a.log", "entry": "x\nERROR forged\r\u{1b}[2J", "level": "info", "timestamp": false });
    world.run("log_write", input).await.unwrap();
    assert_eq!(read(&world, "a.log"), "INFO x\\nERROR forged\\r\\u{1b}[2J\n");
    let input = json!({ "path": "b.log", "entries": ["a\nb", { "n": 1 }], "level": "warn" });
    world.run("log_write", input).await.unwrap();
    let text = read(&world, "b.log");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (lines[0]["message"].clone(), lines[1]["n"].clone(), lines[1]["level"].clone()),
        (json!("a\nb"), json!(1), json!("warn"))
    );
    assert!(lines[0]["timestamp"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_full_file_is_put_aside_and_the_oldest_are_dropped() {
    let world = World::new();
    for (path, rotate) in [
        ("bytes.log", json!({ "max_bytes": 8, "keep": 2 })),
        ("lines.log", json!({ "max_lines": 2, "keep": 2 })),
    ] {
        for number in 0..7 {
            let input = json!({ "path": path, "entry": format!("n{number}"), "timestamp": false, "rotate": rotate });
            world.run("log_write", input).await.unwrap();
        }
        assert_eq!(read(&world, path), "n6\n", "{path}");
        assert_eq!(read(&world, &format!("{path}.1")), "n4\nn5\n", "{path}");
        assert_eq!(read(&world, &format!("{path}.2")), "n2\nn3\n", "{path}");
        assert!(!world.file(&format!("{path}.3")).exists());
    }
}

#[tokio::test]
async fn a_new_day_begins_a_new_file() {
    let world = World::new();
    std::fs::write(world.file("d.log"), "old\n").unwrap();
    let yesterday = std::time::SystemTime::now() - std::time::Duration::from_hours(24);
    std::fs::File::options()
        .write(true)
        .open(world.file("d.log"))
        .unwrap()
        .set_modified(yesterday)
        .unwrap();
    let input =
        json!({ "path": "d.log", "entry": "new", "timestamp": false, "rotate": { "daily": true } });
    assert_eq!(world.run("log_write", input.clone()).await.unwrap()["rotated"], true);
    assert_eq!(
        (read(&world, "d.log.1"), read(&world, "d.log")),
        ("old\n".to_owned(), "new\n".to_owned())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_many_at_once_stand_whole_and_none_is_lost() {
    let world = World::new();
    let calls: Vec<_> = (0..40)
        .map(|number| {
            let entries: Vec<String> = (0..5).map(|line| format!("{number}-{line}-{}", "x".repeat(500))).collect();
            let input = json!({ "path": "m.log", "entries": entries, "timestamp": false, "rotate": { "max_lines": 60, "keep": 10 } });
            tokio::spawn(world.layers.run(world.call("log_write", input)))
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    let mut lines = Vec::new();
    for name in ["m.log", "m.log.1", "m.log.2", "m.log.3", "m.log.4"] {
        if let Ok(text) = std::fs::read_to_string(world.file(name)) {
            assert!(text.lines().count() <= 60, "{name}");
            lines.extend(text.lines().map(str::to_owned).collect::<Vec<_>>());
        }
    }
    assert_eq!(lines.len(), 200);
    assert!(lines.chunks(5).all(|group| {
        group.iter().all(|line| line.split('-').next() == group[0].split('-').next())
    }));
}

#[tokio::test]
async fn a_repeated_call_writes_once_even_when_the_file_was_put_aside_since() {
    let world = World::new();
    let rotate = json!({ "max_lines": 1, "keep": 3 });
    let call =
        world.call("log_write", json!({ "path": "r.log", "entry": "once", "rotate": rotate }));
    world.perform(call.clone()).await.unwrap();
    world.perform(call.clone()).await.unwrap();
    assert_eq!(read(&world, "r.log").lines().count(), 1);
    world
        .run("log_write", json!({ "path": "r.log", "entry": "other", "rotate": rotate }))
        .await
        .unwrap();
    world.perform(call).await.unwrap();
    assert!(read(&world, "r.log").ends_with("other\n") && !world.file("r.log.2").exists());
}

#[tokio::test]
async fn the_names_of_files_put_aside_need_a_grant_too() {
    let world = World::new();
    let grants = |write: &[&str]| jalm_kernel::intent::Grants {
        file: jalm_kernel::intent::FileGrants {
            read: vec![],
            write: write.iter().map(|it| (*it).to_owned()).collect(),
        },
        ..Default::default()
    };
    let input = json!({ "path": "g.log", "entry": "x", "rotate": { "daily": true } });
    let failure =
        world.run_granted("log_write", input.clone(), grants(&["g.log"])).await.unwrap_err();
    assert!(failure.code == "not_granted" && failure.message.contains("g.log.1"), "{failure:?}");
    world.run_granted("log_write", input, grants(&["g.log*"])).await.unwrap();
}
