//! Asks objects the rules of their CustomResourceDefinition.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use cel::common::ast::Expr;
use cel::{Context, Program, Value};
use serde_json::Value as Json;

use super::bind::bind;
use super::cost::{self, Size};
use super::engine::{Engine, Outcome, STACK, ask, each_part};
use super::schema::{List, Rule, Schema};
use crate::place::Step;

/// What the rules say of an object.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Where a rule does not hold, and what it says.
    pub(crate) broken: Vec<(Vec<Step>, String)>,
    /// Rules that were met and are beyond the engine.
    pub(crate) unknown: BTreeSet<String>,
}

impl Judged {
    /// Where nothing could be asked: no rule was evaluated, and none holds.
    fn unasked(schema: &Schema) -> Self {
        let mut judged = Judged::default();
        schema.each_rule(&mut |rule| _ = judged.unknown.insert(rule.text.trim().to_owned()));
        judged
    }
}

/// Threads take much address space for their stacks.
const THREADS: usize = 4;

/// Asks each object, with its defaults filled in, the rules of its schema. Answers come in order.
pub(crate) fn judge(asked: &[(&Schema, &Json)]) -> Vec<Judged> {
    // Objects of one schema are asked together, so that a rule is read once.
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, (schema, _)) in asked.iter().enumerate() {
        if schema.ruled {
            groups.entry(std::ptr::from_ref(*schema).addr()).or_default().push(position);
        }
    }
    let groups: Vec<Vec<usize>> = groups.into_values().collect();
    let threads = std::thread::available_parallelism().map_or(2, usize::from).min(groups.len()).min(THREADS);
    let (next, left) = (AtomicUsize::new(0), AtomicU64::new(cost::MOST_OF_ALL));
    let mut answers: Vec<Option<Judged>> = asked.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        let job = || {
            let engine = Engine::new();
            let mut judged = Vec::new();
            // The threads that did start share the work.
            while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(engine) = &engine else { continue };
                let mut judge = Judge::new(engine, &left);
                for &position in group {
                    if let Some((schema, object)) = asked.get(position) {
                        judged.push((position, judge.object(schema, object)));
                    }
                }
            }
            judged
        };
        let start = |_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, job);
        let running: Vec<_> = (0..threads).map(start).collect();
        for thread in running {
            for (position, one) in thread.ok().and_then(|thread| thread.join().ok()).unwrap_or_default() {
                if let Some(place) = answers.get_mut(position) {
                    *place = Some(one);
                }
            }
        }
    });
    // A thread that did not start, or ended early, has no answers.
    let answered = answers.into_iter().zip(asked);
    answered.map(|(answer, (schema, _))| answer.unwrap_or_else(|| Judged::unasked(schema))).collect()
}

struct Judge<'s> {
    engine: &'s Engine,
    /// The steps that all rules of this run still have.
    left: &'s AtomicU64,
    read: HashMap<usize, Option<Rc<Program>>>,
    texts: HashMap<&'s str, Option<Rc<Program>>>,
    judged: Judged,
}

impl<'s> Judge<'s> {
    fn new(engine: &'s Engine, left: &'s AtomicU64) -> Self {
        Judge { engine, left, read: HashMap::new(), texts: HashMap::new(), judged: Judged::default() }
    }

    fn object(&mut self, schema: &'s Schema, object: &Json) -> Judged {
        self.node(schema, object, &mut Vec::new());
        std::mem::take(&mut self.judged)
    }

    fn node(&mut self, schema: &'s Schema, value: &Json, path: &mut Vec<Step>) {
        if value.is_null() || !schema.ruled || !schema.is_seen() {
            return;
        }
        if !schema.rules.is_empty() {
            self.rules(schema, value, path);
        }
        match value {
            Json::Object(map) => {
                for (name, value) in map {
                    if let Some(below) = schema.field(name) {
                        path.push(Step::Key(name.clone()));
                        self.node(below, value, path);
                        path.pop();
                    }
                }
            }
            Json::Array(items) => {
                let Some(below) = schema.items.as_deref() else { return };
                for (position, item) in items.iter().enumerate() {
                    path.push(Step::Item(position));
                    self.node(below, item, path);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn rules(&mut self, schema: &'s Schema, value: &Json, path: &[Step]) {
        let mut context = self.engine.context();
        let bound = bind(self.engine, schema, value, path.is_empty() || schema.embedded);
        let is_bound = bound.is_ok();
        if let Ok(value) = bound {
            context.add_variable_from_value("self", value);
        }
        if let Some(none) = self.engine.none() {
            context.add_variable_from_value("oldSelf", none);
        }
        let size = Size::of(value);
        for rule in &schema.rules {
            let program = self.program(schema, rule);
            let before = program.as_ref().is_some_and(|program| program.references().has_variable("oldSelf"));
            let outcome = match program {
                // It speaks of a change, and nothing was there before.
                Some(_) if before && !rule.optional_old_self => Outcome::Holds,
                Some(program) if is_bound && self.affords(&program, size) => ask(&program, &context),
                _ => Outcome::Unknown,
            };
            let says = match outcome {
                Outcome::Holds => continue,
                Outcome::Unknown => {
                    self.judged.unknown.insert(rule.text.trim().to_owned());
                    continue;
                }
                Outcome::Broken => self.says(rule, &context, size),
                Outcome::Failed(why) => format!("{why} evaluating rule: {}", rule.says()),
            };
            let mut place = path.to_vec();
            place.extend(rule.field.iter().map(|part| part.parse().map_or_else(|_| Step::Key(part.clone()), Step::Item)));
            self.judged.broken.push((place, says));
        }
    }

    /// Whether there is time to ask it: what it takes at most is taken from what is left.
    fn affords(&self, program: &Program, size: Size) -> bool {
        let steps = cost::bound(program.expression(), size);
        let take = |left: u64| left.checked_sub(steps);
        steps <= cost::MOST && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// The rule's own words, computed where they are; those that cannot be are the fixed ones.
    fn says(&self, rule: &Rule, context: &Context<'_, '_>, size: Size) -> String {
        let computed = rule.message_expression.as_deref().and_then(|text| self.engine.read(text));
        let computed = computed.filter(|program| self.affords(program, size));
        match computed.and_then(|program| program.execute(context).ok()) {
            Some(Value::String(says)) if !says.trim().is_empty() && !says.contains('\n') => says.trim().to_owned(),
            _ => rule.says(),
        }
    }

    fn program(&mut self, schema: &'s Schema, rule: &'s Rule) -> Option<Rc<Program>> {
        let key = std::ptr::from_ref(rule).addr();
        if let Some(known) = self.read.get(&key) {
            return known.clone();
        }
        let engine = self.engine;
        let program = self.texts.entry(&rule.text).or_insert_with(|| engine.read(&rule.text).map(Rc::new)).clone();
        let program = program.filter(|program| !compares_sets(program, schema));
        self.read.insert(key, program.clone());
        program
    }
}

/// Whether lists whose order does not count may be compared, alone or within something: here, order counts in all lists.
fn compares_sets(program: &Program, schema: &Schema) -> bool {
    let mut names = BTreeSet::new();
    if !sets(schema, &mut names) {
        return false;
    }
    let suspicious = |side: &Expr| match side {
        Expr::Select(select) => !select.test && names.contains(select.field.as_str()),
        Expr::Ident(_) => true,
        _ => false,
    };
    let mut found = false;
    each_part(program.expression(), &mut |part| {
        if let Expr::Call(call) = part
            && matches!(call.func_name.as_str(), "_==_" | "_!=_")
        {
            let literal = call.args.iter().any(|side| matches!(side.expr, Expr::Literal(_)));
            found |= !literal && call.args.iter().any(|side| suspicious(&side.expr));
        }
    });
    found
}

/// Whether a value has such a list in it, and the names of the fields that do.
fn sets<'s>(schema: &'s Schema, names: &mut BTreeSet<&'s str>) -> bool {
    let mut found = schema.list != List::Atomic;
    for (name, property) in &schema.properties {
        if sets(property, names) {
            names.insert(name);
            found = true;
        }
    }
    for below in [&schema.items, &schema.values].into_iter().flatten() {
        found |= sets(below, names);
    }
    found
}
