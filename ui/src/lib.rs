//! The web pages: documentation of the HTTP API, with everything it needs inside the binary.
//!
//! A page knows the server only by its public API (`/openapi.json` and what that describes), and
//! nothing here asks another server: no CDN, no fonts, no trackers. A strict content security
//! policy holds the vendored scripts to that.
//!
//! **Not here:** the API itself (`api`), who may see the pages (`api`, as for every path).

mod assets;
mod serve;

pub use assets::{ASSETS, Asset};

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;

/// The pages and their parts; [`ASSETS`] is the whole list.
pub fn router() -> Router {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        router.route(asset.path, get(async |headers: HeaderMap| serve::answer(asset, &headers)))
    })
}
