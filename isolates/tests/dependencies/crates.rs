//! What crates can do while they are compiled, from a registry of its own.

use crate::world::{STRENGTHS, World, packages};
use jalm_isolates::{Language, Strength};
use serde_json::json;
use std::path::Path;

/// Writes a crate into a folder that Cargo takes for a registry.
const PACK: &str = r#"
import hashlib, io, json, os, sys, tarfile
registry, name, build, lib = sys.argv[1:]
data = io.BytesIO()
with tarfile.open(fileobj=data, mode="w:gz") as crate:
    manifest = f'[package]\nname = "{name}"\nversion = "1.0.0"\nedition = "2021"\n'
    for path, text in {"Cargo.toml": manifest, "build.rs": build, "src/lib.rs": lib}.items():
        entry = tarfile.TarInfo(f"{name}-1.0.0/{path}")
        entry.size = len(text.encode())
        crate.addfile(entry, io.BytesIO(text.encode()))
with open(f"{registry}/{name}-1.0.0.crate", "wb") as file:
    file.write(data.getvalue())
index = f"{registry}/index/{name[:2]}/{name[2:4]}"
os.makedirs(index)
line = {"name": name, "vers": "1.0.0", "deps": [], "features": {}, "yanked": False,
        "cksum": hashlib.sha256(data.getvalue()).hexdigest()}
with open(f"{index}/{name}", "w") as file:
    file.write(json.dumps(line) + "\n")
"#;

const BUILD: &str = r#"
use std::os::unix::fs::PermissionsExt;
fn main() {
    let mut seen = vec!["ran"];
    let mut note = |what, done: bool| if done { seen.push(what) };
    let own = std::env::var("OUT_DIR").unwrap();
    note("mark", std::fs::write(MARK, "").is_ok());
    note("file", std::fs::read("/etc/passwd").is_ok());
    note("process", std::fs::read("/proc/1/cmdline").is_ok());
    note("packages", std::fs::write(format!("{}/x", env!("CARGO_MANIFEST_DIR")), "").is_ok());
    note("modes", std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o700)).is_ok());
    note("program", std::process::Command::new("/usr/bin/id").output().is_ok());
    note("network", std::net::TcpStream::connect("127.0.0.1:PORT").is_ok());
    note("listen", std::net::TcpListener::bind("127.0.0.1:0").is_ok());
    note("secret", std::env::vars().any(|(name, _)| name.starts_with("NEXTEST")));
    println!("cargo:rustc-env=SEEN={}", seen.join(" "));
}
"#;

fn pack(registry: &Path, build: &str) {
    let lib = "pub const SEEN: &str = env!(\"SEEN\");\n";
    let status = std::process::Command::new("python3")
        .args(["-c", PACK, &registry.display().to_string(), "evil", build, lib])
        .status();
    assert!(status.unwrap().success());
}

/// With a registry of its own, and no other.
fn world(strength: Strength) -> World {
    World::with(strength, |settings, folder| {
        let registry = folder.join("index").display().to_string();
        let home = folder.join("cargo");
        std::fs::create_dir(&home).unwrap();
        let config = format!(
            "[source.crates-io]\nreplace-with = \"own\"\n[source.own]\nlocal-registry = {registry:?}\n"
        );
        std::fs::write(home.join("config.toml"), config).unwrap();
        settings.environment.insert("CARGO_HOME".to_owned(), home.display().to_string());
    })
}

#[tokio::test]
async fn build_scripts_run_in_the_sandbox_only() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    for strength in STRENGTHS {
        let world = world(strength);
        let mark = world.folder.path().join("mark");
        let shown = format!("{:?}", mark.display().to_string());
        pack(&world.index(), &BUILD.replace("MARK", &shown).replace("PORT", &port));
        let environment =
            world.prepare(Language::Rust, json!({ "evil": "1" }), None).await.unwrap();
        assert_eq!(packages(&environment), json!(["evil==1.0.0"]));
        let source = "fn run() -> String {\n    evil::SEEN.to_owned()\n}\n";
        assert_eq!(world.good(Language::Rust, source, &environment).await, "ran");
        assert!(!mark.exists());
    }
}

#[tokio::test]
async fn a_build_script_that_takes_all_memory_is_ended() {
    let world = world(Strength::A);
    let build = "fn main() { let mut all = Vec::new(); loop { all.push(vec![1_u8; 1 << 20]); } }";
    pack(&world.index(), build);
    let environment = world.prepare(Language::Rust, json!({ "evil": "1" }), None).await.unwrap();
    let source = "fn run() -> u8 {\n    7\n}\n";
    let error = world.run(Language::Rust, source, Some(&environment)).await.unwrap_err();
    assert_eq!(error.code, "script_syntax", "{error:?}");
    assert!(error.message.contains("custom build command"), "{error:?}");
}
