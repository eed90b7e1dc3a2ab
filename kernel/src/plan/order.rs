//! Who waits for whom inside one block.

use crate::intent::Step;
use crate::source::{Problem, closest};

/// The edges of a block: for each slot the slots it needs.
pub(super) struct Order {
    pub(super) needs: Vec<Vec<u32>>,
    /// For each slot the set of all slots that surely ended before it starts.
    before: Vec<BitSet>,
}

impl Order {
    /// Whether slot `earlier` surely ended before `later` starts.
    pub(super) fn precedes(&self, earlier: u32, later: u32) -> bool {
        self.before[later as usize].has(earlier)
    }

    /// Draws the edges; steps without `needs` follow the one before them, or nobody if `parallel`.
    pub(super) fn of(
        steps: &[Step],
        parallel: bool,
        path: &str,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let slot_of = |id: &str| steps.iter().position(|step| step.id.value == id);
        let mut needs: Vec<Vec<u32>> = Vec::with_capacity(steps.len());
        for (slot, step) in steps.iter().enumerate() {
            let mut edges = Vec::new();
            match &step.needs {
                None if slot > 0 && !parallel => edges.push(index(slot - 1)),
                None => {}
                Some(names) => {
                    for name in names {
                        match slot_of(&name.value) {
                            Some(other) if other == slot => problems.push(Problem {
                                code: "needs_itself",
                                path: format!("{path}[{slot}].needs"),
                                span: name.span,
                                message: format!("step `{}` needs itself", name.value),
                                hint: "name the steps that must end before it".into(),
                                warning: false,
                            }),
                            Some(other) => edges.push(index(other)),
                            None => {
                                let ids = steps.iter().map(|step| step.id.value.as_str());
                                let hint = closest(&name.value, ids).map_or_else(
                                    || "`needs` names steps of the same list".into(),
                                    |close| format!("did you mean `{close}`?").into(),
                                );
                                problems.push(Problem {
                                    code: "unknown_step",
                                    path: format!("{path}[{slot}].needs"),
                                    span: name.span,
                                    message: format!(
                                        "there is no step `{}` beside this one",
                                        name.value
                                    ),
                                    hint,
                                    warning: false,
                                });
                            }
                        }
                    }
                }
            }
            edges.sort_unstable();
            edges.dedup();
            needs.push(edges);
        }
        let before = closure(steps, &mut needs, path, problems);
        Self { needs, before }
    }
}

/// Walks the block in topological order (Kahn). Steps on a circle are reported and cut loose.
fn closure(
    steps: &[Step],
    needs: &mut [Vec<u32>],
    path: &str,
    problems: &mut Vec<Problem>,
) -> Vec<BitSet> {
    let count = steps.len();
    let mut before: Vec<BitSet> = vec![BitSet::default(); count];
    let mut missing: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut successors: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (slot, edges) in needs.iter().enumerate() {
        edges.iter().for_each(|edge| successors[*edge as usize].push(slot));
    }
    let mut ready: Vec<usize> = (0..count).filter(|slot| missing[*slot] == 0).collect();
    let mut seen = 0;
    while let Some(slot) = ready.pop() {
        seen += 1;
        let mut own = BitSet::with_room(count);
        for edge in &needs[slot] {
            own.add_all(&before[*edge as usize]);
            own.add(*edge);
        }
        before[slot] = own;
        for next in &successors[slot] {
            missing[*next] -= 1;
            if missing[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    if seen < count {
        let circle: Vec<usize> = (0..count).filter(|slot| missing[*slot] > 0).collect();
        let names: Vec<&str> =
            circle.iter().map(|slot| steps[*slot].id.value.as_str()).take(10).collect();
        let first = circle[0];
        problems.push(Problem {
            code: "needs_circle",
            path: format!("{path}[{first}].needs"),
            span: steps[first].id.span,
            message: format!("these steps wait for each other: {}", names.join(", ")),
            hint: "remove one of their `needs`".into(),
            warning: false,
        });
        for slot in circle {
            needs[slot].clear();
            before[slot] = BitSet::with_room(count);
        }
    }
    before
}

#[expect(clippy::cast_possible_truncation, reason = "an intent has at most 10,000 steps")]
fn index(slot: usize) -> u32 {
    slot as u32
}

#[derive(Clone, Default)]
struct BitSet(Vec<u64>);

impl BitSet {
    fn with_room(bits: usize) -> Self {
        Self(vec![0; bits.div_ceil(64)])
    }

    fn add(&mut self, bit: u32) {
        self.0[bit as usize / 64] |= 1 << (bit % 64);
    }

    fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= theirs);
    }

    fn has(&self, bit: u32) -> bool {
        self.0.get(bit as usize / 64).is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }
}
