//! A worker for the conformance suite: as `jalm __isolate-worker`, with the `Probe` program.

fn main() {
    if std::env::args_os().nth(1).is_some_and(|first| first == jalm_isolates::WORKER_ARG) {
        jalm_isolates::worker_main();
    }
}
