use super::*;
use crate::testing::World;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const PUBLIC: &str = "age1xmwwc06ly3ee5rytxm9mflaz2u56jjj36s0mypdrwsvlul66mv4q47ryef";

#[tokio::test]
async fn bad_input_is_refused_and_no_secret_is_shown() {
    let world = World::new();
    let other = "AGE-SECRET-KEY-1T78783D4C7GV5VKTQC643CRRQXDEJ7020X5XEWCQCMYDUSRN3UMSLJPFWM";
    let cases = [
        (json!({}), "`encrypted`", "add `encrypted`"),
        (json!({ "encrypted": EXAMPLE }), "nothing to decrypt with", "exactly one"),
        (
            json!({ "encrypted": EXAMPLE, "key": KEY, "passphrase": "hunter2" }),
            "more than one",
            "exactly one",
        ),
        (json!({ "encrypted": 7, "key": KEY }), "`encrypted`", "`encrypted`: "),
        (json!({ "encrypted": "???", "key": KEY }), "not base64", "base64"),
        (
            json!({ "encrypted": "aGVsbG8=", "key": KEY }),
            "not the one it was encrypted with",
            "`aad`",
        ),
        (json!({ "encrypted": "aGVsbG8=", "key": "hunter2" }), "`key`", "openssl rand"),
        (
            json!({ "encrypted": "aGVsbG8=", "identities": [EXAMPLE_KEY] }),
            "does not begin as an age file",
            "all of the file",
        ),
        (
            json!({ "encrypted": &EXAMPLE[..200], "identities": [EXAMPLE_KEY] }),
            "text form is damaged",
            "all of the file",
        ),
        (
            json!({ "encrypted": EXAMPLE, "identities": ["AGE-SECRET-KEY-1hunter2"] }),
            "`identities[0]`",
            "age-keygen",
        ),
        (json!({ "encrypted": EXAMPLE, "identities": [] }), "`identities`", "at least one"),
        (
            json!({ "encrypted": EXAMPLE, "identities": [other] }),
            "no key that was given opens it",
            "other recipients",
        ),
        (
            json!({ "encrypted": EXAMPLE, "passphrase": "hunter2" }),
            "for recipients",
            "`identities`",
        ),
        (
            json!({ "encrypted": EXAMPLE, "identities": [EXAMPLE_KEY], "aad": "x" }),
            "`aad`",
            "`key`",
        ),
        (
            json!({ "encrypted": EXAMPLE, "identities": [EXAMPLE_KEY], "as": "json" }),
            "not JSON",
            "`as: text`",
        ),
        (
            json!({ "encrypted": EXAMPLE, "passphrase": "hunter2", "max_work_factor": 30 }),
            "`max_work_factor`",
            "20",
        ),
    ];
    world.refuses("decrypt_data", &cases).await;
    for (input, ..) in cases {
        let failure = format!("{:?}", world.run("decrypt_data", input).await.unwrap_err());
        assert!(!failure.contains("hunter2") && !failure.contains(other), "{failure}");
    }
}

#[tokio::test]
async fn what_was_encrypted_comes_back_in_every_form() {
    let world = World::new();
    for (data, form, expected) in [
        (json!({ "text": "naïve" }), "auto", json!({ "text": "naïve" })),
        (json!({ "base64": "/wA=" }), "auto", json!({ "base64": "/wA=" })),
        (json!({ "json": { "a": [1, null] } }), "json", json!({ "json": { "a": [1, null] } })),
        (json!({ "text": "" }), "text", json!({ "text": "" })),
    ] {
        for (how, back) in [
            (
                json!({ "key": KEY, "aad": { "order": 42 } }),
                json!({ "key": KEY, "aad": { "order": 42 } }),
            ),
            (json!({ "recipients": [PUBLIC] }), json!({ "identities": [EXAMPLE_KEY] })),
            (
                json!({ "recipients": [PUBLIC], "armor": false }),
                json!({ "identities": [EXAMPLE_KEY] }),
            ),
            (
                json!({ "passphrase": "open sesame", "work_factor": 10 }),
                json!({ "passphrase": "open sesame" }),
            ),
        ] {
            let with = |mut a: Value, b: &Value| {
                a.as_object_mut().unwrap().extend(b.as_object().unwrap().clone());
                a
            };
            let encrypted = world.run("encrypt_data", with(data.clone(), &how)).await.unwrap();
            let input = with(json!({ "encrypted": encrypted["encrypted"], "as": form }), &back);
            let output = world.run("decrypt_data", input).await.unwrap();
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(&output[key], value, "{how}");
            }
        }
    }
}

/// Made with pyrage, the Python face of the Rust implementation, on a fast machine.
#[tokio::test]
async fn a_passphrase_that_costs_too_much_is_not_tried() {
    let input = json!({ "encrypted": BY_PASSPHRASE, "passphrase": "correct horse" });
    let failure = World::new().run("decrypt_data", input).await.unwrap_err();
    assert!(failure.message.contains("work factor 19"), "{failure:?}");
    assert!(failure.hint.unwrap().contains("`max_work_factor`"));
}

const BY_PASSPHRASE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCBoZVFpaXNFdnZjMU9nU0NFWFFWTDdnIDE5ClBsRms1SkFyYlZvcGV0eFJHZmZHTXVKdm13bCtUWjRYaGRyVjd5NDJkOWsKLS0tIGtSSmlRaXJVbzMxV2VnZVdONXh4SzhvTEFNaytURWs5QXpjNFFWbUM5QlUKBjD7O7OJrZSotcWs1M3oS5+cuJ7CWWCxfJ03CQ/ZJR80IEZxXZZPguvonjRGIswBaQ==";
