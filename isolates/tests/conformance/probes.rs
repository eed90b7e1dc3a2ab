//! What a script's process may ask of the kernel: next to nothing.

use crate::common::worker_exe;
use serde_json::json;

const CLONE3: &str = "clone3";

at_each_strength! {
    async fn every_forbidden_call_is_refused(world: &World) {
        let names = world.run(
            jalm_isolates::Program::Probe { attempts: Vec::new() },
            crate::common::patient(),
        ).await.unwrap().result.unwrap();
        let names: Vec<&str> =
            names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        assert!(names.len() >= 60, "{names:?}");
        for (name, errno) in world.probe(&names).await {
            // glibc falls back from clone3 to clone only if it is told that there is none.
            let wanted = if name == CLONE3 { libc::ENOSYS } else { libc::EPERM };
            assert_eq!(errno, json!(wanted), "{name}");
        }
    }

    /// Descriptors of the test itself, of the worker and of its siblings.
    async fn only_the_jobs_own_socket_is_inherited(world: &World) {
        let file = std::fs::File::open("/dev/null").unwrap();
        rustix::io::fcntl_setfd(&file, rustix::io::FdFlags::empty()).unwrap();
        let open = world.probe_one("descriptors").await;
        assert_eq!(open.as_array().unwrap().len(), 1, "{open}");
    }

    async fn the_servers_environment_is_not_there(world: &World) {
        assert!(std::env::vars().count() > 0, "or there is nothing to hide");
        let there = world.probe_one("environment").await;
        let ours: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
        for name in there.as_array().unwrap() {
            assert!(!ours.iter().any(|our| name == our), "{name}");
        }
    }

    /// The 32-bit ABI of x86-64 has numbers of its own; its calls end the process.
    async fn calls_of_another_abi_end_the_process(world: &World) {
        let name = format!("raw_call:{}", 0x4000_0000 | libc::SYS_getpid);
        let program = jalm_isolates::Program::Probe { attempts: vec![name] };
        let error = world.run(program, crate::common::patient()).await.unwrap().result.unwrap_err();
        assert_eq!(error.code, "script_crashed");
        assert!(error.message.contains("signal 31"), "{}", error.message);
        world.still_works().await;
    }
}

/// Outside any sandbox: else a refusal inside says nothing about the sandbox.
#[test]
fn most_of_the_forbidden_calls_work_outside() {
    let names = jalm_isolates::probe(&[]);
    let names: Vec<&str> =
        names.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let output = std::process::Command::new(worker_exe()).arg("probe").args(&names).output();
    let answers: serde_json::Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let answers = answers.as_object().unwrap();
    let refused: Vec<&str> = answers
        .iter()
        .filter(|(_, errno)| **errno == json!(libc::EPERM))
        .map(|(name, _)| name.as_str())
        .collect();
    // An ordinary user may not mount, change root or load modules either.
    assert!(refused.len() <= 15, "{refused:?}");
    assert_eq!(answers["open_file"], 0);
    assert_eq!(answers["socket_tcp"], 0);
    assert_eq!(answers["clone"], 0);
}
