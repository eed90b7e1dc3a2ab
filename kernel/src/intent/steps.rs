//! The steps of an intent.

use super::decode::retry;
use super::fields::{Field, Fields, join};
use super::keys::{ON_ERROR, ON_ITEM_ERROR, Rule, STEP};
use super::report::Reporter;
use super::{Body, Foreach, Located, OnError, OnItemError, Step};
use crate::source::{Data, Node, Span, shown};
use std::collections::BTreeMap;

/// An intent has no more steps, those in groups counted.
pub const MAX_STEPS: u32 = 10_000;
/// Groups are not nested deeper.
pub const MAX_NESTING: u32 = 32;

/// Reads all steps of one intent, and remembers what must be unique among them.
pub(super) struct Steps<'r, 'a> {
    reporter: &'r mut Reporter<'a>,
    /// Steps so far, in the order of the text, a container before what it holds.
    count: u32,
    /// Containers around the step that is being read.
    depth: u32,
    ids: BTreeMap<String, Named>,
}

/// A step that has an id.
struct Named {
    span: Span,
    path: String,
    /// The author gave none, so it is called by its place.
    by_place: bool,
}

impl<'r, 'a> Steps<'r, 'a> {
    pub(super) fn new(reporter: &'r mut Reporter<'a>) -> Self {
        Self { reporter, count: 0, depth: 0, ids: BTreeMap::new() }
    }

    /// The steps that are the value of `field`; those that are wrong are reported and left out.
    pub(super) fn all(&mut self, field: &Field<'_>) -> Vec<Step> {
        let Data::List(items) = &field.node.data else {
            field.wrong_kind(self.reporter);
            return Vec::new();
        };
        if items.is_empty() {
            let name = field.name;
            let message = format!("`{name}` holds no step");
            let hint = format!("add one below `{name}:`, like `- atom: get_timestamp`");
            self.reporter.error("wrong_value", &field.path, field.node.span, message, hint);
        }
        let mut steps = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.count += 1;
            let path = format!("{}[{index}]", field.path);
            if self.count > MAX_STEPS {
                if self.count == MAX_STEPS + 1 {
                    self.too_many(item, &path);
                }
                break;
            }
            steps.extend(self.step(item, &path));
        }
        steps
    }

    fn too_many(&mut self, item: &Node, path: &str) {
        let message = format!("the intent has more than {MAX_STEPS} steps");
        let hint = "use `foreach` over a list, or split it into several intents";
        self.reporter.error("too_many_steps", path, first_character(item.span), message, hint);
    }

    fn step(&mut self, node: &Node, path: &str) -> Option<Step> {
        let place = self.count;
        let Some(fields) = Fields::open(&STEP, node, path, self.reporter) else {
            self.no_map(node, path);
            return None;
        };
        let id = self.id(&fields, node, path, place);
        let name = fields.get("name").and_then(|field| field.text(self.reporter));
        let needs = fields.get("needs").and_then(|field| field.texts(self.reporter));
        let when = fields.get("when").and_then(|field| self.when(&field));
        let timeout = fields.get("timeout").and_then(|field| {
            let value = field.duration(self.reporter)?;
            Some(Located { span: field.node.span, value })
        });
        let retry = fields.get("retry").and_then(|field| retry(&field, self.reporter));
        let on_error = fields.get("on_error").and_then(|field| self.on_error(&field));
        let foreach = fields.get("foreach").and_then(|field| self.foreach(&field, &fields));
        let body = self.body(&fields, node, path);
        Some(Step {
            id,
            name: name.map(|name| name.value),
            needs,
            when,
            timeout,
            retry,
            on_error: on_error.unwrap_or(OnError::Fail),
            output: fields.get("output").map(|field| field.node.clone()),
            foreach,
            body: body?,
            span: node.span,
        })
    }

    fn no_map(&mut self, node: &Node, path: &str) {
        let hint = match &node.data {
            Data::Text(text) if Rule::Step.fits(text) => format!("write `- atom: {text}`"),
            Data::List(_) => "begin each step with one `- ` only".to_owned(),
            Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_) => {
                "write a map of keys, like `- atom: get_timestamp`".to_owned()
            }
        };
        let message = format!("a step must be a map of keys, here is {}", node.kind());
        self.reporter.error("wrong_type", path, node.span, message, hint);
    }

    /// The step's id, or the one it gets by its place; unique, or reported.
    fn id(&mut self, fields: &Fields<'_>, node: &Node, path: &str, place: u32) -> Located<String> {
        let written = fields.get("id");
        let good = written.as_ref().and_then(|field| field.text(self.reporter));
        let by_place = good.is_none();
        let id = good.unwrap_or_else(|| Located {
            span: first_character(node.span),
            value: format!("step{place}"),
        });
        if by_place && written.is_some() {
            // It has an id, only not a good one: that is reported, and its place names nothing.
            return id;
        }
        let path = join(path, "id");
        if let Some(other) = self.ids.get(&id.value) {
            let place = self.reporter.place(other.span, &other.path);
            let (message, hint) = repeated(&id, other, by_place, &place);
            self.reporter.error("repeated_id", &path, id.span, message, hint);
        } else {
            self.ids.insert(id.value.clone(), Named { span: id.span, path, by_place });
        }
        id
    }

    fn when(&mut self, field: &Field<'_>) -> Option<Node> {
        match &field.node.data {
            Data::Text(_) | Data::Bool(_) => Some(field.node.clone()),
            Data::Null | Data::Number(_) | Data::List(_) | Data::Map(_) => {
                field.wrong_kind(self.reporter);
                None
            }
        }
    }

    fn on_error(&mut self, field: &Field<'_>) -> Option<OnError> {
        if let Data::List(_) = field.node.data {
            self.reporter.error(
                "not_supported_yet",
                &field.path,
                first_character(field.node.span),
                "steps under `on_error` are not supported yet",
                "write `on_error: continue` and put them behind this step, with `when` on its `status`",
            );
            return None;
        }
        field.choice(&ON_ERROR, self.reporter)
    }

    fn foreach(&mut self, field: &Field<'_>, fields: &Fields<'_>) -> Option<Foreach> {
        let as_name = fields.get("as").and_then(|field| field.text(self.reporter));
        let concurrency = fields.get("concurrency").and_then(|field| field.whole(self.reporter));
        let on_item_error = fields
            .get("on_item_error")
            .and_then(|field| field.choice(&ON_ITEM_ERROR, self.reporter));
        if !matches!(field.node.data, Data::Text(_) | Data::List(_)) {
            field.wrong_kind(self.reporter);
            return None;
        }
        Some(Foreach {
            list: field.node.clone(),
            as_name,
            concurrency: concurrency.unwrap_or(1),
            on_item_error: on_item_error.unwrap_or(OnItemError::Fail),
        })
    }

    fn body(&mut self, fields: &Fields<'_>, node: &Node, path: &str) -> Option<Body> {
        let groups = fields.groups();
        // Every body is read even if there are too many: the steps inside may have problems too.
        let set = fields.get("set").and_then(|field| self.set(&field));
        let group = fields.get("steps").map(|field| self.nested(&field));
        let parallel = fields.get("parallel").map(|field| self.nested(&field));
        let atom =
            if fields.has("atom") || fields.has("layer") { self.atom(fields, node) } else { None };
        match groups[..] {
            [] => {
                if !fields.has_later_form() && !fields.means_a_body() {
                    self.no_body(fields, node, path);
                }
                return None;
            }
            [_] => {}
            [first, second, ..] => {
                self.two_bodies(fields, first, second, path);
                return None;
            }
        }
        let body = atom.or(set.map(Body::Set)).or(group.map(Body::Group));
        body.or(parallel.map(Body::Parallel))
    }

    fn no_body(&mut self, fields: &Fields<'_>, node: &Node, path: &str) {
        let id = fields.key("id").or_else(|| fields.key("name"));
        let span = id.map_or(first_character(node.span), |key| key.span);
        self.reporter.error(
            "missing_body",
            path,
            span,
            "the step does not say what it does",
            "give it one of `atom`, `layer`, `set`, `steps` or `parallel`",
        );
    }

    fn two_bodies(&mut self, fields: &Fields<'_>, first: &str, second: &str, path: &str) {
        let span = fields.key(second).map_or(Span::default(), |key| key.span);
        if second == "set" {
            self.reporter.error(
                "not_supported_yet",
                &join(path, second),
                span,
                format!("`set` beside `{first}` is not supported yet"),
                "put `set` into a step of its own behind this one, and read `steps.ID.output` in it",
            );
        } else {
            self.reporter.error(
                "several_bodies",
                &join(path, second),
                span,
                format!("the step has both `{first}` and `{second}`"),
                "a step does one thing: make two steps of it",
            );
        }
    }

    fn atom(&mut self, fields: &Fields<'_>, node: &Node) -> Option<Body> {
        let layer = fields.get("layer").map(|field| field.layer(self.reporter));
        let atom = fields.get("atom").map(|field| field.text(self.reporter));
        let input = fields.get("input").map(|field| {
            field.map(self.reporter)?;
            Some(field.node.clone())
        });
        let end = Span { start: node.span.end, end: node.span.end };
        Some(Body::Atom {
            layer: layer.map_or(Some(None), |layer| layer.map(Some))?,
            atom: atom.map_or(Some(None), |atom| atom.map(Some))?,
            input: input.unwrap_or(Some(Node { span: end, data: Data::Map(Vec::new()) }))?,
        })
    }

    fn set(&mut self, field: &Field<'_>) -> Option<Vec<(Located<String>, Node)>> {
        let entries = field.map(self.reporter)?;
        if entries.is_empty() {
            let hint = field.definition.shape.example("set");
            let message = "`set` binds no name";
            self.reporter.error("wrong_value", &field.path, field.node.span, message, hint);
        }
        let mut variables = Vec::new();
        for (key, value) in entries {
            if Rule::Variable.fits(&key.text) {
                variables
                    .push((Located { span: key.span, value: key.text.clone() }, value.clone()));
            } else {
                let message = format!("`{}` can not be a name in expressions", shown(&key.text));
                let path = join(&field.path, &key.text);
                self.reporter.error(
                    "wrong_value",
                    &path,
                    key.span,
                    message,
                    Rule::Variable.allowed(),
                );
            }
        }
        Some(variables)
    }

    fn nested(&mut self, field: &Field<'_>) -> Vec<Step> {
        if self.depth == MAX_NESTING {
            let message = format!("steps are nested deeper than {MAX_NESTING} levels");
            let hint = "flatten the groups, or split them into several intents";
            self.reporter.error(
                "too_deep",
                &field.path,
                first_character(field.node.span),
                message,
                hint,
            );
            return Vec::new();
        }
        self.depth += 1;
        let steps = self.all(field);
        self.depth -= 1;
        steps
    }
}

/// What is wrong about two steps with one id, and the way out; `place` is the first one's.
fn repeated(
    id: &Located<String>,
    other: &Named,
    by_place: bool,
    place: &str,
) -> (String, &'static str) {
    let name = &id.value;
    if by_place || other.by_place {
        let unnamed = if by_place { "this step" } else { "the step" };
        let message = if by_place {
            format!("{unnamed} has no `id` and would be called `{name}`, like the one on {place}")
        } else {
            format!("`{name}` is already what {unnamed} without `id` on {place} is called")
        };
        return (message, "give the step without `id` one of its own");
    }
    if other.span == id.span {
        let message = format!("the step `{name}` is repeated by an alias, and so its `id` is");
        return (
            message,
            "repeat only a part of it, such as its `input`, and give each step its own `id`",
        );
    }
    (
        format!("the step id `{name}` is used twice, first on {place}"),
        "give each step an `id` of its own",
    )
}

/// Enough of a large value to point at it.
fn first_character(span: Span) -> Span {
    Span { start: span.start, end: span.end.min(span.start + 1) }
}
