//! Isolates with a data folder, and an index of packages.

use jalm_isolates::{
    DependencyError, DependencySettings, Environment, Isolates, Job, Language, Limits, Options,
    Program, Requirements, Runtime, Script, ScriptError, Strength,
};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) const STRENGTHS: [Strength; 2] = [Strength::A, Strength::B];

pub(crate) struct World {
    pub(crate) isolates: Isolates,
    pub(crate) folder: tempfile::TempDir,
    options: Options,
}

/// Writes a wheel, or a source package whose setup leaves a file.
const PACK: &str = r#"
import io, sys, tarfile, zipfile
kind, index, name, version, code = sys.argv[1:]
meta = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
if kind == "wheel":
    with zipfile.ZipFile(f"{index}/{name}-{version}-py3-none-any.whl", "w") as wheel:
        info = f"{name}-{version}.dist-info"
        wheel.writestr(f"{name}.py", code)
        wheel.writestr(f"{info}/METADATA", meta)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
else:
    with tarfile.open(f"{index}/{name}-{version}.tar.gz", "w:gz") as source:
        for path, text in {"setup.py": code, "PKG-INFO": meta}.items():
            data = text.encode()
            entry = tarfile.TarInfo(f"{name}-{version}/{path}")
            entry.size = len(data)
            source.addfile(entry, io.BytesIO(data))
"#;

impl World {
    /// With an index of its own, and no other.
    pub(crate) fn new(strength: Strength) -> Self {
        Self::with(strength, |settings, folder| {
            let index = folder.join("index").display().to_string();
            for (name, value) in [
                ("PIP_NO_INDEX", "1"),
                ("PIP_FIND_LINKS", &index),
                ("PIP_CONFIG_FILE", "/dev/null"),
            ] {
                settings.environment.insert(name.to_owned(), value.to_owned());
            }
        })
    }

    /// With the registries of this machine.
    pub(crate) fn real(strength: Strength) -> Self {
        Self::with(strength, |_, _| {})
    }

    pub(crate) fn with(
        strength: Strength,
        set: impl FnOnce(&mut DependencySettings, &Path),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("index")).unwrap();
        let mut options = Options {
            maximum: strength,
            ..Options::new(env!("CARGO_BIN_EXE_isolate-worker").into())
        };
        options.dependencies.data = Some(folder.path().join("data"));
        options.dependencies.uv = PathBuf::from("no-uv-here");
        set(&mut options.dependencies, folder.path());
        Self { isolates: Isolates::new(options.clone()), folder, options }
    }

    /// As after a restart of the server, with other settings if need be.
    pub(crate) async fn restart(&mut self, set: impl FnOnce(&mut DependencySettings)) {
        self.isolates.shutdown().await;
        set(&mut self.options.dependencies);
        self.isolates = Isolates::new(self.options.clone());
    }

    pub(crate) async fn use_python(&mut self, python: PathBuf) {
        self.options.python = python;
        self.restart(|_| {}).await;
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.folder.path().join("index")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn pack(&self, kind: &str, name: &str, version: &str, code: &str) {
        let index = self.index().display().to_string();
        let status = std::process::Command::new("python3")
            .args(["-c", PACK, kind, &index, name, version, code])
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn wheel(&self, name: &str, version: &str, code: &str) {
        self.pack("wheel", name, version, code);
    }

    pub(crate) fn source(&self, name: &str, version: &str, code: &str) {
        self.pack("source", name, version, code);
    }

    /// What a program of the operator's says and does instead of a real one.
    pub(crate) fn program(folder: &Path, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    pub(crate) async fn prepare(
        &self,
        language: Language,
        given: Value,
        known: Option<&Value>,
    ) -> Result<Environment, DependencyError> {
        let wanted = Requirements::of(language, runtime(language), "", Some(&given))?.unwrap();
        self.isolates.install(&wanted, known).await
    }

    pub(crate) async fn python(&self, given: Value) -> Result<Environment, DependencyError> {
        self.prepare(Language::Python, given, None).await
    }

    pub(crate) async fn run(
        &self,
        language: Language,
        source: &str,
        environment: Option<&Environment>,
    ) -> Result<Value, ScriptError> {
        let script = Script {
            language,
            runtime: runtime(language),
            source: source.to_owned(),
            variables: Map::new(),
        };
        let limits = Limits { wall: Duration::from_mins(2), ..Limits::default() };
        let job = Job { program: Program::Script(script), limits };
        let verdict = self.isolates.run_with(job, environment).await.unwrap();
        let wanted = format!("process/{}", self.options.maximum.name());
        assert!(verdict.isolation.starts_with(&wanted), "{}", verdict.isolation);
        verdict.result
    }

    pub(crate) async fn good(
        &self,
        language: Language,
        source: &str,
        environment: &Environment,
    ) -> Value {
        match self.run(language, source, Some(environment)).await {
            Ok(value) => value,
            Err(error) => panic!("{source}\n{error:?}"),
        }
    }
}

fn runtime(language: Language) -> Option<Runtime> {
    matches!(language, Language::JavaScript | Language::TypeScript).then_some(Runtime::Node)
}

/// The names and versions of a lock.
pub(crate) fn packages(environment: &Environment) -> Value {
    let lock = environment.lock();
    assert_eq!(lock["digest"].as_str().unwrap().len(), 64, "{lock}");
    json!(lock["packages"])
}
