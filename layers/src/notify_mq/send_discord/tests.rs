//! Against a server that notes each request.

use crate::testing::{Reply, Stub, World};
use serde_json::{Value, json};

const TAKEN: &str = r#"{"id":"9","channel_id":"5"}"#;

#[tokio::test]
async fn a_webhook_is_asked_to_wait_and_tells_nobody_by_itself() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/webhooks/1/x", Reply::status(200).body(TAKEN));
    let input = json!({
        "webhook_url": stub.url("/webhooks/1/x"), "content": "hi @everyone", "thread_id": "7",
        "username": "bot", "avatar_url": "https://a.example/p.png",
    });
    let output = world.run("send_discord", input).await.unwrap();
    assert_eq!(output, json!({ "message_id": "9", "channel_id": "5" }));
    let seen = &stub.seen()[0];
    assert_eq!(seen.target, "/webhooks/1/x?wait=true&thread_id=7");
    assert!(seen.headers["user-agent"].to_str().unwrap().starts_with("DiscordBot ("));
    assert_eq!(
        serde_json::from_slice::<Value>(&seen.body).unwrap(),
        json!({
            "content": "hi @everyone", "username": "bot", "avatar_url": "https://a.example/p.png",
            "allowed_mentions": { "parse": [] },
        })
    );
}

#[tokio::test]
async fn a_bots_message_carries_files_and_a_nonce() {
    let (world, stub) = (World::new(), Stub::start().await);
    stub.on("/channels/5/messages", Reply::status(200).body(TAKEN));
    let input = json!({
        "token": "t", "channel_id": "5", "embeds": [{ "title": "a" }], "reply_to": "3",
        "files": [{ "text": "a,b", "filename": "x.csv", "content_type": "text/csv" }],
        "base_url": stub.url(""),
    });
    let call = world.call("send_discord", input);
    world.perform(call.clone()).await.unwrap();
    world.perform(call).await.unwrap();
    let seen = stub.seen();
    assert_eq!(seen[0].headers["authorization"], "Bot t");
    let payload = |body: &[u8]| -> Value {
        let text = String::from_utf8_lossy(body).into_owned();
        assert!(text.contains(
            "name=\"files[0]\"; filename=\"x.csv\"\r\nContent-Type: text/csv\r\n\r\na,b\r\n"
        ));
        let json = text.split("\r\n\r\n").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        serde_json::from_str(&json).unwrap()
    };
    let first = payload(&seen[0].body);
    assert_eq!(first["attachments"], json!([{ "id": 0, "filename": "x.csv" }]));
    assert_eq!(first["message_reference"], json!({ "message_id": "3" }));
    assert_eq!(first["enforce_nonce"], true);
    assert!(first["nonce"].as_str().unwrap().len() <= 25);
    assert_eq!(first["nonce"], payload(&seen[1].body)["nonce"], "a repetition has the same");
}

#[tokio::test]
async fn refusals_keep_their_pause_and_tell_no_secret() {
    let (world, stub) = (World::new(), Stub::start().await);
    let input = json!({ "webhook_url": stub.url("/webhooks/1/sEcret"), "content": "x" });
    for (status, answer, code, pause) in [
        (
            429,
            r#"{"message":"You are being rate limited.","retry_after":0.25}"#,
            "rate_limited",
            Some(250),
        ),
        (400, r#"{"code":50035,"message":"Invalid Form Body"}"#, "service_refused", None),
        (401, r#"{"message":"401: Unauthorized"}"#, "service_denied", None),
        (503, "", "service_down", None),
    ] {
        stub.on("/webhooks/1/sEcret", Reply::status(status).body(answer));
        let failure = world.run("send_discord", input.clone()).await.unwrap_err();
        assert_eq!((&*failure.code, failure.retry_after), (code, pause), "{failure:?}");
        assert!(!format!("{failure:?}").contains("sEcret"), "{failure:?}");
    }
}

#[tokio::test]
async fn wrong_inputs_are_refused_before_anything_is_sent() {
    let hook = "http://127.0.0.1:1/x";
    World::new()
        .refuses(
            "send_discord",
            &[
                (json!({ "webhook_url": hook }), "nothing to send", "`embeds`"),
                (json!({ "content": "x" }), "`webhook_url`", "`token`"),
                (json!({ "content": "x", "token": "t" }), "`channel_id`", "`token`"),
                (json!({ "content": "x", "token": "t", "webhook_url": hook }), "`token`", "leave"),
                (json!({ "content": "x".repeat(2001), "webhook_url": hook }), "2001", "shorten"),
                (json!({ "embeds": vec![json!({}); 11], "webhook_url": hook }), "`embeds`", "own"),
                (
                    json!({ "content": "x", "webhook_url": hook, "reply_to": "1" }),
                    "`reply_to`",
                    "leave",
                ),
                (
                    json!({ "content": "x", "token": "t", "channel_id": "../1" }),
                    "`channel_id`",
                    "copy",
                ),
                (json!({ "content": "x", "webhook_url": "no" }), "`webhook_url`", "https"),
            ],
        )
        .await;
}
