//! Small packages of the real registries.

use crate::world::{STRENGTHS, World, packages};
use jalm_isolates::Language;
use serde_json::json;

#[tokio::test]
async fn is_number_of_npm() {
    let given = json!({ "is-number": "7.0.0" });
    for strength in STRENGTHS {
        let mut world = World::real(strength);
        let script = Language::JavaScript;
        let environment = world.prepare(script, given.clone(), None).await.unwrap();
        assert_eq!(packages(&environment), json!(["is-number==7.0.0"]));
        let source = "const isNumber = require('is-number');\nconst other = await import('is-number');\nreturn [isNumber('7'), other.default('x')]";
        assert_eq!(world.good(script, source, &environment).await, json!([true, false]));
        let typed = "const isNumber: (value: unknown) => boolean = require('is-number');\nreturn isNumber(1)";
        assert_eq!(world.good(Language::TypeScript, typed, &environment).await, true);
        let write = "const fs = require('fs');\ntry { fs.writeFileSync(require.resolve('is-number'), 'x') } catch { return 'refused' }";
        assert_eq!(world.good(script, write, &environment).await, "refused");
        let none = world.run(script, "return require('is-number')", None).await.unwrap_err();
        assert!(none.message.contains("Cannot find module"), "{none:?}");
        // Offline, as far as an installer can tell.
        world
            .restart(|settings| {
                for (name, value) in [
                    ("npm_config_registry", "http://127.0.0.1:9"),
                    ("npm_config_fetch_retries", "0"),
                ] {
                    settings.environment.insert(name.to_owned(), value.to_owned());
                }
            })
            .await;
        let again = world.prepare(script, given.clone(), None).await.unwrap();
        assert_eq!(again.lock(), environment.lock());
        let other = world.prepare(script, json!(["is-odd"]), None).await.unwrap_err();
        assert_eq!((other.code, other.may_pass()), ("dependency_unreachable", true), "{other:?}");
    }
}

#[tokio::test]
async fn packages_of_npm_that_do_not_exist_are_told() {
    let world = World::real(jalm_isolates::Strength::A);
    for given in [json!({ "is-number": "99" }), json!(["@jalm-does-not-exist/at-all"])] {
        let error = world.prepare(Language::JavaScript, given, None).await.unwrap_err();
        assert_eq!((error.code, error.may_pass()), ("dependency_not_found", false), "{error:?}");
    }
}

#[tokio::test]
async fn six_of_pypi() {
    let block = json!(["six==1.16.0"]);
    for strength in STRENGTHS {
        let mut world = World::real(strength);
        let environment = world.python(block.clone()).await.unwrap();
        assert_eq!(packages(&environment), json!(["six==1.16.0"]));
        let source = "import six\nreturn [six.__version__, six.PY3]";
        let value = world.good(Language::Python, source, &environment).await;
        assert_eq!(value, json!(["1.16.0", true]));
        // Offline, as far as an installer can tell.
        world
            .restart(|settings| {
                let nowhere = "http://127.0.0.1:9".to_owned();
                settings.environment.insert("PIP_INDEX_URL".to_owned(), nowhere);
            })
            .await;
        let again = world.python(block.clone()).await.unwrap();
        assert_eq!(again.lock(), environment.lock());
        let other = world.python(json!(["attrs"])).await.unwrap_err();
        assert_eq!((other.code, other.may_pass()), ("dependency_unreachable", true), "{other:?}");
    }
}

#[tokio::test]
async fn itoa_of_crates_io() {
    let given = json!({ "itoa": "=1.0.15" });
    for strength in STRENGTHS {
        let mut world = World::real(strength);
        let environment = world.prepare(Language::Rust, given.clone(), None).await.unwrap();
        assert_eq!(packages(&environment), json!(["itoa==1.0.15"]));
        let source = "fn run() -> String {\n    itoa::Buffer::new().format(7 * 6).to_owned()\n}\n";
        assert_eq!(world.good(Language::Rust, source, &environment).await, "42");
        let wrong = "fn run() -> u8 {\n    let a: u8 = itoa::nothing();\n    a\n}\n";
        let error = world.run(Language::Rust, wrong, Some(&environment)).await.unwrap_err();
        assert_eq!((error.code.as_ref(), error.line), ("script_syntax", Some(2)), "{error:?}");
        let none = world.run(Language::Rust, source, None).await.unwrap_err();
        assert_eq!(none.code, "script_syntax", "{none:?}");
        // Offline, as far as an installer can tell.
        world
            .restart(|settings| {
                settings.environment.insert("CARGO_NET_OFFLINE".to_owned(), "true".to_owned());
            })
            .await;
        let again = world.prepare(Language::Rust, given.clone(), None).await.unwrap();
        assert_eq!(again.lock(), environment.lock());
    }
}

/// Macros and build scripts are compiled and run in the sandbox.
#[tokio::test]
async fn serde_of_crates_io_with_its_macros() {
    let given = json!({ "serde": { "version": "1", "features": ["derive"] }, "serde_json": "1" });
    for strength in STRENGTHS {
        let world = World::real(strength);
        let environment = world.prepare(Language::Rust, given.clone(), None).await.unwrap();
        let source = "#[derive(serde::Serialize)]\nstruct Point { x: i32 }\nfn run() -> String {\n    serde_json::to_string(&Point { x: 7 }).unwrap()\n}\n";
        assert_eq!(world.good(Language::Rust, source, &environment).await, r#"{"x":7}"#);
    }
}
