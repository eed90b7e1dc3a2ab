//! Landlock: no files, no ports, no signals and no abstract sockets outside. All or nothing.

use super::Missing;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, NetPort, PathBeneath,
    PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use std::path::Path;

const LAYER: &str = "landlock";

/// The first version with scopes: without them a script could signal its siblings.
const VERSION: ABI = ABI::V6;

/// What is allowed below a path.
#[derive(Clone, Copy)]
pub(super) enum Use {
    Read,
    /// Reading, too.
    Execute,
    /// Everything that cannot lead outside: no devices, no sockets, no pipes, no programs.
    Own,
    /// The same, with programs.
    OwnPrograms,
    /// Reading and writing a device.
    Device,
}

impl Use {
    fn access(self) -> BitFlags<AccessFs> {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        match self {
            Self::Read => read,
            Self::Execute => read | AccessFs::Execute,
            Self::OwnPrograms => Self::Own.access() | AccessFs::Execute,
            Self::Own => {
                let not = AccessFs::Execute
                    | AccessFs::MakeChar
                    | AccessFs::MakeBlock
                    | AccessFs::MakeSock
                    | AccessFs::MakeFifo
                    | AccessFs::IoctlDev;
                AccessFs::from_all(VERSION) & !not
            }
            Self::Device => AccessFs::ReadFile | AccessFs::WriteFile,
        }
    }
}

pub(super) fn enter() -> Result<(), Missing> {
    enter_but(&[], None)
}

/// The same with exceptions, and a port that may be connected to. Paths that are not there are
/// passed over.
pub(super) fn enter_but(exceptions: &[(&Path, Use)], port: Option<u16>) -> Result<(), Missing> {
    let failed = |error: landlock::RulesetError| Missing::new(LAYER, error);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(VERSION))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(VERSION)))
        .and_then(|rules| rules.scope(Scope::from_all(VERSION)))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rules(exceptions.iter().filter_map(|rule| rule_of(*rule))))
        .and_then(|rules| {
            let ports = port.map(|port| NetPort::new(port, AccessNet::ConnectTcp));
            rules.add_rules(ports.into_iter().map(Ok::<_, RulesetError>))
        })
        // What is handled and no exception is refused.
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

fn rule_of((path, what): (&Path, Use)) -> Option<Result<PathBeneath<PathFd>, RulesetError>> {
    let parent = PathFd::new(path).ok()?;
    let access = what.access();
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(VERSION) };
    Some(Ok(PathBeneath::new(parent, access)))
}
