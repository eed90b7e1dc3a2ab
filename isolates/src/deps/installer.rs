//! Who pins and installs, by where packages come from.

use super::Settings;
use super::cargo::Cargo;
use super::error::DependencyError;
use super::lock::Lock;
use super::npm::Npm;
use super::python::Python;
use super::store::Temporary;
use super::wanted::{Requirements, Source};
use crate::api::Options;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug)]
pub(super) enum Installer {
    Python(Python),
    Npm(Npm),
    Cargo(Cargo),
}

impl Installer {
    /// Looks for the tools. Takes up to a second.
    pub(super) fn find(source: Source, options: &Options) -> Result<Self, DependencyError> {
        let settings = &options.dependencies;
        match source {
            Source::Python => Python::find(&options.python, &settings.uv).map(Self::Python),
            Source::Npm => Npm::find(&settings.npm).map(Self::Npm),
            Source::Cargo => Cargo::find(&settings.cargo).map(Self::Cargo),
            Source::Go => Err(DependencyError::bad(
                "scripts in Go cannot have dependencies yet",
                "use its standard library",
            )),
        }
    }

    /// Part of an environment's name: what is built for one platform is not for another one.
    pub(super) fn platform(&self) -> String {
        match self {
            Self::Python(python) => python.platform(),
            // Sources.
            Self::Cargo(_) => String::new(),
            Self::Npm(_) => format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }

    /// Whether the script may run here at all.
    pub(super) fn fits(&self, wanted: &Requirements) -> Result<(), DependencyError> {
        match self {
            Self::Python(python) => python.fits(wanted),
            Self::Npm(_) | Self::Cargo(_) => Ok(()),
        }
    }

    /// Finds exact versions.
    pub(super) async fn pin(
        &self,
        wanted: &Requirements,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<Lock, DependencyError> {
        match self {
            Self::Python(python) => python.pin(wanted, folder, settings, exe).await,
            Self::Npm(npm) => npm.pin(wanted, folder, settings, exe).await,
            Self::Cargo(cargo) => cargo.pin(wanted, folder, settings, exe).await,
        }
    }

    /// Installs what is pinned into a folder of `folder`, and gives that.
    pub(super) async fn install(
        &self,
        lock: &Lock,
        folder: &Temporary,
        settings: &Settings,
        exe: &Path,
    ) -> Result<PathBuf, DependencyError> {
        match self {
            Self::Python(python) => python.install(lock, folder, settings, exe).await,
            Self::Npm(npm) => npm.install(lock, folder, settings, exe).await,
            Self::Cargo(cargo) => cargo.install(lock, folder, settings, exe).await,
        }
    }
}
