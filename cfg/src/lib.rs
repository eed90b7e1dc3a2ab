//! Settings: defaults < file < environment < flags, resolved once into one valid [`Config`].
//!
//! Every setting is one line in [`KEYS`]: its path, its kind, its default, what it is for. A config
//! file, `JALM_…` variables and flags are all read as values at such paths, so they cannot differ
//! in what they know. All problems are reported at once; [`Config::origins`] says where each value
//! came from.
//!
//! **Not here:** reading the process environment (`cli` passes it in), opening anything.

mod config;
mod keys;
mod load;

pub use config::{Config, Dependencies, LogFormat, Policy};
pub use keys::{KEYS, Key, Kind};
pub use load::{ConfigError, ConfigProblem, Origin, Sources, load};
