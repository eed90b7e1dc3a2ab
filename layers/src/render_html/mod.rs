//! Layer `render-html`: documents.

use crate::atom::Entry;
use crate::catalog::LayerList;

#[expect(clippy::module_inception, reason = "an atom's file has the atom's name")]
mod render_html;
mod render_json;

pub(crate) const ATOMS: LayerList =
    &[Entry::of::<render_html::RenderHtml>, Entry::of::<render_json::RenderJson>];
