//! The web pages; they know only the public HTTP API.
//!
//! `GET /docs` is Swagger UI and `GET /redoc` is Redoc, both reading `/openapi.json`. Every byte
//! of them is in the binary: they work without a network, and their content security policy lets
//! them reach this server alone. `ui/assets/README.md` says where the vendored files come from.
//!
//! **Not here:** what the API is (`api` writes `/openapi.json`).

mod asset;

use asset::{Asset, Body};
use axum::Router;
use axum::http::HeaderMap;
use axum::response::Redirect;
use axum::routing::get;

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

macro_rules! plain {
    ($path:literal, $kind:ident, $file:literal) => {
        Asset {
            path: $path,
            kind: $kind,
            body: Body::Plain(include_bytes!(concat!("../assets/", $file))),
        }
    };
}

macro_rules! packed {
    ($path:literal, $kind:ident, $file:literal) => {
        Asset {
            path: $path,
            kind: $kind,
            body: Body::Gzip(include_bytes!(concat!("../assets/vendor/", $file, ".gz"))),
        }
    };
}

/// All there is.
static ASSETS: &[Asset] = &[
    plain!("/docs", HTML, "docs.html"),
    plain!("/docs/page.css", CSS, "page.css"),
    plain!("/docs/init.js", JS, "docs.js"),
    packed!("/docs/swagger-ui.css", CSS, "swagger-ui.css"),
    packed!("/docs/swagger-ui-bundle.js", JS, "swagger-ui-bundle.js"),
    plain!("/redoc", HTML, "redoc.html"),
    plain!("/redoc/page.css", CSS, "page.css"),
    plain!("/redoc/init.js", JS, "redoc.js"),
    packed!("/redoc/redoc.standalone.js", JS, "redoc.standalone.js"),
];

/// The pages as a router without state: `/docs` and `/redoc`, with what they need below them.
pub fn router() -> Router {
    // The pages name their files relatively, so that they also work below a proxy's prefix.
    let router = Router::new()
        .route("/docs/", get(|| async { Redirect::permanent("../docs") }))
        .route("/redoc/", get(|| async { Redirect::permanent("../redoc") }));
    ASSETS.iter().fold(router, |router, asset| {
        router
            .route(asset.path, get(move |headers: HeaderMap| async move { asset.answer(&headers) }))
    })
}

#[cfg(test)]
mod tests;
