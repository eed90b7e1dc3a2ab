//! What was promised and shown so far, and that none of it is ever taken back.

use crate::load::Order;
use jalm_tests::{Chance, Event};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// The client's memory, over all lives of the server.
#[derive(Default)]
pub(crate) struct Book {
    /// Sent or to be sent, not acknowledged.
    pub(crate) open: VecDeque<Order>,
    /// Acknowledged.
    pub(crate) taken: BTreeMap<String, Taken>,
    /// The same, in the order of their acknowledgement.
    pub(crate) order: Vec<String>,
    /// How often something that was shown before was shown again.
    pub(crate) compared: u64,
}

pub(crate) struct Taken {
    pub(crate) order: Order,
    /// The whole execution, once it was shown as ended.
    pub(crate) ended: Option<Value>,
    steps: BTreeMap<String, Value>,
    events: BTreeMap<u64, Event>,
}

impl Book {
    pub(crate) fn acknowledge(&mut self, id: &str, order: Order) {
        let number = order.number;
        let new = Taken { order, ended: None, steps: BTreeMap::new(), events: BTreeMap::new() };
        let old = self.taken.insert(id.to_owned(), new);
        assert!(old.is_none(), "execution {id} was given to two orders, one is {number}");
        self.order.push(id.to_owned());
    }

    /// One of the later executions most often, an older one now and then.
    pub(crate) fn pick(&self, chance: &mut Chance) -> Option<String> {
        let count = self.order.len() as u64;
        let range = if chance.percent(80) { count.min(60) } else { count };
        if range == 0 {
            return None;
        }
        let index = usize::try_from(count - 1 - chance.below(range)).ok()?;
        Some(self.order[index].clone())
    }

    /// The server showed an execution.
    pub(crate) fn shown(&mut self, id: &str, now: &Value) {
        let Some(taken) = self.taken.get_mut(id) else { panic!("{id} was never acknowledged") };
        if let Some(before) = &taken.ended {
            assert_eq!(now, before, "execution {id} had ended, and changed");
            self.compared += 1;
            return;
        }
        for step in now["steps"].as_array().into_iter().flatten() {
            let name = step["id"].as_str().unwrap_or_default();
            if let Some(before) = taken.steps.get(name) {
                assert_eq!(step, before, "step {name} of {id} had ended, and changed");
                self.compared += 1;
            } else if matches!(step["status"].as_str(), Some("completed" | "failed" | "skipped")) {
                taken.steps.insert(name.to_owned(), step.clone());
            }
        }
        if matches!(now["status"].as_str(), Some("completed" | "failed" | "cancelled")) {
            taken.ended = Some(now.clone());
        }
    }

    /// The number of the last event that was seen.
    pub(crate) fn last_event(&self, id: &str) -> Option<u64> {
        self.taken.get(id)?.events.keys().next_back().copied()
    }

    /// The server showed an event.
    pub(crate) fn heard(&mut self, id: &str, event: Event) {
        let Some(taken) = self.taken.get_mut(id) else { panic!("{id} was never acknowledged") };
        match taken.events.get(&event.id) {
            Some(before) => {
                assert_eq!(&event, before, "an event of {id} changed");
                self.compared += 1;
            }
            None => {
                taken.events.insert(event.id, event);
            }
        }
    }
}
