//! Random intents, random faults, random crashes: every execution must end as it does without
//! crashes, record each success once, take back nothing that was shown, and start no effect before
//! its gate. Some are cancelled or run out of time at a random moment.
//!
//! One seed decides all of it. `JALM_SIM_SEED=17 cargo nextest run -p jalm-kernel simulation`
//! replays one case, with `JALM_SIM_TRACE=1` telling what was shown; `JALM_SIM_CASES=1000000` is a
//! soak.
#![allow(
    missing_docs,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "a test reads its seed from outside, prints it, and may fail by panicking"
)]

mod check;
#[path = "../support/mod.rs"]
mod support;
mod world;

use jalm_kernel::machine::{Status, replay};
use jalm_kernel::plan::Plan;
use serde_json::Value;
use std::sync::Arc;
use support::intents::Writer;
use support::{Atoms, Chance};
use world::{Fate, World};

const CASES: u64 = 3000;
const WEATHERS: u64 = 3;

/// The order in which parallel steps end can change which of two failures comes first; of such
/// intents only the state at the end is compared, which does not depend on it.
fn is_race(intent: &Value) -> bool {
    let text = intent.to_string();
    text.contains("\"needs\"")
        || text.contains("\"parallel\"")
        || text.contains("\"concurrency\":2")
        || text.contains("\"concurrency\":3")
}

fn case(seed: u64) {
    let mut chance = Chance::new(seed);
    let once = chance.percent(25);
    let intent = Writer::new(&mut chance, once).intent();
    let faults = [0, 0, 15, 40][chance.below(4)];
    let plan = match Plan::compile(&intent.to_string(), &Atoms::new()) {
        Ok(plan) => Arc::new(plan),
        Err(problems) => panic!("the generator wrote a bad intent: {problems:#?}\n{intent:#}"),
    };
    let groups = check::Groups::of(&intent);
    let calm = World::new(plan.clone(), &mut Chance::new(seed), &groups, faults).run();
    for round in 0..WEATHERS {
        let mut weather = Chance::new(seed.wrapping_add(round << 32) ^ 0xabcd);
        let mut fate = Fate::Ends;
        if round + 1 == WEATHERS {
            fate = match weather.below(2) {
                0 => Fate::Cancelled { turn: weather.below(40) },
                _ => Fate::OutOfTime { millis: 1 + weather.next() % 300 },
            };
        }
        let mut world = World::new(plan.clone(), &mut weather, &groups, faults).stormy();
        world.meet(fate);
        let after = world.run();
        let context = || format!("{intent:#}\n{:#?}", after.events);
        check::journal(&after.events, &groups);
        check::effects(&after);
        let replayed = replay(after.view.summary.execution_id, plan.clone(), after.events.clone());
        assert_eq!(
            replayed.unwrap().view(),
            after.view,
            "a replay shows something else\n{}",
            context()
        );
        let status = after.view.summary.status;
        match fate {
            Fate::Ends => {}
            Fate::Cancelled { .. } if status == Status::Cancelled => continue,
            Fate::OutOfTime { .. } if check::timed_out(&after.view) => continue,
            // It was faster.
            Fate::Cancelled { .. } | Fate::OutOfTime { .. } => {}
        }
        if check::has_unknown_outcome(&after.events) {
            assert!(once, "only what may never be repeated has an unknown outcome");
        } else if faults > 0 && is_race(&intent) {
            assert_eq!(status, calm.view.summary.status, "a crash changed the end\n{}", context());
        } else {
            let (shown, expected) = (check::seen(&after.view), check::seen(&calm.view));
            assert_eq!(shown, expected, "a crash changed the result\n{}", context());
        }
    }
}

/// Whether to tell everything: of one case.
fn tracing() -> bool {
    std::env::var_os("JALM_SIM_TRACE").is_some()
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn crashes_change_nothing_that_anyone_can_see() {
    if let Some(seed) = number("JALM_SIM_SEED") {
        return case(seed);
    }
    for seed in 0..number("JALM_SIM_CASES").unwrap_or(CASES) {
        let result = std::panic::catch_unwind(|| case(seed));
        if let Err(panic) = result {
            eprintln!("replay with JALM_SIM_SEED={seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
