//! Layer `compute-script`: computing, by foreign code and without.

use crate::atom::Entry;
use crate::catalog::LayerList;

mod compress_data;
#[expect(clippy::module_inception, reason = "an atom's file has the atom's name")]
mod compute_script;
mod decompress_data;
mod decrypt_data;
mod encrypt_data;
mod format_date;
mod generate_uuid;
mod get_timestamp;
mod parse_csv;
mod parse_json;
mod parse_xml;
mod transform_data;
mod validate_input;

pub(crate) const ATOMS: LayerList = &[
    Entry::of::<compute_script::ComputeScript>,
    Entry::of::<transform_data::TransformData>,
    Entry::of::<validate_input::ValidateInput>,
    Entry::of::<encrypt_data::EncryptData>,
    Entry::of::<decrypt_data::DecryptData>,
    Entry::of::<compress_data::CompressData>,
    Entry::of::<decompress_data::DecompressData>,
    Entry::of::<parse_json::ParseJson>,
    Entry::of::<parse_xml::ParseXml>,
    Entry::of::<parse_csv::ParseCsv>,
    Entry::of::<generate_uuid::GenerateUuid>,
    Entry::of::<get_timestamp::GetTimestamp>,
    Entry::of::<format_date::FormatDate>,
];
