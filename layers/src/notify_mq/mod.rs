//! Layer `notify-mq`: messages.

use crate::atom::Entry;
use crate::catalog::LayerList;

#[expect(clippy::module_inception, reason = "an atom's file has the atom's name")]
mod notify_mq;

pub(crate) const ATOMS: LayerList = &[Entry::of::<notify_mq::NotifyMq>];
