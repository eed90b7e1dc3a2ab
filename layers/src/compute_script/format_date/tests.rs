use super::*;
use crate::testing::World;

async fn result(input: Value) -> String {
    let output = World::new().run("format_date", input.clone()).await;
    output.unwrap_or_else(|failure| panic!("{input}: {failure:?}"))["result"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn bad_input_is_refused() {
    World::new()
        .refuses(
            "format_date",
            &[
                (json!({}), "`value`", "add `value`"),
                (json!({ "value": true }), "`value`", "2026-11-24"),
                (json!({ "value": "yesterday" }), "`yesterday` is no date", "`from`"),
                (json!({ "value": "2026-02-30" }), "`2026-02-30` is no date", "`from`"),
                (json!({ "value": 1e30 }), "out of range", "years"),
                (json!({ "value": 5, "from": "iso" }), "not read by `iso`", "`from: unix`"),
                (json!({ "value": "x", "from": "unix" }), "`x` is no date", "number"),
                (json!({ "value": "x", "from": "rfc2822" }), "`x` is no date", "Tue, 24 Nov"),
                (json!({ "value": "24/11", "from": "%d.%m.%Y" }), "`24/11` is not written as", "`strftime`"),
                (json!({ "value": "now", "from": "guess" }), "", ""),
                (json!({ "value": "2026-11-24", "from": "guess" }), "`guess` is no way", "`auto`"),
                (json!({ "value": 0, "timezone": "Mars/Olympus" }), "no time zone `Mars/Olympus`", "`Europe/Berlin`"),
                (json!({ "value": 0, "from_timezone": "CET2" }), "`from_timezone`", "`Europe/Berlin`"),
                (json!({ "value": 0, "add": "soon" }), "`soon` is no span", "`90m`"),
                (json!({ "value": 0, "add": "20000 years" }), "`add`", ""),
                (json!({ "value": 0, "format": "pretty" }), "`pretty` is no way to spell", "`rfc3339`"),
                (json!({ "value": 0, "format": "%!" }), "`%!` cannot be used", "`strftime`"),
                (json!({ "value": 0, "truncate": "decade" }), "`decade`", "write one of"),
                (json!({ "value": 0, "locale": "kl" }), "`kl`", ""),
                (json!({ "value": 0, "until": "later" }), "`until`", "`from`"),
                (json!({ "value": "2026-10-25T02:30", "from_timezone": "Europe/Berlin", "ambiguous": "reject" }), "twice or never", "`earlier`"),
                (json!({ "value": "2026-11-24T12:00+05:00[Europe/Berlin]" }), "no date that can be read", "`from`"),
            ]
            .into_iter()
            .filter(|(input, ..)| input["value"] != "now")
            .collect::<Vec<_>>(),
        )
        .await;
}

#[tokio::test]
async fn dates_are_read_however_they_are_written() {
    let moment = "2026-11-24T16:20:37Z";
    for (value, from, zone) in [
        (json!("2026-11-24T16:20:37Z"), "auto", "UTC"),
        (json!("2026-11-24 17:20:37+01:00"), "auto", "UTC"),
        (json!("2026-11-24T17:20:37+01:00[Europe/Berlin]"), "iso", "UTC"),
        (json!("2026-11-24T17:20:37[Europe/Berlin]"), "auto", "UTC"),
        (json!("20261124T162037Z"), "auto", "UTC"),
        (json!("Tue, 24 Nov 2026 17:20:37 +0100"), "auto", "UTC"),
        (json!("Tue, 24 Nov 2026 16:20:37 GMT"), "rfc2822", "UTC"),
        (json!(1_795_537_237), "auto", "UTC"),
        (json!("1795537237"), "auto", "UTC"),
        (json!(1_795_537_237_000_i64), "auto", "UTC"),
        (json!(1_795_537_237.0), "unix", "UTC"),
        (json!("1795537237000000"), "unix_us", "UTC"),
        (json!(1_795_537_237_000_000_000_i64), "unix_ns", "UTC"),
        (json!("24.11.2026 17:20:37"), "%d.%m.%Y %H:%M:%S", "Europe/Berlin"),
        (json!("11/24/26 11:20:37 -0500"), "%m/%d/%y %H:%M:%S %z", "UTC"),
        (json!("1795537237"), "%s", "UTC"),
    ] {
        let input =
            json!({ "value": value, "from": from, "from_timezone": zone, "timezone": "UTC" });
        assert_eq!(result(input).await, moment, "{value} as {from}");
    }
    let input = json!({ "value": "24 ноября 2026", "from": "%d %B %Y", "locale": "ru" });
    assert_eq!(result(input).await, "2026-11-24T00:00:00Z");
}

#[tokio::test]
async fn dates_are_spelled_as_asked() {
    for (format, locale, expected) in [
        ("rfc3339", "en", "2026-11-24T17:20:37.5+01:00"),
        ("iso", "en", "2026-11-24T17:20:37.5+01:00[Europe/Berlin]"),
        ("rfc2822", "en", "Tue, 24 Nov 2026 17:20:37 +0100"),
        ("http", "en", "Tue, 24 Nov 2026 16:20:37 GMT"),
        ("unix", "en", "1795537237"),
        ("unix_ms", "en", "1795537237500"),
        ("date", "en", "2026-11-24"),
        ("time", "en", "17:20:37"),
        ("%A %a %B %b", "en", "Tuesday Tue November Nov"),
        ("%A, %-d. %B %Y", "de", "Dienstag, 24. November 2026"),
        ("%a %b 100%%", "de", "Di Nov 100%"),
        ("%B %Y", "ru", "ноябрь 2026"),
        ("%d %B", "ru", "24 ноября"),
        ("%^a", "ru", "ВТ"),
        ("%Z %:z %j", "en", "CET +01:00 328"),
    ] {
        let input = json!({ "value": "2026-11-24T16:20:37.5Z", "timezone": "Europe/Berlin", "format": format, "locale": locale });
        assert_eq!(result(input).await, expected, "{format}");
    }
}

#[tokio::test]
async fn spans_follow_the_calendar_and_the_clocks() {
    for (value, key, span, expected) in [
        ("2026-03-28T12:00", "add", "24h", "2026-03-29T13:00:00+02:00"),
        ("2026-03-28T12:00", "add", "P1D", "2026-03-29T12:00:00+02:00"),
        ("2026-01-31T00:00", "add", "1 month", "2026-02-28T00:00:00+01:00"),
        ("2024-02-29T00:00", "subtract", "1 year", "2023-02-28T00:00:00+01:00"),
        ("2026-11-24T12:00", "add", "-1h30m", "2026-11-24T10:30:00+01:00"),
        ("2026-11-24T16:20:37", "truncate", "hour", "2026-11-24T16:00:00+01:00"),
        ("2026-11-24T16:20:37", "truncate", "day", "2026-11-24T00:00:00+01:00"),
        ("2026-11-24T16:20:37", "truncate", "week", "2026-11-23T00:00:00+01:00"),
        ("2026-11-24T16:20:37", "truncate", "month", "2026-11-01T00:00:00+01:00"),
        ("2026-11-24T16:20:37", "truncate", "quarter", "2026-10-01T00:00:00+02:00"),
        ("2026-11-24T16:20:37", "truncate", "year", "2026-01-01T00:00:00+01:00"),
        ("2026-11-24T16:30:00", "round", "hour", "2026-11-24T17:00:00+01:00"),
        ("2026-11-24T16:20:37", "round", "day", "2026-11-25T00:00:00+01:00"),
        ("2026-11-24T16:20:37", "round", "month", "2026-12-01T00:00:00+01:00"),
        ("2026-10-25T02:30", "ambiguous", "earlier", "2026-10-25T02:30:00+02:00"),
        ("2026-10-25T02:30", "ambiguous", "later", "2026-10-25T02:30:00+01:00"),
        ("2026-03-29T02:30", "ambiguous", "compatible", "2026-03-29T03:30:00+02:00"),
    ] {
        let mut input = json!({ "value": value, "from_timezone": "Europe/Berlin" });
        input[key] = json!(span);
        assert_eq!(result(input).await, expected, "{value} {key} {span}");
    }
}

#[tokio::test]
async fn differences_and_relative_times_are_told() {
    let world = World::new();
    for (base, locale, expected) in [
        ("2026-11-24T00:00:00Z", "en", "now"),
        ("2026-11-23T23:59:59Z", "en", "in 1 second"),
        ("2026-11-21T00:00:00Z", "ru", "через 3 дня"),
        ("2026-11-25T00:00:00Z", "ru", "1 день назад"),
        ("2026-12-05T00:00:00Z", "ru", "11 дней назад"),
        ("2047-11-24T00:00:00Z", "ru", "21 год назад"),
        ("2026-09-24T00:00:00Z", "de", "in 2 Monaten"),
        ("2026-11-24T05:00:00Z", "de", "vor 5 Stunden"),
        ("2027-11-25T00:00:00Z", "en", "1 year ago"),
    ] {
        let input = json!({ "value": "2026-11-24", "relative_to": base, "locale": locale });
        assert_eq!(world.run("format_date", input).await.unwrap()["relative"], expected, "{base}");
    }
    let input = json!({ "value": "2026-11-24", "until": "2026-11-23T12:00:00Z", "unit": "day" });
    let difference = world.run("format_date", input).await.unwrap()["difference"].clone();
    assert_eq!(
        (difference["seconds"].clone(), difference["total"].clone()),
        (json!(-43_200), json!(-0.5))
    );
}
