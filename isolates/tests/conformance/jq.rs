//! What authors of jq filters rely on.

use crate::common::{World, patient};
use jalm_isolates::Program;
use serde_json::{Value, json};

async fn with(world: &World, filter: &str, input: Value, variables: Value) -> Value {
    let variables = variables.as_object().unwrap().clone();
    let program = Program::Jq { filter: filter.to_owned(), input, variables };
    world.run(program, patient()).await.unwrap().result.unwrap()
}

at_each_strength! {
    async fn all_outputs_are_the_result(world: &World) {
        let rows = json!([{ "a": 1, "b": "x" }, { "a": 2, "b": "y" }]);
        assert_eq!(world.jq("map(.a) | add", rows.clone()).await.unwrap(), json!([3]));
        assert_eq!(world.jq(".[] | .b", rows.clone()).await.unwrap(), json!(["x", "y"]));
        assert_eq!(world.jq("empty", rows.clone()).await.unwrap(), json!([]));
        assert_eq!(world.jq("group_by(.b) | length", rows).await.unwrap(), json!([2]));
        assert_eq!(world.jq("\"é🦀\\u0000\" | ., length", Value::Null).await.unwrap(), json!(["é🦀\0", 3]));
        assert_eq!(world.jq("{z: 1, a: 2}", Value::Null).await.unwrap()[0].as_object().unwrap().keys().collect::<Vec<_>>(), ["z", "a"]);
        assert_eq!(world.jq(".", json!(9_007_199_254_740_993_u64)).await.unwrap(), json!([9_007_199_254_740_993_u64]));
        assert_eq!(world.jq(".", json!(1.5e-7)).await.unwrap(), json!([1.5e-7]));
    }

    async fn variables_are_there_by_name(world: &World) {
        let result = with(world, "map(select(. > $least)) | {$least, all: .}", json!([1, 5, 9]), json!({ "least": 4 })).await;
        assert_eq!(result, json!([{ "least": 4, "all": [5, 9] }]));
    }

    async fn filters_that_cannot_be_read_name_the_place(world: &World) {
        for (filter, line, column) in [
            (".a | (", 1, 7),
            (".a\n| map(.x)) | .y", 2, 10),
            ("\"a\\qb\"", 1, 4),
            (". | §", 1, 5),
            ("if . then 1", 1, 12),
            ("", 1, 1),
            ("\"é\" | | .", 1, 7),
            // The same text stands twice; the place is that of the second.
            (".a == 1 | .a == 1 1", 1, 19),
            ("\"text | \" | | \"text | \"", 1, 13),
        ] {
            let error = world.jq(filter, Value::Null).await.unwrap_err();
            assert_eq!(error.code, "script_syntax", "{filter}");
            assert_eq!((error.line, error.column), (Some(line), Some(column)), "{filter} {error:?}");
            assert!(error.message.contains("expected"), "{error:?}");
        }
    }

    async fn names_that_do_not_exist_are_named(world: &World) {
        for (filter, name, line, column) in [
            (".a |\n  missing(1)", "function `missing` with 1 arguments", 2, 3),
            (". + $nope", "variable `$nope`", 1, 5),
            ("now", "function `now`", 1, 1),
            ("env", "function `env`", 1, 1),
            ("input", "function `input`", 1, 1),
            ("$ENV", "variable `$ENV`", 1, 1),
            ("break $out", "label", 1, 7),
        ] {
            let error = world.jq(filter, Value::Null).await.unwrap_err();
            assert_eq!(error.code, "script_syntax", "{filter}");
            assert!(error.message.contains(name), "{filter} {error:?}");
            assert_eq!((error.line, error.column), (Some(line), Some(column)), "{filter} {error:?}");
        }
    }

    async fn modules_cannot_be_loaded(world: &World) {
        for filter in ["include \"x\"; 1", "import \"/etc/passwd\" as $x; $x", "import \"x\" as x; 1"] {
            let error = world.jq(filter, Value::Null).await.unwrap_err();
            assert_eq!(error.code, "script_syntax", "{filter} {error:?}");
        }
    }

    async fn failures_say_what_failed(world: &World) {
        let error = world.jq(".a", json!(1)).await.unwrap_err();
        assert_eq!(error.code, "script_error");
        assert!(error.message.starts_with("the filter failed: "), "{error:?}");
        let error = world.jq("error(\"mine\")", json!(1)).await.unwrap_err();
        assert!(error.message.contains("mine"), "{error:?}");
        assert_eq!(world.jq("try error(\"x\") catch .", json!(1)).await.unwrap(), json!(["x"]));
    }

    async fn outputs_that_are_no_json_are_refused(world: &World) {
        let error = world.jq("infinite", Value::Null).await.unwrap_err();
        assert!(error.hint.unwrap().contains("NaN"));
        let deep = "reduce range(150) as $i (1; [.])";
        assert_eq!(world.jq(deep, Value::Null).await.unwrap_err().code, "script_error");
    }
}
