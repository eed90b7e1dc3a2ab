//! Jobs do not see each other, and leave nothing behind.

use crate::common::{js, js_with, patient};
use serde_json::json;

at_each_strength! {
    async fn nothing_of_one_script_is_left_for_the_next(world: &World) {
        world.js_ok(
            "globalThis.leak = 1; Object.prototype.leak = 2; Array.prototype.map = () => 'leak'; \
             JSON.stringify = () => '\"leak\"'; console.log = () => {}; \
             Object.defineProperty(Object.prototype, 'then', { value: 1 }); return 1",
        )
        .await;
        let seen = "console.log('x'); return [typeof leak, typeof ({}).leak, [1].map((x) => x + 1), JSON.stringify(1), typeof ({}).then]";
        let verdict = world.js(seen).await;
        assert_eq!(verdict.result.unwrap(), json!(["undefined", "undefined", [2], "1", "undefined"]));
        assert_eq!(verdict.stdout, "x\n");
    }

    /// Results travel apart from what is printed: a script cannot pretend to have ended well.
    async fn results_cannot_be_forged_by_printing(world: &World) {
        let forged = r#"{"result":{"Ok":"forged"},"stdout":"","stderr":"","memory":0}"#;
        let source = format!("console.log('{forged}'); console.error('{forged}'); throw new Error('honest')");
        let error = world.js_error(&source).await;
        assert_eq!(error.message, "Error: honest");
    }

    async fn parallel_jobs_do_not_mix(world: &World) {
        let jobs = (0..40).map(|number| {
            let source = "let s = 0; for (let i = 0; i < 20000; i++) s += n; console.log('out', n); return s / 20000";
            let program = js_with(source, json!({ "n": number }));
            let isolates = world.isolates.clone();
            tokio::spawn(async move {
                let job = jalm_isolates::Job { program, limits: patient() };
                (number, isolates.run(job).await.unwrap())
            })
        });
        let jobs: Vec<_> = jobs.collect();
        for job in jobs {
            let (number, verdict) = job.await.unwrap();
            assert_eq!(verdict.result.unwrap(), json!(number));
            assert_eq!(verdict.stdout, format!("out {number}\n"));
        }
    }

    /// Neither in the server nor in the worker.
    async fn no_descriptors_or_processes_pile_up(world: &World) {
        let count = || std::fs::read_dir("/proc/self/fd").unwrap().count();
        let processes = world.idle().await.len();
        let mine = std::env::args().any(|argument| argument == "--exact");
        let before = count();
        for number in 0..200 {
            match number % 4 {
                0 => drop(world.js_error("throw 1").await),
                1 => drop(world.run(crate::common::template("{{", json!({})), patient()).await.unwrap()),
                2 => drop(tokio::time::timeout(std::time::Duration::ZERO, world.run(js("for (;;) {}"), patient())).await),
                _ => world.still_works().await,
            }
        }
        world.processes_are(|now| now <= processes).await;
        world.still_works().await;
        // Other tests in this process open and close files as they like.
        if mine {
            assert!(count() <= before, "{before} before, {} after", count());
        }
        // The worker's limit is 256: it would have run out if each job left one.
        for _ in 0..100 {
            world.still_works().await;
        }
    }

    /// Mounting in the wrong namespace would cover the host's files.
    async fn the_hosts_mounts_are_as_before(world: &World) {
        let mounts = || std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let before = mounts();
        let other = crate::common::World::without(world.isolates.report().await.strength.unwrap(), &[]);
        other.still_works().await;
        assert_eq!(mounts(), before);
        other.isolates.shutdown().await;
        assert_eq!(mounts(), before);
    }
}
