//! The web pages; they know only the public HTTP API.

/// The pages as a router without state.
pub fn router() -> axum::Router {
    axum::Router::new()
}
