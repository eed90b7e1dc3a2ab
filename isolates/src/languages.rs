//! Which isolate runs which language: the one table of it.

use serde::{Deserialize, Serialize};

/// A language that scripts are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    JavaScript,
    TypeScript,
    Python,
    Wasm,
    Rust,
    Go,
}

/// What runs a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// QuickJS-ng, in the binary.
    QuickJs,
    /// The host's Node.
    Node,
    /// The host's Deno.
    Deno,
    /// The host's Bun.
    Bun,
    /// The host's own interpreter or a program compiled for it.
    Native,
    /// In the binary.
    Wasmtime,
    /// The language's interpreter in WebAssembly.
    Wasi,
}

/// How a runtime is kept apart (DESIGN §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An interpreter of this binary, in a child of the sandboxed worker.
    Isolate,
    /// WebAssembly in wasmtime, in a sandboxed process that keeps nothing of a call.
    Wasm,
    /// A process of the language's own runtime, in a sandbox of its own.
    Process,
}

impl Kind {
    /// The name in records and lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Isolate => "isolate",
            Self::Wasm => "wasm",
            Self::Process => "process",
        }
    }
}

/// One line of the table.
#[derive(Debug)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Engine {
    pub language: Language,
    pub runtime: Runtime,
    pub kind: Kind,
}

const fn engine(language: Language, runtime: Runtime, kind: Kind) -> Engine {
    Engine { language, runtime, kind }
}

/// Every way to run every language; a language's first line is what it gets unasked.
pub const ENGINES: &[Engine] = &[
    engine(Language::JavaScript, Runtime::QuickJs, Kind::Isolate),
    engine(Language::JavaScript, Runtime::Node, Kind::Process),
    engine(Language::JavaScript, Runtime::Deno, Kind::Process),
    engine(Language::JavaScript, Runtime::Bun, Kind::Process),
    engine(Language::TypeScript, Runtime::QuickJs, Kind::Isolate),
    engine(Language::TypeScript, Runtime::Node, Kind::Process),
    engine(Language::TypeScript, Runtime::Deno, Kind::Process),
    engine(Language::TypeScript, Runtime::Bun, Kind::Process),
    engine(Language::Python, Runtime::Native, Kind::Process),
    engine(Language::Python, Runtime::Wasi, Kind::Wasm),
    engine(Language::Wasm, Runtime::Wasmtime, Kind::Wasm),
    engine(Language::Rust, Runtime::Native, Kind::Process),
    engine(Language::Go, Runtime::Native, Kind::Process),
];

impl Language {
    /// All languages, each with the names that people write.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::JavaScript, &["javascript", "js"]),
        (Self::TypeScript, &["typescript", "ts"]),
        (Self::Python, &["python", "py", "python3"]),
        (Self::Wasm, &["wasm", "webassembly", "wat"]),
        (Self::Rust, &["rust", "rs"]),
        (Self::Go, &["go", "golang"]),
    ];

    /// The usual name.
    pub fn name(self) -> &'static str {
        let names = Self::ALL.iter().find(|(language, _)| *language == self);
        names.and_then(|(_, names)| names.first()).copied().unwrap_or("?")
    }

    /// The language of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        let found = Self::ALL.iter().find(|(_, names)| names.contains(&name.as_str()));
        found.map(|(language, _)| *language)
    }

    /// Its engines, the usual one first.
    pub fn engines(self) -> impl Iterator<Item = &'static Engine> {
        ENGINES.iter().filter(move |engine| engine.language == self)
    }
}

impl Runtime {
    const NAMES: &[(Self, &str)] = &[
        (Self::QuickJs, "quickjs"),
        (Self::Node, "node"),
        (Self::Deno, "deno"),
        (Self::Bun, "bun"),
        (Self::Native, "native"),
        (Self::Wasmtime, "wasmtime"),
        (Self::Wasi, "wasi"),
    ];

    /// The name as it is written.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(runtime, _)| *runtime == self).map_or("?", |(_, name)| name)
    }

    /// The runtime of this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(runtime, _)| *runtime)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_an_engine_and_every_name_leads_to_its_language() {
        for (language, names) in Language::ALL {
            assert!(language.engines().next().is_some(), "{language:?}");
            assert_eq!(Language::from_name(language.name()), Some(*language));
            for name in *names {
                assert_eq!(Language::from_name(&name.to_uppercase()), Some(*language));
            }
        }
        assert_eq!(Language::from_name("cobol"), None);
        for engine in ENGINES {
            assert_eq!(Runtime::from_name(engine.runtime.name()), Some(engine.runtime));
        }
    }
}
