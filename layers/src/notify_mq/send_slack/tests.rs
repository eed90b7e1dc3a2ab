//! Against a server that notes each request.

use crate::testing::{Reply, Stub, World};
use serde_json::{Value, json};

fn body(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[tokio::test]
async fn a_message_of_an_app_is_as_the_web_api_wants_it() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on(
        "/chat.postMessage",
        Reply::status(200).body(r#"{"ok":true,"channel":"C1","ts":"1.2"}"#),
    );
    let blocks = json!([{ "type": "section", "text": { "type": "mrkdwn", "text": "*hi*" } }]);
    let input = json!({
        "token": "xoxb-t", "channel": "C1", "text": "hi", "blocks": blocks, "thread_ts": "1.1",
        "reply_broadcast": true, "username": "bot", "icon_emoji": ":x:", "unfurl_links": false,
        "base_url": stub.url(""),
    });
    let output = world.run("send_slack", input).await.unwrap();
    assert_eq!(output, json!({ "channel": "C1", "ts": "1.2", "file_ids": [] }));
    let seen = &stub.seen()[0];
    assert_eq!(seen.headers["authorization"], "Bearer xoxb-t");
    assert_eq!(seen.headers["content-type"], "application/json");
    assert_eq!(
        body(&seen.body),
        json!({
            "channel": "C1", "text": "hi", "blocks": blocks, "thread_ts": "1.1",
            "reply_broadcast": true, "username": "bot", "icon_emoji": ":x:", "unfurl_links": false,
        })
    );
}

#[tokio::test]
async fn files_go_in_three_steps() {
    let (world, stub) = (World::new(), Stub::start().await);
    let place = json!({ "ok": true, "upload_url": stub.url("/up"), "file_id": "F1" });
    stub.on("/files.getUploadURLExternal", Reply::status(200).body(place.to_string()));
    stub.on("/up", Reply::status(200).body("OK - 3"));
    stub.on("/files.completeUploadExternal", Reply::status(200).body(r#"{"ok":true}"#));
    let input = json!({
        "token": "xoxb-t", "channel": "C1", "text": "see", "thread_ts": "1.1",
        "files": [{ "text": "a,b", "filename": "x y.csv" }], "base_url": stub.url(""),
    });
    let output = world.run("send_slack", input).await.unwrap();
    assert_eq!(output, json!({ "channel": "C1", "file_ids": ["F1"] }));
    let seen = stub.seen();
    assert_eq!(seen[0].headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(seen[0].body, "filename=x+y.csv&length=3");
    assert_eq!((seen[1].target.as_str(), &seen[1].body[..]), ("/up", &b"a,b"[..]));
    assert!(!seen[1].headers.contains_key("authorization"));
    assert_eq!(
        body(&seen[2].body),
        json!({
            "files": [{ "id": "F1", "title": "x y.csv" }], "channel_id": "C1",
            "initial_comment": "see", "thread_ts": "1.1",
        })
    );
}

#[tokio::test]
async fn refusals_keep_their_pause_and_tell_no_secret() {
    let (world, stub) = (World::new(), Stub::start().await);
    let app = json!({ "token": "sEcret", "channel": "C", "text": "x", "base_url": stub.url("") });
    for (status, answer, code, again) in [
        (200, r#"{"ok":false,"error":"channel_not_found"}"#, "service_refused", false),
        (200, r#"{"ok":false,"error":"invalid_auth"}"#, "service_denied", false),
        (200, r#"{"ok":false,"error":"fatal_error"}"#, "service_down", true),
        (429, r#"{"ok":false,"error":"ratelimited"}"#, "rate_limited", true),
    ] {
        let reply = Reply::status(status).header("retry-after", "30").body(answer);
        stub.on("/chat.postMessage", reply);
        let failure = world.run("send_slack", app.clone()).await.unwrap_err();
        assert_eq!((&*failure.code, failure.retryable), (code, again), "{failure:?}");
        assert_eq!(failure.retry_after, again.then_some(30_000));
        assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
    }
    stub.on("/services/sEcret", Reply::status(403).body("invalid_token"));
    let hook = json!({ "webhook_url": stub.url("/services/sEcret"), "text": "x" });
    let failure = world.run("send_slack", hook).await.unwrap_err();
    assert_eq!(failure.code, "service_denied");
    assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
}

#[tokio::test]
async fn wrong_inputs_are_refused_before_anything_is_sent() {
    let hook = "http://127.0.0.1:1/x";
    World::new()
        .refuses(
            "send_slack",
            &[
                (json!({ "webhook_url": hook }), "nothing to send", "`blocks`"),
                (json!({ "text": "x" }), "nobody is named", "`token`"),
                (json!({ "text": "x", "token": "t" }), "`channel`", "add"),
                (json!({ "text": "x", "token": "t", "webhook_url": hook }), "`token`", "leave one"),
                (
                    json!({ "text": "x", "webhook_url": hook, "channel": "C" }),
                    "`channel`",
                    "`token`",
                ),
                (json!({ "text": "x", "webhook_url": "no" }), "`webhook_url`", "https"),
                (json!({ "text": "x", "token": "a\nb", "channel": "C" }), "`token`", "line"),
                (json!({ "text": 5, "webhook_url": hook }), "`text`", "text"),
            ],
        )
        .await;
}
