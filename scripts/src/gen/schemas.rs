//! `docs/intent.schema.json` and `docs/openapi.json`: for editors and client generators.

use super::{File, pretty};

pub(super) fn intent() -> Vec<File> {
    let schema = jalm_kernel::intent::json_schema();
    vec![File::new("docs/intent.schema.json", pretty(&schema))]
}

pub(super) fn openapi() -> Vec<File> {
    vec![File::new("docs/openapi.json", pretty(&jalm_api::openapi()))]
}
