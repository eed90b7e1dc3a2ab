//! An interpreter that was made before any job came: each child gets a copy of it by being forked.
//!
//! It holds nothing but the language itself and our own first lines. What must differ from child
//! to child is set in the child: its bounds, and its chance.

use super::{PRELUDE, eval};
use rquickjs::{Context, Ctx, Function, Object, Persistent, Runtime};
use std::cell::Cell;

/// Never dropped: the process that has used it ends.
pub(crate) struct Ready {
    pub(super) runtime: Runtime,
    pub(super) context: Context,
    prelude: Persistent<Function<'static>>,
}

impl Ready {
    pub(crate) fn new() -> rquickjs::Result<Self> {
        let runtime = Runtime::new()?;
        let context = Context::full(&runtime)?;
        let prelude = context.with(|js| {
            let prelude: Function<'_> = eval(&js, PRELUDE, "prelude")?;
            Ok::<_, rquickjs::Error>(Persistent::save(&js, prelude))
        })?;
        Ok(Self { runtime, context, prelude })
    }

    pub(super) fn prelude<'js>(&self, js: &Ctx<'js>) -> rquickjs::Result<Function<'js>> {
        self.prelude.clone().restore(js)
    }
}

/// Gives this child a chance of its own: the interpreter's was copied with it.
pub(super) fn set_chance(js: &Ctx<'_>) -> rquickjs::Result<()> {
    let mut seed = [0_u64; 2];
    #[expect(unsafe_code, reason = "asking the kernel for chance has no safe wrapper here")]
    // SAFETY: the pointer is to a living array of as many bytes as are asked for.
    let length = unsafe { libc::getrandom(seed.as_mut_ptr().cast(), size_of_val(&seed), 0) };
    if usize::try_from(length).ok() != Some(size_of_val(&seed)) {
        return Err(rquickjs::Error::Unknown);
    }
    let state = Cell::new(seed);
    let random = Function::new(js.clone(), move || {
        let mut now = state.get();
        let drawn = next(&mut now);
        state.set(now);
        drawn
    })?
    .with_name("random")?;
    js.globals().get::<_, Object<'_>>("Math")?.set("random", random)
}

/// Vigna's xorshift128+, as browsers have it; from 0 to below 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
fn next([a, b]: &mut [u64; 2]) -> f64 {
    let (mut x, y) = (*a, *b);
    *a = y;
    x ^= x << 23;
    *b = x ^ y ^ (x >> 17) ^ (y >> 26);
    (b.wrapping_add(y) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_spread_evenly() {
        let mut seed = [1, 2];
        let drawn: Vec<f64> = (0..10_000).map(|_| next(&mut seed)).collect();
        assert!(drawn.iter().all(|one| (0.0..1.0).contains(one)));
        for tenth in 0..10 {
            let low = f64::from(tenth) / 10.0;
            let count = drawn.iter().filter(|one| (low..low + 0.1).contains(*one)).count();
            assert!((850..1150).contains(&count), "{count} from {low}");
        }
    }
}
