//! Builds a plan from a decoded intent, in two passes: first every step gets its node (so that
//! references can be resolved in any direction), then every expression is compiled.

use super::node::{AtomUse, Block, BlockIx, Condition, Kind, NodeIx, PlanNode};
use super::order::Order;
use super::params::ParamsCheck;
use super::scope::{NodeNames, RESERVED};
use super::{DEFAULT_EXECUTION_TIMEOUT, DEFAULT_STEP_TIMEOUT, Plan, input};
use crate::atom::{AtomSpec, Catalog, Layer};
use crate::expr::{Datum, Expr, Template};
use crate::ids::PlanHash;
use crate::intent::{Body, Foreach, Intent, Located, OnError, Retry, Step};
use crate::source::{Data, Node, Problem, Span, closest};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known while a plan is built.
pub(super) struct Builder<'a> {
    catalog: &'a dyn Catalog,
    defaults: &'a crate::intent::Defaults,
    /// Whether scripts have the network.
    network: bool,
    pub(super) nodes: Vec<PlanNode>,
    pub(super) blocks: Vec<Block>,
    pub(super) orders: BTreeMap<BlockIx, Order>,
    /// Which `set` nodes bind a name, in the author's order.
    pub(super) binders: BTreeMap<Arc<str>, Vec<NodeIx>>,
    by_id: BTreeMap<(Arc<str>, u32), NodeIx>,
    problems: Vec<Problem>,
}

/// What the second pass needs of a node: the author's own trees.
struct Pending<'a> {
    /// The node of the whole step, and of its body; they differ for loops.
    outer: NodeIx,
    inner: NodeIx,
    step: &'a Step,
    path: String,
}

pub(super) fn build(
    source: &str,
    intent: Intent,
    warnings: Vec<Problem>,
    catalog: &dyn Catalog,
) -> Result<Plan, Vec<Problem>> {
    let mut builder = Builder {
        catalog,
        defaults: &intent.defaults,
        network: intent.grants.as_ref().is_some_and(|grants| grants.script.network),
        nodes: Vec::new(),
        blocks: Vec::new(),
        orders: BTreeMap::new(),
        binders: BTreeMap::new(),
        by_id: BTreeMap::new(),
        problems: Vec::new(),
    };
    let mut pending = Vec::new();
    builder.block(&intent.steps, None, 0, false, "steps", &mut pending);
    let compiled: Vec<Compiled> =
        pending.iter().map(|pending| builder.compile_step(pending)).collect();
    for (pending, compiled) in pending.iter().zip(compiled) {
        builder.finish(pending, compiled);
    }
    let output = intent.output.as_ref().map(|node| builder.template(node, None, false, "output"));
    let params = ParamsCheck::new(intent.input.as_ref(), &mut builder.problems);
    let env_names = builder.env_names(output.as_ref(), &pending);
    let Builder { nodes, blocks, by_id, mut problems, .. } = builder;
    if !problems.is_empty() {
        problems.extend(warnings);
        problems.sort_by_key(|problem| problem.span);
        return Err(problems);
    }
    Ok(Plan {
        hash: PlanHash::of(source),
        source: source.into(),
        name: intent.name.value.as_str().into(),
        version: intent.version.as_deref().map(Arc::from),
        warnings,
        env_names,
        grants: intent.grants.map(Arc::new),
        timeout: intent.limits.timeout.unwrap_or(DEFAULT_EXECUTION_TIMEOUT),
        nodes,
        blocks,
        by_id,
        context: Datum::from(Value::Object(intent.context)),
        output,
        params,
    })
}

/// The compiled trees of one step.
struct Compiled {
    when: Option<Condition>,
    kind: CompiledKind,
    list: Option<Template>,
    reshape: Option<Template>,
}

enum CompiledKind {
    Call(Option<AtomUse>, Template),
    Set(Vec<(Arc<str>, Template)>),
    Container,
}

impl<'a> Builder<'a> {
    pub(super) fn node(&self, ix: NodeIx) -> &PlanNode {
        &self.nodes[ix.0 as usize]
    }

    /// The container around a node.
    pub(super) fn parent(&self, ix: NodeIx) -> Option<NodeIx> {
        self.blocks[self.node(ix).block.0 as usize].parent
    }

    /// The node of this id that stands outermost.
    pub(super) fn first_node(&self, id: &str) -> Option<NodeIx> {
        let from = (Arc::from(id), 0);
        let (key, node) = self.by_id.range(from..).next()?;
        (&*key.0 == id).then_some(*node)
    }

    pub(super) fn ids(&self) -> Vec<Arc<str>> {
        let mut ids: Vec<Arc<str>> = self.by_id.keys().map(|(id, _)| id.clone()).collect();
        ids.dedup();
        ids
    }

    /// The author's name for the item of this loop.
    pub(super) fn as_name(&self, ix: NodeIx) -> Option<&str> {
        match &self.node(ix).kind {
            Kind::Loop { as_name, .. } => as_name.as_deref(),
            Kind::Call { .. } | Kind::Set(_) | Kind::Group { .. } => None,
        }
    }

    fn problem(
        &mut self,
        code: &'static str,
        path: &str,
        span: Span,
        message: String,
        hint: String,
    ) {
        self.problems.push(Problem {
            code,
            path: path.to_owned(),
            span,
            message,
            hint: hint.into(),
            warning: false,
        });
    }

    // First pass: nodes, blocks, edges.

    fn block(
        &mut self,
        steps: &'a [Step],
        parent: Option<NodeIx>,
        depth: u32,
        parallel: bool,
        path: &str,
        pending: &mut Vec<Pending<'a>>,
    ) -> BlockIx {
        let block = self.new_block(parent, depth);
        let order = Order::of(steps, parallel, path, &mut self.problems);
        let mut nodes = Vec::with_capacity(steps.len());
        for (slot, step) in steps.iter().enumerate() {
            let path = format!("{path}[{slot}]");
            let needs = &order.needs[slot];
            let outer = self.add_node(step, block, slot, count(needs.len()));
            nodes.push(outer);
            let inner = match &step.foreach {
                None => outer,
                Some(foreach) => self.loop_body(step, foreach, outer, depth, &path),
            };
            let depth = if step.foreach.is_some() { depth + 1 } else { depth };
            match &step.body {
                Body::Group(steps) | Body::Parallel(steps) => {
                    let parallel = matches!(step.body, Body::Parallel(_));
                    let key = if parallel { "parallel" } else { "steps" };
                    let path = format!("{path}.{key}");
                    let body = self.block(steps, Some(inner), depth, parallel, &path, pending);
                    self.nodes[inner.0 as usize].kind = Kind::Group { block: body, parallel };
                }
                Body::Set(entries) => {
                    entries.iter().for_each(|(name, _)| self.bind(name, inner, &path));
                }
                Body::Atom { .. } => {}
            }
            pending.push(Pending { outer, inner, step, path });
        }
        for (slot, needs) in order.needs.iter().enumerate() {
            for earlier in needs {
                self.nodes[nodes[*earlier as usize].0 as usize].successors.push(count(slot));
            }
        }
        self.blocks[block.0 as usize].nodes = nodes;
        self.orders.insert(block, order);
        block
    }

    fn new_block(&mut self, parent: Option<NodeIx>, depth: u32) -> BlockIx {
        self.blocks.push(Block { nodes: Vec::new(), parent, depth });
        BlockIx(count(self.blocks.len() - 1))
    }

    fn add_node(&mut self, step: &Step, block: BlockIx, slot: usize, needs: u32) -> NodeIx {
        let ix = NodeIx(count(self.nodes.len()));
        let id: Arc<str> = step.id.value.as_str().into();
        let depth = self.blocks[block.0 as usize].depth;
        self.by_id.insert((id.clone(), depth), ix);
        let container = matches!(step.body, Body::Group(_) | Body::Parallel(_));
        let timeout = step.timeout.as_ref().map(|timeout| timeout.value);
        self.nodes.push(PlanNode {
            id,
            name: step.name.as_deref().map(Arc::from),
            block,
            slot: count(slot),
            needs,
            successors: Vec::new(),
            when: None,
            kind: Kind::Set(Vec::new()),
            timeout: match timeout.or(self.defaults.timeout.filter(|_| !container)) {
                None if !container => Some(DEFAULT_STEP_TIMEOUT),
                timeout => timeout,
            },
            // A group is repeated only when it says so itself: its steps have their own retries.
            retry: step
                .retry
                .clone()
                .or_else(|| self.defaults.retry.clone().filter(|_| !container))
                .unwrap_or_default(),
            on_error: step.on_error,
            reshape: None,
        });
        ix
    }

    /// Turns `outer` into a loop and gives it a body of one node with the same id.
    fn loop_body(
        &mut self,
        step: &Step,
        foreach: &Foreach,
        outer: NodeIx,
        depth: u32,
        path: &str,
    ) -> NodeIx {
        if let Some(name) = &foreach.as_name {
            self.check_new_name(name, path);
        }
        let body = self.new_block(Some(outer), depth + 1);
        let inner = self.add_node(step, body, 0, 0);
        self.nodes[inner.0 as usize].on_error = OnError::Fail;
        self.blocks[body.0 as usize].nodes.push(inner);
        let node = &mut self.nodes[outer.0 as usize];
        node.timeout = None;
        node.retry = Retry::default();
        node.kind = Kind::Loop {
            list: Template::Literal(Value::Null),
            body,
            concurrency: foreach.concurrency.max(1),
            on_item_error: foreach.on_item_error,
            as_name: foreach.as_name.as_ref().map(|name| name.value.as_str().into()),
        };
        inner
    }

    fn bind(&mut self, name: &Located<String>, node: NodeIx, path: &str) {
        self.check_new_name(name, path);
        self.binders.entry(name.value.as_str().into()).or_default().push(node);
    }

    fn check_new_name(&mut self, name: &Located<String>, path: &str) {
        let text = &name.value;
        let mut bytes = text.bytes();
        let good = bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !good {
            self.problem(
                "bad_name",
                path,
                name.span,
                format!("`{text}` cannot be a name in expressions"),
                "use letters, digits and `_`, not starting with a digit".to_owned(),
            );
        } else if RESERVED.contains(&text.as_str()) {
            self.problem(
                "bad_name",
                path,
                name.span,
                format!("`{text}` has a meaning of its own in expressions"),
                format!("choose another name; taken are {}", RESERVED.join(", ")),
            );
        }
    }

    // Second pass: expressions.

    fn compile_step(&mut self, pending: &Pending<'a>) -> Compiled {
        let Pending { outer, inner, step, path } = pending;
        let when =
            step.when.as_ref().map(|node| self.condition(node, *outer, &format!("{path}.when")));
        let list = step.foreach.as_ref().map(|foreach| {
            self.template(&foreach.list, Some(*outer), false, &format!("{path}.foreach"))
        });
        let kind = match &step.body {
            Body::Atom { layer, atom, input } => {
                self.call(pending, layer.as_ref(), atom.as_ref(), input)
            }
            Body::Set(entries) => CompiledKind::Set(
                entries
                    .iter()
                    .map(|(name, value)| {
                        let path = format!("{path}.set.{}", name.value);
                        (
                            name.value.as_str().into(),
                            self.template(value, Some(*inner), false, &path),
                        )
                    })
                    .collect(),
            ),
            Body::Group(_) | Body::Parallel(_) => CompiledKind::Container,
        };
        let reshape = step
            .output
            .as_ref()
            .map(|node| self.template(node, Some(*inner), true, &format!("{path}.output")));
        Compiled { when, kind, list, reshape }
    }

    fn finish(&mut self, pending: &Pending<'a>, compiled: Compiled) {
        let outer = &mut self.nodes[pending.outer.0 as usize];
        outer.when = compiled.when;
        if let (Kind::Loop { list, .. }, Some(template)) = (&mut outer.kind, compiled.list) {
            *list = template;
        }
        let inner = &mut self.nodes[pending.inner.0 as usize];
        inner.reshape = compiled.reshape;
        match compiled.kind {
            CompiledKind::Call(Some(atom), input) => inner.kind = Kind::Call { atom, input },
            CompiledKind::Set(entries) => inner.kind = Kind::Set(entries),
            // The atom is unknown, which is a problem already; or the container has its block.
            CompiledKind::Call(None, _) | CompiledKind::Container => {}
        }
    }

    fn call(
        &mut self,
        pending: &Pending<'a>,
        layer: Option<&Located<String>>,
        atom: Option<&Located<String>>,
        input: &Node,
    ) -> CompiledKind {
        let catalog = self.catalog;
        let spec = self.atom(layer, atom, &pending.path).and_then(|name| {
            let found = catalog.atom(&name.value);
            if found.is_none() {
                let hint = match closest(&name.value, catalog.names()) {
                    Some(close) => format!("did you mean `{close}`?"),
                    None => "`jalm atoms` lists them".to_owned(),
                };
                self.problem(
                    "unknown_atom",
                    &format!("{}.atom", pending.path),
                    name.span,
                    format!("there is no atom `{}`", name.value),
                    hint,
                );
            }
            found
        });
        let Some(spec) = spec else {
            // Its input is still compiled, so that its other problems are seen at once.
            let input = self.template(
                input,
                Some(pending.inner),
                false,
                &format!("{}.input", pending.path),
            );
            return CompiledKind::Call(None, input);
        };
        self.check_layer(spec, layer, &pending.path);
        let Data::Map(entries) = &input.data else {
            return CompiledKind::Call(None, Template::Literal(Value::Null));
        };
        let mut compiled = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let template = if spec.verbatim.contains(&key.text.as_str()) {
                Template::Literal(value.to_value())
            } else {
                let path = format!("{}.input.{}", pending.path, key.text);
                self.template(value, Some(pending.inner), false, &path)
            };
            compiled.push((key.text.clone(), template));
        }
        input::check(spec, input, &compiled, &pending.path, &mut self.problems);
        let template = if compiled.iter().all(|(_, value)| value.is_literal()) {
            Template::Literal(input.to_value())
        } else {
            Template::Map(compiled)
        };
        CompiledKind::Call(Some(AtomUse::of(spec, self.network)), template)
    }

    /// The atom's name; the layer's default when only the layer is named.
    fn atom(
        &mut self,
        layer: Option<&Located<String>>,
        atom: Option<&Located<String>>,
        path: &str,
    ) -> Option<Located<String>> {
        if let Some(atom) = atom {
            return Some(atom.clone());
        }
        let layer = layer?;
        match Layer::from_name(&layer.value) {
            Some(known) => {
                Some(Located { span: layer.span, value: known.default_atom().to_owned() })
            }
            None => {
                let names = Layer::ALL.map(Layer::name);
                let hint = closest(&layer.value, names).map_or_else(
                    || format!("layers are {}", names.join(", ")),
                    |close| format!("did you mean `{close}`?"),
                );
                self.problem(
                    "unknown_layer",
                    &format!("{path}.layer"),
                    layer.span,
                    format!("there is no layer `{}`", layer.value),
                    hint,
                );
                None
            }
        }
    }

    fn check_layer(&mut self, spec: &AtomSpec, layer: Option<&Located<String>>, path: &str) {
        let Some(layer) = layer else { return };
        match Layer::from_name(&layer.value) {
            Some(known) if known != spec.layer => {
                self.problem(
                    "wrong_layer",
                    &format!("{path}.layer"),
                    layer.span,
                    format!("{} belongs to layer `{}`, not `{known}`", spec.name, spec.layer),
                    format!("write `layer: {}`, or leave `layer` out", spec.layer),
                );
            }
            Some(_) | None => {}
        }
    }

    fn condition(&mut self, node: &Node, at: NodeIx, path: &str) -> Condition {
        match &node.data {
            Data::Bool(flag) => Condition::Fixed(*flag),
            // `when` is an expression in any case, so the braces may be left out.
            Data::Text(text) if !text.contains("{{") => {
                let compiled = Expr::compile(
                    text,
                    &NodeNames { builder: self, node: Some(at), response: false },
                );
                match compiled {
                    Ok(expr) => Condition::Expr(expr),
                    Err(errors) => {
                        for error in errors {
                            self.problem(error.code, path, node.span, error.message, error.hint);
                        }
                        Condition::Fixed(false)
                    }
                }
            }
            Data::Null | Data::Number(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => {
                match self.template(node, Some(at), false, path) {
                    Template::Expr(expr) => Condition::Expr(expr),
                    Template::Literal(Value::Null) => Condition::Fixed(false),
                    Template::Literal(_)
                    | Template::Text(_)
                    | Template::List(_)
                    | Template::Map(_) => {
                        self.problem("wrong_type", path, node.span, "`when` is not one expression".to_owned(),
                        "write one comparison: `when: \"{{ steps.a.output.n > 0 and params.send }}\"`".to_owned());
                        Condition::Fixed(false)
                    }
                }
            }
        }
    }

    fn template(
        &mut self,
        node: &Node,
        at: Option<NodeIx>,
        response: bool,
        path: &str,
    ) -> Template {
        let mut found = Vec::new();
        let template = {
            let names = NodeNames { builder: self, node: at, response };
            Template::compile(node, &names, &mut |span, error| found.push((span, error)))
        };
        for (span, error) in found {
            self.problem(error.code, path, span, error.message, error.hint);
        }
        template
    }

    fn env_names(&self, output: Option<&Template>, pending: &[Pending<'_>]) -> Vec<(String, Span)> {
        let mut names: BTreeMap<String, Span> = BTreeMap::new();
        let mut add = |expr: &Expr, span: Span| {
            for name in expr.env_names() {
                names.entry(name).or_insert(span);
            }
        };
        if let Some(output) = output {
            output.visit(&mut |expr| add(expr, Span::default()));
        }
        for Pending { outer, inner, step, .. } in pending {
            for ix in [*outer, *inner] {
                self.node(ix).visit(&mut |expr| add(expr, step.id.span));
            }
        }
        names.into_iter().collect()
    }
}

impl PlanNode {
    /// Visits every expression of the node.
    fn visit(&self, visit: &mut dyn FnMut(&Expr)) {
        if let Some(Condition::Expr(expr)) = &self.when {
            visit(expr);
        }
        match &self.kind {
            Kind::Call { input, .. } => input.visit(visit),
            Kind::Set(entries) => entries.iter().for_each(|(_, value)| value.visit(visit)),
            Kind::Loop { list, .. } => list.visit(visit),
            Kind::Group { .. } => {}
        }
        if let Some(reshape) = &self.reshape {
            reshape.visit(visit);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "an intent has at most 10,000 steps")]
fn count(number: usize) -> u32 {
    number as u32
}
