//! Where settings come from, and which one wins: defaults, the TOML file, `.env`, the environment, the command line.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
};

use config::{Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::{
    dev, dotenv,
    faults::Faults,
    typos,
    variables::{self, VARIABLES},
};

/// What the command line says about the configuration.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
    /// `--env-file`.
    pub(crate) env_file: Option<PathBuf>,
    /// Settings that have an option of their own.
    pub(crate) settings: Vec<(&'static str, String)>,
}

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    CommandLine,
    Environment,
    EnvFile,
    ConfigFile,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommandLine => "command line",
            Self::Environment => "environment",
            Self::EnvFile => ".env",
            Self::ConfigFile => "file",
        })
    }
}

/// A value as it was written, and where.
pub(crate) struct Given {
    pub(crate) text: String,
    pub(crate) origin: Origin,
}

/// All values as they were written, one for each setting.
#[derive(Default)]
pub(crate) struct Sources {
    given: BTreeMap<&'static str, Given>,
    /// The tables `[[resource]]`.
    pub(crate) resources: Vec<Map<String, Value>>,
    /// The tables `[[client]]`.
    pub(crate) clients: Vec<Map<String, Value>>,
    /// The table `scope_hierarchy`.
    pub(crate) scope_hierarchy: Option<Map<String, Value>>,
    /// The table `[limits]`.
    pub(crate) limits: Map<String, Value>,
    /// What is odd but no fault.
    pub(crate) warnings: Vec<String>,
}

impl Sources {
    /// The value of a setting.
    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.given.get(name)
    }

    /// Reads all sources. `environment` is the process's, `directory` where `.env` is looked for.
    pub(crate) fn read(
        flags: &Flags,
        environment: BTreeMap<String, String>,
        directory: &Path,
        faults: &mut Faults,
    ) -> Self {
        let env_file = read_env_file(flags, directory, faults);
        let named =
            |map: &BTreeMap<String, String>| map.get("GATEWAY_CONFIG").filter(|v| !v.is_empty()).cloned();
        let path = flags.config.clone().or_else(|| {
            named(&environment)
                .or_else(|| named(&env_file))
                .map(PathBuf::from)
        });
        let mut file = path.map_or_else(Map::new, |path| read_config_file(&path, faults));
        let mut sources = Self::default();
        sources.take_tables(&mut file, faults);
        refuse_unknown_keys(&mut file, faults);
        sources.warn_of_near_misses(environment.keys().chain(env_file.keys()));
        let (environment, env_file) = (relevant(environment), relevant(env_file));
        sources.merge(&file, &env_file, &environment, faults);
        sources.add_flags(flags);
        sources
    }

    /// Reads a process's environment and options, no files.
    #[cfg(feature = "sandbox")]
    pub(crate) fn made_up(flags: &Flags, environment: BTreeMap<String, String>, faults: &mut Faults) -> Self {
        let mut sources = Self::default();
        sources.merge(&Map::new(), &HashMap::new(), &relevant(environment), faults);
        sources.add_flags(flags);
        sources
    }

    fn add_flags(&mut self, flags: &Flags) {
        for (name, text) in &flags.settings {
            let given = Given {
                text: text.clone(),
                origin: Origin::CommandLine,
            };
            self.given.insert(name, given);
        }
    }

    fn take_tables(&mut self, file: &mut Map<String, Value>, faults: &mut Faults) {
        self.resources = tables(file, "resource", faults);
        self.clients = tables(file, "client", faults);
        if let Some(value) = file.remove("api_key") {
            spell_out(file, value, faults);
        }
        if let Some(ValueKind::Table(table)) = file.get("registration").map(|value| value.kind.clone()) {
            file.remove("registration");
            spell_out_registration(file, table, faults);
        }
        if let Some(value) = file.remove("scope_hierarchy") {
            match value.into_table() {
                Ok(table) => self.scope_hierarchy = Some(table),
                Err(_) => faults.add("scope_hierarchy", "must be a table: { admin = [\"write\"] }"),
            }
        }
        if let Some(value) = file.remove("limits") {
            match value.into_table() {
                Ok(table) => self.limits = table,
                Err(_) => faults.add("limits", "must be a table: [limits]"),
            }
        }
    }

    fn warn_of_near_misses<'a>(&mut self, names: impl Iterator<Item = &'a String>) {
        for name in names {
            let known = variables::VARIABLES.iter().any(|v| v.name == name)
                || (variables::of_file(name).is_some() && *name == name.to_ascii_uppercase());
            let meant = typos::suggestion(name.trim_end_matches("_FILE")).or_else(|| typos::suggestion(name));
            let of_dev = dev::VARIABLES.iter().any(|v| v.name == name);
            match meant {
                _ if known => {}
                Some(meant) if of_dev => self
                    .warnings
                    .push(format!("{name} is a setting of dev only: did you mean {meant}?")),
                None if of_dev => self
                    .warnings
                    .push(format!("{name} is a setting of dev only, and is ignored")),
                Some(meant) => self
                    .warnings
                    .push(format!("{name} is not a setting: did you mean {meant}?")),
                None if name.starts_with("MCP_OAUTH_") => {
                    self.warnings
                        .push(format!("{name} is not a setting, and is ignored"));
                }
                None => {}
            }
        }
    }

    fn merge(
        &mut self,
        file: &Map<String, Value>,
        env_file: &HashMap<String, String>,
        environment: &HashMap<String, String>,
        faults: &mut Faults,
    ) {
        let layer = |values: &HashMap<String, String>| {
            // text stays text: the secret `007` is not the number 7
            Environment::default()
                .try_parsing(false)
                .source(Some(values.clone()))
        };
        let merged = config::Config::builder()
            .add_source(FileLayer(file.clone()))
            .add_source(layer(env_file))
            .add_source(layer(environment))
            .build()
            .and_then(|config| config.collect());
        let merged = match merged {
            Ok(merged) => merged,
            Err(error) => return faults.add("configuration", format!("cannot be put together: {error}")),
        };
        let origin = |key: &str| match key.to_ascii_uppercase() {
            name if environment.contains_key(&name) => Origin::Environment,
            name if env_file.contains_key(&name) => Origin::EnvFile,
            _ => Origin::ConfigFile,
        };
        for variable in VARIABLES {
            let key = variable.name.to_ascii_lowercase();
            let direct = merged
                .get(&key)
                .and_then(|value| as_text(variable.name, value, faults));
            let key_of_file = format!("{key}_file");
            let by_file = merged
                .get(&key_of_file)
                .filter(|_| variable.secret)
                .and_then(|value| as_text(variable.name, value, faults))
                .and_then(|path| read_secret(&format!("{}_FILE", variable.name), &path, faults));
            if direct.is_some() && by_file.is_some() && direct != by_file {
                faults.add(
                    variable.name,
                    format!("and {}_FILE are both set, and differ", variable.name),
                );
            }
            let given = match (direct, by_file) {
                (Some(text), _) => Given {
                    text,
                    origin: origin(&key),
                },
                (None, Some(text)) => Given {
                    text,
                    origin: origin(&key_of_file),
                },
                (None, None) => continue,
            };
            self.given.insert(variable.name, given);
        }
    }
}

/// The tables of one name.
fn tables(file: &mut Map<String, Value>, name: &str, faults: &mut Faults) -> Vec<Map<String, Value>> {
    let Some(value) = file.remove(name) else {
        return Vec::new();
    };
    let tables = value.into_array().ok().and_then(|all| {
        all.into_iter()
            .map(|one| one.into_table().ok())
            .collect::<Option<Vec<_>>>()
    });
    tables.unwrap_or_else(|| {
        faults.add(name, format!("must be a list of tables: [[{name}]]"));
        Vec::new()
    })
}

/// The table `[api_key]`: its keys are settings with a longer name.
fn spell_out(file: &mut Map<String, Value>, value: Value, faults: &mut Faults) {
    let Ok(table) = value.into_table() else {
        return faults.add("api_key", "must be a table: [api_key]");
    };
    for (key, value) in table {
        let setting = format!("api_key: {key}");
        if !["resources", "scopes"].contains(&key.as_str()) {
            faults.add(
                setting,
                "is not a key of [api_key]: there are resources and scopes; the key itself is MCP_API_KEY",
            );
        } else if file.insert(format!("mcp_api_key_{key}"), value).is_some() {
            faults.add(setting, format!("and mcp_api_key_{key} are both set"));
        }
    }
}

/// The table `[registration]`: its keys are settings with a longer name, and `gate` is the one without.
fn spell_out_registration(file: &mut Map<String, Value>, table: Map<String, Value>, faults: &mut Faults) {
    const KEYS: [&str; 5] = [
        "gate",
        "token",
        "redirect_hosts",
        "client_credentials",
        "unused_limit",
    ];
    for (key, value) in table {
        let setting = format!("registration: {key}");
        let meant = if key == "gate" {
            "registration".to_owned()
        } else {
            format!("registration_{key}")
        };
        if !KEYS.contains(&key.as_str()) {
            let problem = format!("is not a key of [registration]: there are {}", KEYS.join(", "));
            faults.add(setting, problem);
        } else if file.insert(meant.clone(), value).is_some() {
            faults.add(setting, format!("and {meant} are both set"));
        }
    }
}

/// The parsed TOML file as a source.
#[derive(Clone, Debug)]
struct FileLayer(Map<String, Value>);

impl Source for FileLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.0.clone())
    }
}

/// Those of the variables that are ours and not empty. An empty list of users means nobody.
fn relevant(values: BTreeMap<String, String>) -> HashMap<String, String> {
    values
        .into_iter()
        .filter(|(name, value)| {
            let ours = VARIABLES.iter().any(|v| v.name == name)
                || (variables::of_file(name).is_some() && *name == name.to_ascii_uppercase());
            ours && (!value.is_empty() || name == "ALLOWED_GITHUB_USERS")
        })
        .collect()
}

fn read_env_file(flags: &Flags, directory: &Path, faults: &mut Faults) -> BTreeMap<String, String> {
    let path = flags.env_file.clone().unwrap_or_else(|| directory.join(".env"));
    if flags.env_file.is_none() && !path.exists() {
        return BTreeMap::new();
    }
    dotenv::read(&path, faults)
}

fn read_config_file(path: &Path, faults: &mut Faults) -> Map<String, Value> {
    let name = path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            faults.add("--config", format!("{name} cannot be read: {error}"));
            return Map::new();
        }
    };
    match File::from_str(&text, FileFormat::Toml).collect() {
        Ok(map) => map,
        Err(error) => {
            // the first line says where; the others would show what stands there, which may be a secret
            let problem = error.to_string();
            faults.add(name, problem.lines().next().unwrap_or("is not TOML").to_owned());
            Map::new()
        }
    }
}

fn refuse_unknown_keys(file: &mut Map<String, Value>, faults: &mut Faults) {
    file.retain(|key, _| {
        let lower = *key == key.to_ascii_lowercase();
        let known = lower && (variables::named(key).is_some() || variables::of_file(key).is_some());
        if !known {
            let meant = typos::suggestion(key).map(str::to_ascii_lowercase);
            faults.add(
                key.clone(),
                meant.map_or_else(
                    || "is not a setting".to_owned(),
                    |meant| format!("is not a setting: did you mean {meant}?"),
                ),
            );
        }
        known
    });
}

/// A value as text; a list becomes one separated by commas.
fn as_text(name: &str, value: &Value, faults: &mut Faults) -> Option<String> {
    match &value.kind {
        ValueKind::Array(entries) => entries
            .iter()
            .map(|entry| as_text(name, entry, faults))
            .collect::<Option<Vec<_>>>()
            .map(|all| all.join(",")),
        ValueKind::Table(_) | ValueKind::Nil => {
            faults.add(name, "must be a text, a number or a list");
            None
        }
        ValueKind::String(text) => Some(text.clone()),
        _ => value.clone().into_string().ok(),
    }
}

/// The content of a secret's file, without the line break at its end.
pub(super) fn read_secret(setting: &str, path: &str, faults: &mut Faults) -> Option<String> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim_end_matches(['\r', '\n']).is_empty() => {
            faults.add(setting, format!("{path} is empty"));
            None
        }
        Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => {
            faults.add(setting, format!("{path} cannot be read: {error}"));
            None
        }
    }
}
