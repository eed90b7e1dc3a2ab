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
