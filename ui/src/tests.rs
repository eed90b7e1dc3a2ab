use super::*;
use axum::body::{self, Body as Sent};
use axum::http::{Request, Response, StatusCode, header};
use std::io::Read;
use tower::ServiceExt;

async fn get_with(path: &str, headers: &[(&str, &str)]) -> Response<Sent> {
    let request =
        headers.iter().fold(Request::get(path), |all, (name, value)| all.header(*name, *value));
    router().oneshot(request.body(Sent::empty()).unwrap()).await.unwrap()
}

async fn bytes(response: Response<Sent>) -> Vec<u8> {
    body::to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
}

fn text<'a>(response: &'a Response<Sent>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// The values of `src` and `href`, as a browser at `/docs` or `/redoc` resolves them.
fn references(html: &str) -> Vec<String> {
    let values = ["src=\"", "href=\""].into_iter().flat_map(|name| html.split(name).skip(1));
    let values = values.map(|rest| rest.split('"').next().unwrap());
    values.filter(|value| *value != "data:,").map(|value| format!("/{value}")).collect()
}

#[tokio::test]
async fn everything_a_page_names_is_served_here_with_its_type() {
    let mut seen = 0;
    for page in ["/docs", "/redoc"] {
        let response = get_with(page, &[]).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(&response, "content-type"), "text/html; charset=utf-8");
        let html = String::from_utf8(bytes(response).await).unwrap();
        for path in references(&html) {
            if path == "/openapi.json" {
                continue;
            }
            seen += 1;
            let response = get_with(&path, &[]).await;
            assert_eq!(response.status(), StatusCode::OK, "{page} names {path}");
            let kind = match path.rsplit_once('.').map(|(_, end)| end) {
                Some("js") => JS,
                Some("css") => CSS,
                _ => HTML,
            };
            assert_eq!(text(&response, "content-type"), kind, "{path}");
            assert!(!bytes(response).await.is_empty(), "{path}");
        }
    }
    assert_eq!(seen, ASSETS.len(), "something is embedded that no page names");
}

#[tokio::test]
async fn pages_name_no_other_server_and_have_no_script_inside() {
    for page in ["/docs", "/redoc"] {
        let html = String::from_utf8(bytes(get_with(page, &[]).await).await).unwrap();
        for foreign in ["http://", "https://", "\"//", "<style", " on"] {
            let found = html.match_indices(foreign).any(|(at, _)| {
                foreign != " on" || html[at + 3..].split(['=', ' ']).next() == Some("load")
            });
            assert!(!found, "{page} has {foreign}");
        }
        for script in html.split("<script").skip(1) {
            assert!(script.starts_with(" src="), "{page} has a script inside");
        }
    }
}

#[tokio::test]
async fn compressed_and_plain_answers_are_the_same_bytes() {
    for asset in ASSETS {
        let plain = get_with(asset.path, &[]).await;
        assert_eq!(text(&plain, "content-encoding"), "", "{}", asset.path);
        let plain = bytes(plain).await;
        let packed = get_with(asset.path, &[("accept-encoding", "br, gzip;q=0.8")]).await;
        let is_packed = text(&packed, "content-encoding") == "gzip";
        assert_eq!(is_packed, matches!(asset.body, Body::Gzip(_)), "{}", asset.path);
        let mut packed = bytes(packed).await;
        if is_packed {
            let mut whole = Vec::new();
            flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut whole).unwrap();
            packed = whole;
        }
        assert!(packed == plain, "{} differs", asset.path);
    }
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let mut tags = Vec::new();
    for asset in ASSETS {
        let response = get_with(asset.path, &[]).await;
        let tag = text(&response, "etag").to_owned();
        let cache = if asset.kind == HTML { "no-cache" } else { "public, max-age=86400" };
        assert_eq!(text(&response, "cache-control"), cache, "{}", asset.path);
        let strong = tag.trim_start_matches("W/");
        for known in [tag.as_str(), strong, "*", &format!("\"other\", {tag}")] {
            let response = get_with(asset.path, &[("if-none-match", known)]).await;
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{} {known}", asset.path);
            assert_eq!(text(&response, "etag"), tag);
            assert!(bytes(response).await.is_empty());
        }
        let response = get_with(asset.path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(response.status(), StatusCode::OK, "{}", asset.path);
        tags.push((asset.path.trim_start_matches("/docs").trim_start_matches("/redoc"), tag));
    }
    tags.sort();
    tags.dedup();
    let count = tags.len();
    tags.dedup_by(|a, b| a.1 == b.1);
    assert_eq!(tags.len(), count, "two files share a tag");
}

#[tokio::test]
async fn pages_are_locked_down() {
    for page in ["/docs", "/redoc"] {
        let response = get_with(page, &[]).await;
        let policy = text(&response, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{policy}");
        assert_eq!(text(&response, "x-content-type-options"), "nosniff");
        assert_eq!(text(&response, "referrer-policy"), "no-referrer");
        let response = get_with(&format!("{page}/"), &[]).await;
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        assert_eq!(text(&response, "location"), format!("..{page}"));
    }
}

#[test]
fn gzip_is_sent_only_to_those_who_take_it() {
    let takes = |value: &str| {
        asset::takes_gzip(&HeaderMap::from_iter([(
            header::ACCEPT_ENCODING,
            value.parse().unwrap(),
        )]))
    };
    for yes in ["gzip", "GZip, br", "deflate, gzip;q=0.5", "*", "br, *;q=0.1", "gzip; q=1"] {
        assert!(takes(yes), "{yes}");
    }
    for no in ["", "br", "gzip;q=0", "gzip;q=0, *", "*;q=0", "gzip;q=x", "xgzip"] {
        assert!(!takes(no), "{no}");
    }
    assert!(!asset::takes_gzip(&HeaderMap::new()));
}
