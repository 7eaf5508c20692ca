//! Log lines on stderr in the JSON form of HashiCorp's hclog, which Terraform puts into its own log.

use std::env;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, registry};

/// Sends all log lines to stderr: those of `targets` from the level that Terraform's variables name, all others from
/// warnings on. `name` is the provider's.
pub(crate) fn install(name: &str, targets: &[&str]) {
    let level = level(name, |variable| env::var(variable).ok());
    let others = level.min(LevelFilter::WARN);
    let own = targets.iter().chain(&["tf_provider"]).map(|target| ((*target).to_owned(), level));
    let filter = Targets::new().with_default(others).with_targets(own);
    // Who has installed a subscriber before (a test) keeps it.
    let _ = registry().with(Hclog.with_filter(filter)).try_init();
}

/// The level that is asked for: by the provider's own variable, by that of all providers, or by that of everything.
fn level(name: &str, variable: impl Fn(&str) -> Option<String>) -> LevelFilter {
    let own = format!("TF_LOG_PROVIDER_{}", name.to_uppercase().replace('-', "_"));
    let asked =
        [own.as_str(), "TF_LOG_PROVIDER", "TF_LOG"].into_iter().find_map(|name| variable(name).filter(|level| !level.is_empty()));
    match asked.map(|level| level.to_uppercase()).as_deref() {
        Some("DEBUG") => LevelFilter::DEBUG,
        Some("INFO") => LevelFilter::INFO,
        Some("ERROR") => LevelFilter::ERROR,
        Some("OFF") => LevelFilter::OFF,
        Some("WARN") | None => LevelFilter::WARN,
        // TRACE; JSON, which means all levels in JSON; and any word that Terraform does not know.
        Some(_) => LevelFilter::TRACE,
    }
}

struct Hclog;

/// The fields of a span, kept with it.
struct SpanFields(Map<String, Value>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Hclog {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(SpanFields(fields.0));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(SpanFields(known)) = span.extensions_mut().get_mut()
        {
            let mut fields = Fields(std::mem::take(known));
            values.record(&mut fields);
            *known = fields.0;
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        for span in context.event_scope(event).into_iter().flatten().collect::<Vec<_>>().into_iter().rev() {
            if let Some(SpanFields(known)) = span.extensions().get() {
                fields.0.extend(known.clone());
            }
        }
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = line(*metadata.level(), metadata.target(), OffsetDateTime::now_utc(), fields.0);
        // Without a reader there is nobody to tell.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }
}

fn line(level: Level, target: &str, at: OffsetDateTime, mut fields: Map<String, Value>) -> String {
    let message = fields.remove(MESSAGE).unwrap_or_default();
    let mut line = Map::new();
    line.insert("@level".to_owned(), level.to_string().to_lowercase().into());
    line.insert("@message".to_owned(), message);
    line.insert("@module".to_owned(), target.replace("::", ".").into());
    line.insert("@timestamp".to_owned(), timestamp(at).into());
    line.extend(fields.into_iter().filter(|(name, _)| !name.starts_with('@')));
    format!("{}\n", Value::Object(line))
}

/// hclog reads exactly six digits after the point.
fn timestamp(at: OffsetDateTime) -> String {
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

const MESSAGE: &str = "message";

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // Writing to a string cannot fail; a value that refuses to be shown is left out.
        if write!(text, "{value:?}").is_ok() {
            self.0.insert(field.name().to_owned(), text.into());
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_variable_decides_the_level() {
        let level = |variables: &[(&str, &str)]| {
            level("example", |name| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(level(&[]), LevelFilter::WARN);
        assert_eq!(level(&[("TF_LOG", "debug")]), LevelFilter::DEBUG);
        assert_eq!(level(&[("TF_LOG", "TRACE"), ("TF_LOG_PROVIDER", "ERROR")]), LevelFilter::ERROR);
        assert_eq!(level(&[("TF_LOG_PROVIDER", "ERROR"), ("TF_LOG_PROVIDER_EXAMPLE", "INFO")]), LevelFilter::INFO);
        assert_eq!(level(&[("TF_LOG", "JSON")]), LevelFilter::TRACE);
    }

    #[test]
    fn a_line_is_one_that_hclog_reads() {
        let at = OffsetDateTime::from_unix_timestamp_nanos(1_700_000_000_000_012_345).unwrap();
        let fields = [("message", "made"), ("node", "a\nb"), ("@level", "forged")];
        let fields = fields.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect();
        assert_eq!(
            line(Level::INFO, "example::cloud", at, fields),
            "{\"@level\":\"info\",\"@message\":\"made\",\"@module\":\"example.cloud\",\
             \"@timestamp\":\"2023-11-14T22:13:20.000012Z\",\"node\":\"a\\nb\"}\n"
        );
    }
}
