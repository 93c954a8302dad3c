//! The layers of the configuration, and who is to blame when one is wrong.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use config::builder::DefaultState;
use config::{ConfigBuilder, ConfigError, File, FileFormat, ValueKind};
use zeroize::Zeroizing;

use crate::{Config, Result, config_error};

/// The variables of the environment that are configuration.
pub(crate) struct Environment(Vec<Variable>);

struct Variable {
    name: String,
    /// The key that it sets, such as `store.url`.
    key: String,
    value: Zeroizing<String>,
}

impl Environment {
    const PREFIX: &str = "TOKENKEEP_";
    const SEPARATOR: &str = "__";

    /// Those of the variables given whose names have a separator after the prefix.
    pub(crate) fn new(all: impl IntoIterator<Item = (OsString, OsString)>) -> Result<Self> {
        let mut variables = Vec::new();
        for (name, value) in all {
            let Some(name) = name.to_str() else { continue };
            let Some(field) = name.strip_prefix(Self::PREFIX) else {
                continue;
            };
            if !field.contains(Self::SEPARATOR) {
                continue;
            }
            let Ok(value) = value.into_string() else {
                return Err(config_error(format!(
                    "environment variable {name} is not UTF-8"
                )));
            };
            variables.push(Variable {
                name: name.to_owned(),
                key: field.to_ascii_lowercase().replace(Self::SEPARATOR, "."),
                value: Zeroizing::new(value),
            });
        }
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self(variables))
    }

    fn sets(&self, key: &str) -> bool {
        self.0.iter().any(|variable| variable.key == key)
    }
}

type Builder = ConfigBuilder<DefaultState>;

/// Reads the file, then the variables one by one, so that each fault has one place to blame.
pub(crate) fn read(path: Option<&Path>, environment: &Environment) -> Result<Config> {
    let mut builder = Builder::default();
    let mut config = Config::default();
    if let Some(path) = path {
        let text = read_file(path)?;
        let place = path.display().to_string();
        builder = builder.add_source(File::from_str(&text, FileFormat::Toml));
        config = parse(&builder).map_err(|fault| config_error(format!("{place}: {fault}")))?;
        if config.store.url.has_password() {
            let problem = "store.url holds a password; name a file that holds the URL in \
                           store.url_file, or set TOKENKEEP_STORE__URL";
            return Err(config_error(format!("{place}: {problem}")));
        }
    }
    if environment.sets("store.url") || environment.sets("store.url_file") {
        if environment.sets("store.url") && environment.sets("store.url_file") {
            let problem = "TOKENKEEP_STORE__URL and TOKENKEEP_STORE__URL_FILE are both set";
            return Err(config_error(problem));
        }
        // The two say the same thing: one in the environment overrides either in the file.
        builder = set(builder, "store.url_file", ValueKind::Nil)?;
    }
    for variable in &environment.0 {
        let blame = |fault: String| {
            config_error(format!("environment variable {}: {fault}", variable.name))
        };
        builder = builder
            .set_override(&variable.key, variable.value.as_str())
            .map_err(|_| blame("names no field".to_owned()))?;
        config = parse(&builder).map_err(blame)?;
    }
    Ok(config)
}

fn set(builder: Builder, key: &str, value: ValueKind) -> Result<Builder> {
    builder
        .set_override(key, value)
        .map_err(|fault| config_error(explain(&fault)))
}

/// The text of a file that is TOML.
fn read_file(path: &Path) -> Result<String> {
    let place = path.display();
    let text = fs::read_to_string(path)
        .map_err(|error| config_error(format!("cannot read {place}: {error}")))?;
    let syntax = toml::de::DeTable::parse(&text).map(|_| ());
    // Said here, since the error's own text quotes the line, which may hold a password.
    syntax.map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count();
        config_error(format!("{place}, line {line}: {}", error.message()))
    })?;
    Ok(text)
}

fn parse(builder: &Builder) -> std::result::Result<Config, String> {
    let built = builder.build_cloned().map_err(|fault| explain(&fault))?;
    let is_section = |value: &config::Value| matches!(value.kind, ValueKind::Table(_));
    if let ValueKind::Table(root) = &built.cache.kind
        && let Some((key, _)) = root.iter().find(|(_, value)| !is_section(value))
    {
        return Err(format!("{key} is not a section"));
    }
    if built.get_string("store.url").is_ok() && built.get_string("store.url_file").is_ok() {
        return Err("store.url and store.url_file are both given".to_owned());
    }
    built.try_deserialize().map_err(|fault| explain(&fault))
}

/// What is wrong, without the value, which may be a secret in a wrong place.
fn explain(fault: &ConfigError) -> String {
    let at = |key: &Option<String>, problem: String| match key {
        Some(key) => format!("{key}: {problem}"),
        None => problem,
    };
    match fault {
        ConfigError::At { error, key, .. } => at(key, explain(error)),
        ConfigError::Type { expected, key, .. } => at(key, format!("expected {expected}")),
        other => other.to_string(),
    }
}
