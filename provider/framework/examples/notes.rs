//! A small provider, whole: notes that are kept as files in a folder. Its tests drive it as Terraform does.
//!
//! What a note's `text` begins with makes it misbehave, so that the tests can see what becomes of that: `panic`, `hang`,
//! `refuse`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tf_provider::{
    ApplyContext, ConfigureContext, DataSource, DefaultTimeouts, Diagnostic, Diagnostics, ErasedDataSource, ErasedResource,
    Group, Model, Object, PlanContext, Provider, ReadContext, Resource, Set, Timeouts, Value, path,
};

/// Keeps notes in a folder.
#[derive(Model, Clone, Debug, PartialEq)]
struct Config {
    /// The folder, which must exist.
    #[attr(required)]
    folder: Value<String>,
}

/// A note, kept as a file.
#[derive(Model, Clone, Debug, PartialEq)]
struct Note {
    /// The file's name.
    #[attr(required, requires_replace, validate = plain_name)]
    name: Value<String>,
    /// What is in it.
    #[attr(optional, computed, default = "empty")]
    text: Value<String>,
    /// How many times the text is repeated.
    #[attr(optional)]
    repeat: Value<i64>,
    /// Said of the note, by topic.
    #[attr(optional)]
    tags: Value<BTreeMap<String, Value<String>>>,
    /// What it costs.
    #[attr(optional)]
    price: Value<f64>,
    /// Words to find it by.
    #[attr(optional)]
    keywords: Value<Set<String>>,
    /// Other notes.
    #[attr(optional)]
    related: Value<Vec<Value<Link>>>,
    /// A word that opens it.
    #[attr(optional, sensitive)]
    password: Value<String>,
    /// Where it is.
    #[attr(computed)]
    id: Value<String>,
    /// How often it was written.
    #[attr(computed)]
    revision: Value<i64>,
    /// Its lines, by number.
    #[attr(computed)]
    lines: Value<BTreeMap<String, Value<Line>>>,
    /// Who may read it.
    #[block]
    reader: Value<BTreeMap<String, Reader>>,
    /// What stands below it.
    #[block]
    footnote: Value<Vec<Footnote>>,
    /// How it is marked.
    #[block(max_items = 3)]
    mark: Value<Set<Mark>>,
    /// How it looks.
    #[block]
    layout: Value<Group<Layout>>,
    /// What it is about.
    #[block]
    subject: Value<Subject>,
    /// How long operations may take.
    #[block]
    timeouts: Value<Timeouts>,
}

/// One line of a note.
#[derive(Object, Clone, Debug, PartialEq)]
struct Line {
    text: Value<String>,
    length: Value<i64>,
}

/// Another note.
#[derive(Object, Clone, Debug, PartialEq)]
struct Link {
    note: Value<String>,
    why: Value<String>,
}

/// What stands below a note.
#[derive(Model, Clone, Debug, PartialEq)]
struct Footnote {
    /// Its words.
    #[attr(required)]
    text: Value<String>,
    /// Its number.
    #[attr(computed)]
    number: Value<i64>,
}

/// How a note is marked.
#[derive(Model, Clone, Debug, PartialEq)]
struct Mark {
    /// With what.
    #[attr(required)]
    colour: Value<String>,
    /// Where.
    #[attr(default = "left")]
    side: Value<String>,
}

/// How a note looks.
#[derive(Model, Clone, Debug, PartialEq)]
struct Layout {
    /// How wide, in letters.
    #[attr(optional)]
    width: Value<i64>,
    /// Whether it is upside down.
    #[attr(optional)]
    turned: Value<bool>,
}

/// Someone who may read.
#[derive(Model, Clone, Debug, PartialEq)]
struct Reader {
    /// Until when, in words.
    #[attr(optional, computed, default = "always")]
    until: Value<String>,
    /// The reader's number.
    #[attr(computed)]
    number: Value<i64>,
}

/// What a note is about.
#[derive(Model, Clone, Debug, PartialEq)]
struct Subject {
    /// In a word.
    #[attr(required, requires_replace)]
    title: Value<String>,
}

#[derive(Serialize, Deserialize)]
struct Private {
    secret: String,
}

#[derive(Serialize, Deserialize, Default)]
struct Planned {
    hint: String,
}

struct Folder(PathBuf);

fn plain_name(name: &str) -> Result<(), String> {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
        return Ok(());
    }
    Err(format!("`{name}` is not made of lower-case letters and dashes. Rename it."))
}

struct NoteResource;

impl NoteResource {
    async fn write(
        cx: &ApplyContext<Self>,
        mut note: Note,
        revision: i64,
        private: Private,
    ) -> Result<(Note, Private), Diagnostics> {
        let name = note.name.as_str().unwrap_or_default().to_owned();
        let text = note.text.as_str().unwrap_or_default().to_owned();
        let file = cx.provider.0.join(&name);
        note.id = file.display().to_string().into();
        note.revision = revision.into();
        note.lines = Value::Known(
            text.lines()
                .enumerate()
                .map(|(number, line)| {
                    let length = i64::try_from(line.len()).unwrap_or_default();
                    (number.to_string(), Value::Known(Line { text: line.into(), length: length.into() }))
                })
                .collect(),
        );
        for (number, reader) in note.reader.known_mut().into_iter().flat_map(BTreeMap::values_mut).enumerate() {
            reader.number = i64::try_from(number).unwrap_or_default().into();
        }
        for (number, footnote) in note.footnote.known_mut().into_iter().flatten().enumerate() {
            footnote.number = i64::try_from(number).unwrap_or_default().into();
        }
        tokio::fs::write(&file, &text)
            .await
            .map_err(|error| Diagnostic::error("No file").detail(format!("`{}`: {error}.", file.display())))?;
        cx.checkpoint(&note, &private);
        assert!(!text.starts_with("panic"), "asked to");
        if text.starts_with("hang") {
            std::future::pending::<()>().await;
        }
        if text.starts_with("refuse") {
            return Err(Diagnostic::error("Refused").detail("The text asks for it.").at(path!("text")).into());
        }
        Ok((note, private))
    }
}

impl Resource for NoteResource {
    const NAME: &'static str = "note";
    const SCHEMA_VERSION: i64 = 1;
    const TIMEOUTS: DefaultTimeouts = DefaultTimeouts {
        create: Duration::from_mins(1),
        read: Duration::from_mins(1),
        update: Duration::from_mins(1),
        delete: Duration::from_mins(1),
    };
    type Provider = Folder;
    type Model = Note;
    type Private = Private;
    type Planned = Planned;

    fn timeouts(model: &Note) -> &Value<Timeouts> {
        &model.timeouts
    }

    fn validate(&self, config: &Note, diagnostics: &mut Diagnostics) {
        if let (Some(name), Some(text)) = (config.name.as_str(), config.text.as_str())
            && name == text
        {
            diagnostics.push(Diagnostic::error("A note that is its own name").at(path!("text")));
        }
    }

    async fn plan_create(&self, cx: &PlanContext<Folder>, config: &Note, plan: &mut Note) -> Result<Planned, Diagnostics> {
        if let Some(name) = config.name.as_str() {
            plan.id = cx.provider.0.join(name).display().to_string().into();
        }
        Ok(Planned { hint: "created".to_owned() })
    }

    async fn plan_update(
        &self,
        cx: &PlanContext<Folder>,
        private: Option<&Private>,
        prior: &Note,
        _config: &Note,
        plan: &mut Note,
    ) -> Result<Planned, Diagnostics> {
        if plan != prior {
            plan.revision = Value::unknown();
            plan.lines = Value::unknown();
            for reader in plan.reader.known_mut().into_iter().flat_map(BTreeMap::values_mut) {
                reader.number = Value::unknown();
            }
            for footnote in plan.footnote.known_mut().into_iter().flatten() {
                footnote.number = Value::unknown();
            }
        }
        if plan.tags != prior.tags {
            cx.warn(Diagnostic::warning("Tags change").at(path!("tags")));
        }
        let hint = private.map(|private| private.secret.clone()).unwrap_or_default();
        Ok(Planned { hint })
    }

    async fn plan_destroy(
        &self,
        cx: &PlanContext<Folder>,
        _private: Option<&Private>,
        prior: &Note,
    ) -> Result<Planned, Diagnostics> {
        cx.warn(Diagnostic::warning(format!("`{}` is burnt", prior.name.as_str().unwrap_or_default())));
        Ok(Planned { hint: "burnt".to_owned() })
    }

    async fn create(&self, cx: &ApplyContext<Self>, planned: Planned, plan: Note) -> Result<(Note, Private), Diagnostics> {
        let private = Private { secret: format!("{} in private", planned.hint) };
        Self::write(cx, plan, 1, private).await
    }

    async fn read(
        &self,
        cx: &ReadContext<Folder>,
        private: Option<Private>,
        mut state: Note,
    ) -> Result<Option<(Note, Option<Private>)>, Diagnostics> {
        let file = cx.provider.0.join(state.name.as_str().unwrap_or_default());
        match tokio::fs::read_to_string(&file).await {
            Ok(text) => {
                state.text = text.into();
                Ok(Some((state, private)))
            }
            Err(_) => Ok(None),
        }
    }

    async fn update(
        &self,
        cx: &ApplyContext<Self>,
        private: Option<Private>,
        _planned: Planned,
        prior: Note,
        plan: Note,
    ) -> Result<(Note, Private), Diagnostics> {
        let revision = prior.revision.known_or(0) + 1;
        let private = private.ok_or_else(|| Diagnostic::error("The private state is lost"))?;
        Self::write(cx, plan, revision, private).await
    }

    async fn delete(
        &self,
        cx: &ApplyContext<Self>,
        _private: Option<Private>,
        planned: Planned,
        prior: Note,
    ) -> Result<(), Diagnostics> {
        let file = cx.provider.0.join(prior.name.as_str().unwrap_or_default());
        if prior.text.as_str().is_some_and(|text| text.starts_with("keep")) {
            return Err(Diagnostic::error("Kept").detail(format!("Was {}.", planned.hint)).into());
        }
        tokio::fs::remove_file(&file)
            .await
            .map_err(|error| Diagnostic::error("Not deleted").detail(format!("`{}`: {error}.", file.display())).into())
    }

    async fn import(&self, cx: &ReadContext<Folder>, id: &str) -> Result<(Note, Option<Private>), Diagnostics> {
        let file = cx.provider.0.join(id);
        let text = tokio::fs::read_to_string(&file)
            .await
            .map_err(|_| Diagnostic::error("No such note").detail(format!("There is no `{}`.", file.display())))?;
        let note = Note {
            name: id.into(),
            text: text.into(),
            repeat: Value::Null,
            tags: Value::Null,
            price: Value::Null,
            keywords: Value::Null,
            related: Value::Null,
            password: Value::Null,
            id: file.display().to_string().into(),
            revision: 1.into(),
            lines: Value::Known(BTreeMap::new()),
            reader: Value::Known(BTreeMap::new()),
            footnote: Value::Null,
            mark: Value::Null,
            layout: Value::Null,
            subject: Value::Null,
            timeouts: Value::Null,
        };
        Ok((note, Some(Private { secret: "imported".to_owned() })))
    }
}

/// How many notes there are.
#[derive(Model, Clone, Debug, PartialEq)]
struct Count {
    /// Only those whose name begins so.
    #[attr(optional, computed, default = "")]
    prefix: Value<String>,
    /// Their number.
    #[attr(computed)]
    number: Value<i64>,
}

struct CountSource;

impl DataSource for CountSource {
    const NAME: &'static str = "count";
    type Provider = Folder;
    type Model = Count;

    async fn read(&self, cx: &ReadContext<Folder>, mut config: Count) -> Result<Count, Diagnostics> {
        let unreadable = |error: std::io::Error| Diagnostic::error("No folder").detail(format!("{error}."));
        let mut entries = tokio::fs::read_dir(&cx.provider.0).await.map_err(unreadable)?;
        let mut number = 0;
        while let Some(entry) = entries.next_entry().await.map_err(unreadable)? {
            let prefix = config.prefix.as_str().unwrap_or_default();
            number += i64::from(entry.file_name().to_string_lossy().starts_with(prefix));
        }
        config.number = number.into();
        Ok(config)
    }
}

struct Notes;

impl Provider for Notes {
    const NAME: &'static str = "notes";
    const LOG_TARGETS: &'static [&'static str] = &["notes"];
    type Config = Config;
    type Configured = Folder;

    async fn configure(&self, _cx: &ConfigureContext, config: Config) -> Result<Arc<Folder>, Diagnostics> {
        let folder = config.folder.into_known().unwrap_or_default();
        tracing::info!(%folder, "configured");
        Ok(Arc::new(Folder(folder.into())))
    }

    fn resources() -> Vec<Box<dyn ErasedResource<Folder>>> {
        vec![tf_provider::resource(NoteResource)]
    }

    fn data_sources() -> Vec<Box<dyn ErasedDataSource<Folder>>> {
        vec![tf_provider::data_source(CountSource)]
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    tf_provider::serve(Notes).await
}
