//! What is run while the server dies again and again, and what must have come of it.

use jalm_tests::{Chance, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// One execution, as it is submitted.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) kind: Kind,
    pub(crate) number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Pure,
    Http,
    Rows,
    Loop,
    Parallel,
    Broken,
    Continues,
    Counter,
    Message,
    Script,
}

const KINDS: [Kind; 10] = [
    Kind::Pure,
    Kind::Http,
    Kind::Rows,
    Kind::Loop,
    Kind::Parallel,
    Kind::Broken,
    Kind::Continues,
    Kind::Counter,
    Kind::Message,
    Kind::Script,
];

/// One row of the target database: execution, step, item.
pub(crate) type Row = (String, String, i64);

impl Order {
    pub(crate) fn new(number: u64, chance: &mut Chance, world: &World) -> Self {
        let kind = KINDS[usize::try_from(chance.below(10)).expect("below 10")];
        if kind == Kind::Http {
            // Fewer than the attempts that the step has.
            let times = u32::try_from(chance.below(3)).expect("below 3");
            world.stub().fail(&format!("/post/{number}"), times, 503);
        }
        Self { kind, number }
    }

    /// The body of `POST /exec`; the key makes sure that asking again changes nothing.
    pub(crate) fn body(&self, world: &World) -> Value {
        json!({
            "jalm_config": format!("intent: {:?}\n{}", self.kind, self.steps(world)),
            "params": { "n": self.number },
            "idempotency_key": format!("order-{}", self.number),
        })
    }

    fn steps(&self, world: &World) -> String {
        let base = world.stub().url("");
        match self.kind {
            Kind::Pure => r#"
steps:
  - { id: uuid, atom: generate_uuid }
  - { id: time, atom: get_timestamp }
  - { id: twice, set: { n: "{{ params.n * 2 }}" } }
  - { id: text, atom: render_json, input: { data: { n: "{{ steps.twice.output.n }}" } } }
  - { id: more, atom: generate_uuid, input: { version: 7, count: 3 } }
output: { twice: "{{ steps.twice.output.n }}", uuid: "{{ steps.uuid.output.uuid }}" }
"#
            .to_owned(),
            Kind::Http => format!(
                r#"
defaults: {{ retry: {{ attempts: 9, delay: 5ms, backoff: constant }} }}
steps:
  - {{ id: get, atom: exec_http, input: {{ url: "{base}/get/{{{{ params.n }}}}" }} }}
  - id: post
    atom: exec_http
    input:
      method: POST
      url: "{base}/post/{{{{ params.n }}}}"
      json: {{ got: "{{{{ steps.get.output.json.path }}}}", by: "{{{{ execution.id }}}}" }}
output: {{ sent: "{{{{ steps.post.output.json.sent }}}}" }}
"#
            ),
            Kind::Rows => format!(
                "steps:\n{}{}output: {{ rows: \"{{{{ steps.a.output.rows_affected + steps.b.output.rows_affected }}}}\" }}\n",
                insert("a", "0", ""),
                insert("b", "0", "")
            ),
            Kind::Loop => format!(
                "steps:\n{}output: {{ items: \"{{{{ steps.each.output | length }}}}\" }}\n",
                insert(
                    "each",
                    "{{ item }}",
                    "foreach: \"{{ range(params.n % 7 + 2) | list }}\"\n    concurrency: 3\n    "
                )
            ),
            Kind::Parallel => format!(
                r#"
steps:
  - parallel:
{}      - {{ id: get, atom: exec_http, input: {{ url: "{base}/side/{{{{ params.n }}}}" }} }}
      - {{ id: uuid, atom: generate_uuid }}
  - {{ id: end, set: {{ path: "{{{{ steps.get.output.json.path }}}}" }} }}
output: {{ path: "{{{{ steps.end.output.path }}}}" }}
"#,
                indent(&insert("side", "0", ""))
            ),
            Kind::Broken => format!(
                "steps:\n{}  - {{ id: bad, atom: db_query, input: {{ query: \"select * from nowhere\" }} }}\n{}",
                insert("before", "0", ""),
                insert("behind", "0", "")
            ),
            Kind::Continues => format!(
                "steps:\n  - {{ id: bad, atom: db_query, on_error: continue, input: {{ query: \"select * from nowhere\" }} }}\n{}output: {{ was: \"{{{{ steps.bad.status }}}}\" }}\n",
                insert("behind", "0", "")
            ),
            Kind::Counter => r#"
steps:
  - { id: up, atom: db_update, timeout: 60s, input: { query: "update counter set n = n + 1" } }
output: { changed: "{{ steps.up.output.rows_affected }}" }
"#
            .to_owned(),
            Kind::Message => r#"
steps:
  - { id: tell, atom: notify_mq, input: { queue: orders, message: { n: "{{ params.n }}" } } }
output: { queue: "{{ steps.tell.output.queue }}" }
"#
            .to_owned(),
            Kind::Script => r#"
steps:
  - { id: more, atom: compute_script, input: { script: "return n + 1", variables: { n: "{{ params.n }}" } } }
output: { more: "{{ steps.more.output.result }}" }
"#
            .to_owned(),
        }
    }

    /// The rows that this execution must have inserted, each of them once.
    pub(crate) fn rows(&self, id: &str) -> BTreeSet<Row> {
        let row = |step: &str, item: u64| {
            (id.to_owned(), step.to_owned(), i64::try_from(item).expect("small"))
        };
        match self.kind {
            Kind::Rows => BTreeSet::from([row("a", 0), row("b", 0)]),
            Kind::Loop => (0..self.number % 7 + 2).map(|item| row("each", item)).collect(),
            Kind::Parallel => BTreeSet::from([row("side", 0)]),
            Kind::Broken => BTreeSet::from([row("before", 0)]),
            Kind::Continues => BTreeSet::from([row("behind", 0)]),
            Kind::Pure | Kind::Http | Kind::Counter | Kind::Message | Kind::Script => {
                BTreeSet::new()
            }
        }
    }

    /// Whether the execution ended as it does without any crash.
    pub(crate) fn check(&self, id: &str, ended: &Value) {
        let number = self.number;
        let output = match self.kind {
            Kind::Pure => {
                json!({ "twice": 2 * number, "uuid": ended["steps"][0]["output"]["uuid"] })
            }
            Kind::Http => json!({ "sent": { "got": format!("/get/{number}"), "by": id } }),
            Kind::Rows => json!({ "rows": 2 }),
            Kind::Loop => json!({ "items": number % 7 + 2 }),
            Kind::Parallel => json!({ "path": format!("/side/{number}") }),
            Kind::Broken => {
                assert_eq!(ended["status"], "failed", "{ended:#}");
                assert_eq!(ended["failed_step"], "bad", "{ended:#}");
                return;
            }
            Kind::Continues => json!({ "was": "failed" }),
            Kind::Counter => json!({ "changed": 1 }),
            Kind::Message => json!({ "queue": "orders" }),
            Kind::Script => json!({ "more": number + 1 }),
        };
        assert_eq!(ended["status"], "completed", "{ended:#}");
        assert_eq!(ended["output"], output, "{ended:#}");
    }
}

fn insert(id: &str, item: &str, more: &str) -> String {
    format!(
        r#"  - id: {id}
    {more}atom: db_insert
    timeout: 60s
    input: {{ table: mark, row: {{ execution: "{{{{ execution.id }}}}", step: {id}, item: "{item}" }} }}
"#
    )
    .replace("\"0\"", "0")
}

fn indent(text: &str) -> String {
    text.lines().flat_map(|line| ["    ", line, "\n"]).collect()
}
