//! Random intents: every form that runs, nested, with retries and conditions.

use super::Chance;
use serde_json::{Value, json};

pub(crate) struct Writer<'a> {
    pub(crate) chance: &'a mut Chance,
    steps: usize,
    budget: usize,
    once: bool,
}

impl<'a> Writer<'a> {
    /// `once`: whether there may be atoms that are never repeated after a crash.
    pub(crate) fn new(chance: &'a mut Chance, once: bool) -> Self {
        let budget = 3 + chance.below(12);
        Self { chance, steps: 0, budget, once }
    }

    pub(crate) fn intent(&mut self) -> Value {
        let steps = self.steps(0, &[], 0);
        let last = steps.last().and_then(|step| step["id"].as_str()).unwrap_or_default().to_owned();
        json!({
            "intent": "simulated",
            "steps": steps,
            "output": { "last": format!("{{{{ steps.{last}.status }}}}") },
        })
    }

    fn steps(&mut self, depth: usize, visible: &[String], loops: usize) -> Vec<Value> {
        let count = 1 + self.chance.below(4);
        let mut steps: Vec<Value> = Vec::new();
        let mut ids: Vec<String> = Vec::new();
        for _ in 0..count {
            if self.budget == 0 {
                break;
            }
            let own_needs = !ids.is_empty() && self.chance.percent(35);
            // In a plain sequence every earlier step has ended; with `needs` only those are sure.
            let (needs, seen): (Option<Vec<String>>, Vec<String>) = if own_needs {
                let picked: Vec<String> =
                    ids.iter().filter(|_| self.chance.percent(50)).cloned().collect();
                let seen = visible.iter().chain(&picked).cloned().collect();
                (Some(picked), seen)
            } else {
                let sequence = steps.iter().all(|step| step.get("needs").is_none());
                let seen =
                    if sequence { ids.clone() } else { ids.last().cloned().into_iter().collect() };
                (None, visible.iter().cloned().chain(seen).collect())
            };
            let (id, mut step) = self.step(depth, &seen, loops);
            if let Some(needs) = needs {
                step["needs"] = json!(needs);
            }
            ids.push(id);
            steps.push(step);
        }
        steps
    }

    fn step(&mut self, depth: usize, seen: &[String], loops: usize) -> (String, Value) {
        self.budget = self.budget.saturating_sub(1);
        self.steps += 1;
        let id = format!("s{}", self.steps);
        let looped = self.chance.percent(20) && loops < 2;
        let inner_loops = loops + usize::from(looped);
        let mut step = json!({ "id": id });
        match self.chance.below(10) {
            0 if depth < 3 => step["steps"] = json!(self.some_steps(depth + 1, seen, inner_loops)),
            1 if depth < 3 => {
                step["parallel"] = json!(self.some_steps_apart(depth + 1, seen, inner_loops));
            }
            2 => step["set"] = json!({ format!("v{}", self.steps): self.value(seen, inner_loops) }),
            kind => {
                step["atom"] =
                    json!(["pure", "look", "act", "act", "pure", "look", "pure"][kind % 7]);
                if self.once && self.chance.percent(8) {
                    step["atom"] = json!("act_once");
                }
                step["input"] = json!({ "x": self.value(seen, inner_loops) });
                if self.chance.percent(30) {
                    step["retry"] =
                        json!({ "attempts": 1 + self.chance.below(4), "delay": "100ms" });
                }
            }
        }
        let group = step.get("steps").is_some() || step.get("parallel").is_some();
        if group && self.chance.percent(30) {
            step["retry"] = json!({ "attempts": 2 + self.chance.below(2), "delay": "50ms" });
        }
        if group && self.chance.percent(30) {
            step["timeout"] = json!("1h");
        }
        if self.chance.percent(12) {
            step["output"] = json!({ "shaped": "{{ response }}" });
        }
        if looped {
            let items = self.chance.below(5);
            step["foreach"] = json!((0..items).collect::<Vec<_>>());
            step["concurrency"] = json!(1 + self.chance.below(3));
            if self.chance.percent(50) {
                step["on_item_error"] = json!("collect");
            }
        }
        if self.chance.percent(30) {
            step["on_error"] = json!("continue");
        }
        if self.chance.percent(15) && !seen.is_empty() {
            let other = &seen[self.chance.below(seen.len())];
            step["when"] = json!(format!("{{{{ steps.{other}.status == 'completed' }}}}"));
        }
        (id, step)
    }

    fn some_steps(&mut self, depth: usize, seen: &[String], loops: usize) -> Vec<Value> {
        self.budget = self.budget.max(1);
        self.steps(depth, seen, loops)
    }

    /// Steps that see nothing of each other.
    fn some_steps_apart(&mut self, depth: usize, seen: &[String], loops: usize) -> Vec<Value> {
        let count = 1 + self.chance.below(3);
        (0..count).map(|_| self.step(depth, seen, loops).1).collect()
    }

    fn value(&mut self, seen: &[String], loops: usize) -> String {
        match self.chance.below(3) {
            0 if loops > 0 => "item {{ item }} of {{ index }}".to_owned(),
            1 if !seen.is_empty() => {
                format!(
                    "{{{{ steps.{}.output | default('none') }}}}",
                    seen[self.chance.below(seen.len())]
                )
            }
            _ => "plain".to_owned(),
        }
    }
}
