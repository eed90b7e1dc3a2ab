//! Layer `compute-script`: computing, by foreign code and without.

use crate::atom::Entry;
use crate::catalog::LayerList;

#[expect(clippy::module_inception, reason = "an atom's file has the atom's name")]
mod compute_script;
mod dependencies;
mod generate_uuid;
mod get_timestamp;
mod transform_data;

pub(crate) const ATOMS: LayerList = &[
    Entry::of::<compute_script::ComputeScript>,
    Entry::of::<transform_data::TransformData>,
    Entry::of::<generate_uuid::GenerateUuid>,
    Entry::of::<get_timestamp::GetTimestamp>,
];
