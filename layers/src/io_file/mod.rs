//! Layer `io-file`: files below the runner's file root.

use crate::atom::Entry;
use crate::catalog::LayerList;

mod file_delete;
mod file_download;
mod file_list;
mod file_read;
mod file_upload;
mod file_write;
mod log_write;

pub(crate) const ATOMS: LayerList = &[
    Entry::of::<file_read::FileRead>,
    Entry::of::<file_write::FileWrite>,
    Entry::of::<file_list::FileList>,
    Entry::of::<file_delete::FileDelete>,
    Entry::of::<file_upload::FileUpload>,
    Entry::of::<file_download::FileDownload>,
    Entry::of::<log_write::LogWrite>,
];
