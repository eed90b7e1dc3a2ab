//! From a tree to an intent.

use super::fields::{Field, Fields};
use super::keys::{BACKOFF, INTENT, LANGUAGES};
use super::report::Reporter;
use super::steps::Steps;
use super::{Defaults, FileGrants, Grants, Intent, Limits, Located, Retry, ScriptGrants};
use crate::source::{self, Data, Key, Node, Problem, Span};
use serde_json::{Map, Value};

/// Reads an intent; all problems at once, in the order of the text. Warnings come along with a
/// good intent.
///
/// Only the shape is checked here: whether atoms and steps that are named exist, and what
/// expressions say, is the planner's matter.
pub fn decode(node: &Node) -> Result<(Intent, Vec<Problem>), Vec<Problem>> {
    good(decode_with(node, Reporter::new(None)))
}

/// Reads an intent from its text: [`source::read`] and [`decode`] in one, so that the problems of
/// both are reported together, and with line numbers where a problem concerns two places.
pub fn read(text: &str) -> Result<(Intent, Vec<Problem>), Vec<Problem>> {
    good(read_partly(text))
}

/// As [`read`], but what could be read of an intent that has problems comes along, so that the
/// planner can look for more.
pub fn read_partly(text: &str) -> (Option<Intent>, Vec<Problem>) {
    let (node, mut problems) = source::read(text);
    let Some(node) = node else { return (None, problems) };
    let (intent, more) = decode_with(&node, Reporter::new(Some(text)));
    problems.extend(more);
    problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
    (intent, problems)
}

fn good(
    (intent, problems): (Option<Intent>, Vec<Problem>),
) -> Result<(Intent, Vec<Problem>), Vec<Problem>> {
    match intent {
        Some(intent) if problems.iter().all(|problem| problem.warning) => Ok((intent, problems)),
        Some(_) | None => Err(problems),
    }
}

fn decode_with(node: &Node, mut reporter: Reporter<'_>) -> (Option<Intent>, Vec<Problem>) {
    let intent = match &node.data {
        Data::Map(entries) if wrapped(entries, &mut reporter) => None,
        Data::Map(_) => {
            let fields = Fields::open(&INTENT, node, "", &mut reporter);
            fields.and_then(|fields| intent(&fields, &mut reporter))
        }
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::List(_) => {
            no_map(node, &mut reporter);
            None
        }
    };
    (intent, reporter.into_problems())
}

fn no_map(node: &Node, reporter: &mut Reporter<'_>) {
    let span = Span { end: node.span.end.min(node.span.start + 1), ..node.span };
    let (code, message) = match &node.data {
        Data::Null => ("empty", "the config is empty".to_owned()),
        Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
            ("wrong_type", format!("an intent is a map of keys, here is {}", node.kind()))
        }
    };
    reporter.error(
        code,
        "",
        span,
        message,
        "begin with `intent: some-name`, then `steps:` and a list",
    );
}

/// The body of a request instead of the config in it is an easy slip.
fn wrapped(entries: &[(Key, Node)], reporter: &mut Reporter<'_>) -> bool {
    let wrapper = entries.iter().find(|(key, _)| key.text == "jalm_config");
    if let Some((key, _)) = wrapper {
        reporter.error(
            "misplaced_key",
            "jalm_config",
            key.span,
            "this is the body of a request, not a config",
            "keep only what stands in `jalm_config`, or send the whole to `POST /exec`",
        );
    }
    wrapper.is_some()
}

/// None when something that an intent cannot be without is missing or wrong; that is reported.
fn intent(fields: &Fields<'_>, reporter: &mut Reporter<'_>) -> Option<Intent> {
    // A name that is missing or wrong is reported; with one to stand in, the planner can look on.
    let name = fields.get("intent").and_then(|field| field.text(reporter));
    let name = name.unwrap_or_else(|| Located { span: Span::default(), value: "unnamed".into() });
    let version = text(fields, "version", reporter);
    let description = text(fields, "description", reporter);
    let input = fields.get("input").and_then(|field| {
        field.map(reporter)?;
        Some(field.node.clone())
    });
    let context = fields.get("context").and_then(|field| context(&field, reporter));
    let grants = fields.get("grants").and_then(|field| grants(&field, reporter));
    let defaults = fields.get("defaults").and_then(|field| defaults(&field, reporter));
    let limits = fields.get("limits").and_then(|field| {
        let fields = field.table(reporter)?;
        let timeout = fields.get("timeout").and_then(|field| field.duration(reporter));
        Some(Limits { timeout })
    });
    if let Some(field) = fields.get("meta") {
        field.table(reporter);
    }
    let output = fields.get("output").map(|field| {
        typed_text(&field, reporter);
        field.node.clone()
    });
    let steps = fields.get("steps").map(|field| Steps::new(reporter).all(&field));
    Some(Intent {
        name,
        version,
        description,
        input,
        context: context.unwrap_or_default(),
        grants,
        defaults: defaults.unwrap_or_default(),
        limits: limits.unwrap_or_default(),
        steps: steps?,
        output,
    })
}

fn text(fields: &Fields<'_>, name: &str, reporter: &mut Reporter<'_>) -> Option<String> {
    fields.get(name)?.text(reporter).map(|text| text.value)
}

fn context(field: &Field<'_>, reporter: &mut Reporter<'_>) -> Option<Map<String, Value>> {
    let entries = field.map(reporter)?;
    Some(entries.iter().map(|(key, value)| (key.text.clone(), value.to_value())).collect())
}

/// The older form `output: {type: text, value: …}`, which means the text alone.
fn typed_text(field: &Field<'_>, reporter: &mut Reporter<'_>) {
    let Data::Map(entries) = &field.node.data else { return };
    let is_text = field.node.get("type").is_some_and(|kind| kind.data == Data::Text("text".into()));
    if is_text && entries.len() == 2 && field.node.get("value").is_some() {
        reporter.error(
            "not_supported_yet",
            &field.path,
            entries[0].0.span,
            "the form `output: { type: text, value: … }` is not supported yet",
            "write the text itself: `output: \"…\"`",
        );
    }
}

fn grants(field: &Field<'_>, reporter: &mut Reporter<'_>) -> Option<Grants> {
    let fields = field.table(reporter)?;
    let file = fields.get("file").and_then(|field| {
        let fields = field.table(reporter)?;
        Some(FileGrants {
            read: texts(&fields, "read", reporter),
            write: texts(&fields, "write", reporter),
        })
    });
    let http = texts(&fields, "http", reporter);
    let script = fields.get("script").and_then(|field| script(&field, http.is_empty(), reporter));
    Some(Grants {
        http,
        db: texts(&fields, "db", reporter),
        file: file.unwrap_or_default(),
        notify: texts(&fields, "notify", reporter),
        script: script.unwrap_or_default(),
    })
}

/// `grants.script`; `nowhere` says that no address is granted.
fn script(field: &Field<'_>, nowhere: bool, reporter: &mut Reporter<'_>) -> Option<ScriptGrants> {
    let fields = field.table(reporter)?;
    let network = fields.get("network").and_then(|field| {
        let network = field.flag(reporter)?;
        if network && nowhere {
            field.wrong_value(
                reporter,
                "`network` opens the addresses of `grants.http`, and there are none".to_owned(),
                "list them beside it: `http: [\"https://api.example.com\"]`; or leave `network` out"
                    .to_owned(),
            );
        }
        Some(network)
    });
    let languages = fields.get("languages").and_then(|field| field.words(LANGUAGES, reporter));
    Some(ScriptGrants { languages, network: network.unwrap_or(false) })
}

fn texts(fields: &Fields<'_>, name: &str, reporter: &mut Reporter<'_>) -> Vec<String> {
    let texts = fields.get(name).and_then(|field| field.texts(reporter)).unwrap_or_default();
    texts.into_iter().map(|Located { value, .. }| value).collect()
}

fn defaults(field: &Field<'_>, reporter: &mut Reporter<'_>) -> Option<Defaults> {
    let fields = field.table(reporter)?;
    let timeout = fields.get("timeout").and_then(|field| field.duration(reporter));
    let retry = fields.get("retry").and_then(|field| retry(&field, reporter));
    Some(Defaults { timeout, retry })
}

/// `retry: 3`, or all of it as a map.
pub(super) fn retry(field: &Field<'_>, reporter: &mut Reporter<'_>) -> Option<Retry> {
    if matches!(field.node.data, Data::Number(_)) {
        let attempts = super::keys::RETRY.key("attempts")?;
        let short = Field {
            name: field.name,
            definition: attempts,
            node: field.node,
            path: field.path.clone(),
        };
        return Some(Retry { attempts: short.whole(reporter)?, ..Retry::default() });
    }
    let fields = field.table(reporter)?;
    let normal = Retry::default();
    let delay =
        fields.get("delay").and_then(|field| field.duration(reporter)).unwrap_or(normal.delay);
    let max_delay = fields.get("max_delay").and_then(|field| field.duration(reporter));
    if let (Some(max), Some(field)) =
        (max_delay.filter(|max| *max < delay), fields.get("max_delay"))
    {
        let message = format!("`max_delay` is {max}, shorter than `delay`, which is {delay}");
        let hint =
            "`delay` is the first pause and `max_delay` the longest: make it at least as long";
        reporter.error("wrong_value", &field.path, field.node.span, message, hint);
    }
    Some(Retry {
        attempts: fields
            .get("attempts")
            .and_then(|field| field.whole(reporter))
            .unwrap_or(normal.attempts),
        backoff: fields
            .get("backoff")
            .and_then(|field| field.choice(&BACKOFF, reporter))
            .unwrap_or(normal.backoff),
        delay,
        max_delay: max_delay.unwrap_or(normal.max_delay.max(delay)),
        jitter: fields
            .get("jitter")
            .and_then(|field| field.flag(reporter))
            .unwrap_or(normal.jitter),
        on: texts(&fields, "on", reporter),
        unless: texts(&fields, "unless", reporter),
    })
}
