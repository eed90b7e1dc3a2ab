//! What is run.

use serde_json::{Value, json};

/// `steps` pure steps in sequence; each one reads what the one before gave, so nothing of it can be
/// skipped or run side by side.
pub(crate) fn pure_steps(steps: usize) -> Value {
    let steps: Vec<Value> = (1..=steps)
        .map(|n| {
            let data = match n {
                1 => json!({ "n": "{{ params.n }}" }),
                _ => json!({ "n": format!("{{{{ steps.s{}.output.content_type }}}}", n - 1) }),
            };
            json!({ "id": format!("s{n}"), "atom": "render_json", "input": { "data": data } })
        })
        .collect();
    json!({ "intent": format!("pure-{}", steps.len()), "steps": steps })
}

/// A loop over as many items as `params.n` says.
pub(crate) fn pure_foreach() -> Value {
    json!({
        "intent": "loop",
        "steps": [{
            "id": "each", "foreach": "{{ range(params.n) }}", "atom": "render_json",
            "input": { "data": "{{ item }}" },
        }],
        "output": "{{ steps.each.output | length }}",
    })
}
