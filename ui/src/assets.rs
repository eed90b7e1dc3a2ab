//! The files, and where each is found.

/// One file of the pages.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Where it is served.
    pub path: &'static str,
    /// Its media type.
    pub kind: &'static str,
    /// As it lies in the binary.
    pub bytes: &'static [u8],
    /// Whether `bytes` are gzip: large files are kept as they are sent.
    pub gzip: bool,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

const fn plain(path: &'static str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { path, kind, bytes, gzip: false }
}

const fn packed(path: &'static str, kind: &'static str, bytes: &'static [u8]) -> Asset {
    Asset { path, kind, bytes, gzip: true }
}

/// Every file of the pages. Where they come from: `assets/README.md`.
pub const ASSETS: &[Asset] = &[
    plain("/docs", HTML, include_bytes!("../assets/docs.html")),
    plain("/assets/docs.css", CSS, include_bytes!("../assets/docs.css")),
    plain("/assets/docs.js", JS, include_bytes!("../assets/docs.js")),
    packed("/assets/swagger-ui.css", CSS, include_bytes!("../assets/swagger-ui.css.gz")),
    packed("/assets/swagger-ui-bundle.js", JS, include_bytes!("../assets/swagger-ui-bundle.js.gz")),
    plain("/redoc", HTML, include_bytes!("../assets/redoc.html")),
    plain("/assets/redoc.css", CSS, include_bytes!("../assets/redoc.css")),
    plain("/assets/redoc.js", JS, include_bytes!("../assets/redoc.js")),
    packed("/assets/redoc.standalone.js", JS, include_bytes!("../assets/redoc.standalone.js.gz")),
];
