//! Appends per second in a few patterns: `cargo run --release --example throughput
//! --features testkit -- [folder] [seconds]`.

#![expect(clippy::print_stdout, reason = "a program that prints figures")]
#![expect(clippy::cast_precision_loss, reason = "counts of records, far below 2^52")]

use jalm_kernel::machine::Status;
use jalm_kernel::ports::{Append, Store};
use jalm_state_store::conformance::{birth, next};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// About what a step's two events take.
const RECORD: usize = 200;
/// Events of one execution.
const STEPS: u64 = 11;

/// Event `at` of execution `n`.
fn append(n: u64, at: u64) -> Append {
    let status = if at + 1 == STEPS { Status::Completed } else { Status::Running };
    let append = if at == 0 { birth(n, "load", status) } else { next(n, "load", status, at, 1) };
    Append { record: vec![b'x'; RECORD], ..append }
}

/// `width` executions side by side; each appends its next record when the last one is durable.
/// Prints records per second and how long one takes.
fn lockstep(store: &Arc<dyn Store>, first: u64, width: u64, time: Duration) -> u64 {
    let (told, heard) = channel();
    let send = |n: u64, at: u64| {
        let (told, since) = (told.clone(), Instant::now());
        let listener = move |outcome: Result<(), _>| drop(told.send((n, at, since, outcome)));
        store.append(append(n, at), Box::new(listener));
    };
    let (start, mut free, mut waits) = (Instant::now(), first + width, Vec::new());
    (first..free).for_each(|n| send(n, 0));
    let mut open = width;
    while open > 0 {
        let Ok((n, at, since, outcome)) = heard.recv() else { break };
        waits.push(since.elapsed());
        if let Err(error) = outcome {
            println!("refused: {error}");
        }
        if at + 1 < STEPS {
            send(n, at + 1);
        } else if start.elapsed() < time {
            send(free, 0);
            free += 1;
        } else {
            open -= 1;
        }
    }
    let rate = waits.len() as f64 / start.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |part: usize| waits[(waits.len() - 1) * part / 1000].as_secs_f64() * 1e3;
    println!(
        "{width:>5} side by side: {rate:>9.0} records/s   p50 {:.3} ms  p99 {:.3}  p99.9 {:.3}  max {:.3}",
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    free
}

/// Whole executions of pure steps, at most `ahead` records in flight: what gating makes possible.
fn ahead(store: &Arc<dyn Store>, first: u64, ahead: u64, time: Duration) -> u64 {
    let (told, heard) = channel();
    let (start, mut n, mut flying, mut done) = (Instant::now(), first, 0, 0_u64);
    while start.elapsed() < time {
        for at in 0..STEPS {
            let told = told.clone();
            store.append(append(n, at), Box::new(move |outcome| drop(told.send(outcome))));
            flying += 1;
        }
        n += 1;
        while flying > ahead && heard.recv().is_ok() {
            flying -= 1;
            done += 1;
        }
    }
    while flying > 0 && heard.recv().is_ok() {
        flying -= 1;
        done += 1;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    println!("{ahead:>5} run ahead:    {rate:>9.0} records/s");
    n
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let folder = PathBuf::from(args.next().unwrap_or_else(|| "data/throughput".to_owned()));
    let time = Duration::from_secs(args.next().map_or(Ok(2), |text| text.parse())?);
    let path = folder.join("throughput.db");
    let start = Instant::now();
    let store = jalm_state_store::open(&format!("sqlite:{}", path.display()))?;
    println!("opened in {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    // Ids of an earlier run are not used again.
    let mut free = u64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())? * 100;
    for width in [1, 16, 64, 128, 256, 1024] {
        free = lockstep(&store, free, width, time);
    }
    for flying in [1024, 8192] {
        free = ahead(&store, free, flying, time);
    }
    Ok(())
}
