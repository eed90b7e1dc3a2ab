//! Packages of Python, from an index of their own.

use crate::world::{STRENGTHS, World, packages};
use jalm_isolates::{Language, Requirements, Strength};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_script_sees_its_packages_and_no_others() {
    for strength in STRENGTHS {
        let world = World::new(strength);
        world.wheel("first", "1.0", "from second import value\n");
        world.wheel("second", "2.0", "value = 7\n");
        world.wheel("third", "3.0", "value = 8\n");
        let both = world.python(json!(["first", "second>=1"])).await.unwrap();
        let third = world.python(json!(["third"])).await.unwrap();
        assert_eq!(packages(&both), json!(["first==1.0", "second==2.0"]));
        let python = Language::Python;
        let value = "import first\nreturn first.value";
        assert_eq!(world.good(python, value, &both).await, 7);
        let value = "import third\nreturn third.value";
        assert_eq!(world.good(python, value, &third).await, 8);
        let other = "import third";
        for environment in [Some(&both), None] {
            let error = world.run(python, other, environment).await.unwrap_err();
            assert!(error.message.contains("No module named 'third'"), "{}", error.message);
        }
        let look = "import sys, os\nown = sys.path[-1]\nall = os.path.dirname(own)\ntry:\n    os.listdir(all)\nexcept PermissionError as error:\n    return [os.path.isdir(own), 'second.py' in os.listdir(own)]\nreturn 'seen'";
        assert_eq!(world.good(python, look, &both).await, json!([true, true]));
    }
}

#[tokio::test]
async fn packages_are_read_only() {
    for strength in STRENGTHS {
        let world = World::new(strength);
        world.wheel("first", "1.0", "value = 7\n");
        let environment = world.python(json!(["first"])).await.unwrap();
        let write = "import first, os\ntried = []\nfor path in (first.__file__, first.__file__ + 'x', first.__cached__):\n    try:\n        open(path, 'w')\n        tried.append(path)\n    except OSError:\n        pass\ntry:\n    os.unlink(first.__file__)\n    tried.append('unlink')\nexcept OSError:\n    pass\nreturn tried";
        assert_eq!(world.good(Language::Python, write, &environment).await, json!([]));
    }
}

#[tokio::test]
async fn a_lock_is_kept_and_used() {
    let mut world = World::new(Strength::A);
    world.wheel("first", "1.0", "value = 1\n");
    let old = world.python(json!(["first"])).await.unwrap();
    world.wheel("first", "2.0", "value = 2\n");
    let value = "import first\nreturn first.value";
    // What was found a moment ago is good enough.
    let same = world.python(json!(["first"])).await.unwrap();
    assert_eq!(same.lock(), old.lock());
    world.restart(|settings| settings.fresh = Duration::ZERO).await;
    let new = world.python(json!(["first"])).await.unwrap();
    assert_eq!(packages(&new), json!(["first==2.0"]));
    // An execution that has begun goes on with what it has.
    let lock = old.lock();
    let wanted = Requirements::of(Language::Python, None, "", Some(&json!(["first"])));
    let wanted = wanted.unwrap().unwrap();
    let kept = world.isolates.install(&wanted, Some(&lock)).await.unwrap();
    assert_eq!(world.good(Language::Python, value, &kept).await, 1);
    assert_eq!(world.good(Language::Python, value, &new).await, 2);
    // Also where it has never been, as on another node.
    std::fs::remove_dir_all(world.data()).unwrap();
    world.restart(|_| {}).await;
    let kept = world.isolates.install(&wanted, Some(&lock)).await.unwrap();
    assert_eq!(world.good(Language::Python, value, &kept).await, 1);
}

#[tokio::test]
async fn what_was_changed_since_is_not_installed_under_an_old_lock() {
    let mut world = World::new(Strength::A);
    world.wheel("first", "1.0", "value = 1\n");
    let lock = world.python(json!(["first"])).await.unwrap().lock();
    world.wheel("first", "1.0", "value = 'stolen'\n");
    std::fs::remove_dir_all(world.data()).unwrap();
    world.restart(|_| {}).await;
    let error = world.prepare(Language::Python, json!(["first"]), Some(&lock)).await.unwrap_err();
    assert_eq!(error.code, "dependency_failed", "{error:?}");
    assert!(error.said.unwrap().contains("HASH"));
}

#[tokio::test]
async fn what_is_installed_needs_no_index() {
    let mut world = World::new(Strength::A);
    world.wheel("first", "1.0", "value = 1\n");
    let first = world.python(json!(["first"])).await.unwrap();
    std::fs::remove_dir_all(world.index()).unwrap();
    world.restart(|_| {}).await;
    let again = world.python(json!(["first"])).await.unwrap();
    assert_eq!(again.lock(), first.lock());
    let value = "import first\nreturn first.value";
    assert_eq!(world.good(Language::Python, value, &again).await, 1);
    let known = world.prepare(Language::Python, json!(["first"]), Some(&first.lock())).await;
    assert!(known.is_ok());
}

#[tokio::test]
async fn source_packages_are_refused_and_their_setup_never_runs() {
    let world = World::new(Strength::A);
    let mark = world.folder.path().join("it-ran");
    let setup = format!(
        "open({:?}, 'w')\nfrom setuptools import setup\nsetup(name='evil', version='1.0')\n",
        mark.display().to_string()
    );
    world.source("evil", "1.0", &setup);
    let error = world.python(json!(["evil"])).await.unwrap_err();
    assert_eq!((error.code, error.may_pass()), ("dependency_not_found", false), "{error:?}");
    assert!(error.hint.contains("wheels") && error.said.unwrap().contains("evil"));
    assert!(!mark.exists());
}

#[tokio::test]
async fn what_does_not_exist_is_told() {
    let world = World::new(Strength::A);
    world.wheel("first", "1.0", "");
    for wanted in ["nothing-of-that-name", "first>=2"] {
        let error = world.python(json!([wanted])).await.unwrap_err();
        assert_eq!((error.code, error.may_pass()), ("dependency_not_found", false));
        assert!(error.said.is_some_and(|said| said.contains("No matching distribution")));
    }
    let error = world.python(json!(["-r /etc/passwd"])).await.unwrap_err();
    assert_eq!(error.code, "bad_input");
}

#[tokio::test]
async fn the_version_of_python_is_checked() {
    let world = World::new(Strength::A);
    let of = |python: &str| {
        let script = format!("# /// script\n# requires-python = \"{python}\"\n# ///\nreturn 1");
        Requirements::of(Language::Python, None, &script, None).unwrap().unwrap()
    };
    let error = world.isolates.install(&of("<3"), None).await.unwrap_err();
    assert!(error.message.contains("needs Python <3, this is 3."), "{error}");
    let environment = world.isolates.install(&of(">=3"), None).await.unwrap();
    assert_eq!(world.good(Language::Python, "return 1", &environment).await, 1);
}
