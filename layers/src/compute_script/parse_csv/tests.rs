use super::*;
use crate::testing::World;

#[tokio::test]
async fn bad_input_is_refused() {
    World::new()
        .refuses(
            "parse_csv",
            &[
                (json!({}), "`text`", "`base64`"),
                (json!({ "text": 5 }), "`text`", "`text`: "),
                (json!({ "text": "a", "delimiter": "ab" }), "`ab` is not one character", "`tab`"),
                (json!({ "text": "a", "delimiter": "\"" }), "`quote`", "another character"),
                (json!({ "text": "a", "quote": "\n" }), "`quote`", "one character"),
                (json!({ "text": "a", "decimal": "x" }), "`decimal`", "`.` or `,`"),
                (
                    json!({ "text": "a,b\n1\n" }),
                    "record 2, line 2: there are 1 fields",
                    "`ragged: pad`",
                ),
                (
                    json!({ "text": "a,b\n\"x\n\",1\n\"y\"z,1\n" }),
                    "record 3, line 4: something follows",
                    "quote",
                ),
                (
                    json!({ "text": "a\n\"x\n" }),
                    "record 2, line 2: a quoted field is never closed",
                    "`quote: null`",
                ),
                (
                    json!({ "text": "a\nx\n", "types": { "a": "integer" } }),
                    "column `a` holds `x` where a whole number",
                    "`types`",
                ),
                (
                    json!({ "text": "a\n1\n", "types": { "b": "integer" } }),
                    "`types.b`",
                    "write one of `a`",
                ),
                (json!({ "text": "a\n1\n", "types": { "a": "float" } }), "`float`", "write one of"),
                (json!({ "text": "a,a\n1,2\n" }), "two columns are named `a`", "`header: "),
                (json!({ "text": "abc", "max_bytes": 2 }), "more than 2 bytes", "`max_bytes`"),
                (json!({ "base64": "/w==" }), "not UTF-8", "`encoding`"),
                (json!({ "text": "a", "header": 3 }), "`header`", "`header`: "),
                (json!({ "text": "a", "max_rows": -1 }), "`max_rows`", "`max_rows`: "),
            ],
        )
        .await;
}

#[tokio::test]
async fn options_do_what_they_say() {
    let world = World::new();
    for (input, rows) in [
        (json!({ "text": "1,2\n3,4", "header": false }), json!([["1", "2"], ["3", "4"]])),
        (
            json!({ "text": "1,2", "header": ["x", "y"], "types": { "x": "integer" } }),
            json!([{ "x": 1, "y": "2" }]),
        ),
        (
            json!({ "text": "made today\n# note\na|b\n1|2", "skip": 1, "comment": "#", "delimiter": "auto" }),
            json!([{ "a": "1", "b": "2" }]),
        ),
        (
            json!({ "text": "a,b\n1\n1,2,3", "ragged": "pad" }),
            json!([{ "a": "1", "b": null }, { "a": "1", "b": "2" }]),
        ),
        (json!({ "text": "a\nNA\nx", "nulls": ["NA"] }), json!([{ "a": null }, { "a": "x" }])),
        (json!({ "text": "a\n\"1\"", "quote": null }), json!([{ "a": "\"1\"" }])),
        (
            json!({ "text": "a\tb\n1\t2", "delimiter": "tab", "types": { "1": "integer" } }),
            json!([{ "a": "1", "b": 2 }]),
        ),
        (json!({ "text": "" }), json!([])),
    ] {
        let output = world.run("parse_csv", input.clone()).await.unwrap();
        assert_eq!(output["rows"], rows, "{input}");
    }
}

#[tokio::test]
async fn bad_records_can_be_told_apart_and_too_many_rows_are_left_out() {
    let world = World::new();
    let input = json!({ "text": "a,b\n1,2\n3\n\"4\"x,5\n6,7\n", "on_error": "collect" });
    let output = world.run("parse_csv", input).await.unwrap();
    assert_eq!(output["rows"], json!([{ "a": "1", "b": "2" }, { "a": "6", "b": "7" }]));
    let places: Vec<_> = output["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["record"].clone(), it["line"].clone()))
        .collect();
    assert_eq!(places, [(json!(3), json!(3)), (json!(4), json!(4))]);
    let output =
        world.run("parse_csv", json!({ "text": "a\n1\n2\n3\n", "max_rows": 2 })).await.unwrap();
    assert_eq!((output["count"].clone(), output["truncated"].clone()), (json!(2), json!(true)));
}
