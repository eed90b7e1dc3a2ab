//! Landlock: no files, no ports, no signals and no abstract sockets outside. All or nothing.

use super::Missing;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus,
    Scope,
};

const LAYER: &str = "landlock";

/// The first version with scopes: without them a script could signal its siblings.
const VERSION: ABI = ABI::V6;

pub(super) fn enter() -> Result<(), Missing> {
    let failed = |error: landlock::RulesetError| Missing::new(LAYER, error);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(VERSION))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(VERSION)))
        .and_then(|rules| rules.scope(Scope::from_all(VERSION)))
        .and_then(Ruleset::create)
        // No rule is added: everything that is handled is refused.
        .and_then(landlock::RulesetCreated::restrict_self)
        .map_err(failed)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => Err(Missing::new(
            LAYER,
            format_args!("only {:?}; it needs Landlock ABI 6 (Linux 6.12)", status.ruleset),
        )),
    }
}
