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
        builder = builder.add_source(File::from_str(&read_file(path)?, FileFormat::Toml));
        config = parse(&builder)
            .and_then(|config| check_file(&builder, config))
            .map_err(|fault| config_error(format!("{}: {fault}", path.display())))?;
    }
    builder = let_either_url_override_both(builder, environment)?;
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

/// What is not allowed in the file, though it is elsewhere.
fn check_file(builder: &Builder, config: Config) -> Result<Config, String> {
    if config.store.url.has_password() {
        return Err(
            "store.url holds a password; name a file that holds the URL in \
                    store.url_file, or set TOKENKEEP_STORE__URL"
                .to_owned(),
        );
    }
    let built = builder.build_cloned().map_err(|fault| explain(&fault))?;
    if config.store.url_file.is_some() && built.get_string("store.url").is_ok() {
        return Err("store.url and store.url_file are both given".to_owned());
    }
    Ok(config)
}

/// The two say the same thing, so one in the environment overrides either in the file.
fn let_either_url_override_both(builder: Builder, environment: &Environment) -> Result<Builder> {
    match (
        environment.sets("store.url"),
        environment.sets("store.url_file"),
    ) {
        (true, true) => Err(config_error(
            "TOKENKEEP_STORE__URL and TOKENKEEP_STORE__URL_FILE are both set",
        )),
        // A file, where one is named, is what counts: it has to be forgotten, a URL has not.
        (true, false) => builder
            .set_override("store.url_file", ValueKind::Nil)
            .map_err(|fault| config_error(explain(&fault))),
        (false, _) => Ok(builder),
    }
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

fn parse(builder: &Builder) -> Result<Config, String> {
    let built = builder.build_cloned().map_err(|fault| explain(&fault))?;
    let is_section = |value: &config::Value| matches!(value.kind, ValueKind::Table(_));
    if let ValueKind::Table(root) = &built.cache.kind
        && let Some((key, _)) = root.iter().find(|(_, value)| !is_section(value))
    {
        return Err(format!("{key} is not a section"));
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
