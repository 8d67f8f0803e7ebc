//! A Redis as it is shipped, and processes of the gateway on it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mcp_gateway_store::testing::{RedisServer, RedisSetup, free_port};
use redis::{Connection, cmd};
use tempfile::TempDir;

use crate::{
    Answer,
    arguments::Common,
    cores::{self, Cores},
    key::Key,
    process::{Process, Start},
};

/// Who issues tokens.
pub(crate) const ISSUER: &str = "https://auth.bench.test";
/// What is protected.
pub(crate) const RESOURCE: &str = "https://echo.bench.test/mcp";
/// The same with rules for single tools.
pub(crate) const TOOLS: &str = "https://tools.bench.test/mcp";
/// What is allowed there.
pub(crate) const SCOPES: &str = "read";
/// Where clients are redirected to.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:33418/callback";
/// The verifier of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// Where measured processes run.
pub(crate) struct Stage {
    pub(crate) cores: Cores,
    pub(crate) directory: TempDir,
    pub(crate) redis: RedisServer,
    gateway: PathBuf,
}

/// A process that serves.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) port: u16,
}

/// Whether Redis keeps what it has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// As shipped: every write is on disk before it is answered.
    Everything,
    /// A restart finds it empty.
    Nothing,
}

impl Stage {
    /// Starts Redis and writes the configuration.
    ///
    /// # Errors
    /// When that fails.
    pub(crate) fn new(common: &Common, cores: Cores, keeps: Keeps) -> Answer<Self> {
        let gateway = fs::canonicalize(&common.gateway)
            .map_err(|fault| format!("{} cannot be measured: {fault}", common.gateway.display()))?;
        let directory = tempfile::tempdir()?;
        fs::write(directory.path().join("verifier.toml"), resources())?;
        fs::write(
            directory.path().join("auth-server.toml"),
            format!("{}{}", limits(), resources()),
        )?;
        let stage = Self {
            cores,
            directory,
            redis: RedisServer::with(RedisSetup {
                persistent: keeps == Keeps::Everything,
                settings: vec!["maxmemory-policy noeviction".into()],
                ..RedisSetup::default()
            }),
            gateway,
        };
        stage.bind_redis()?;
        Ok(stage)
    }

    /// Binds Redis to its core, after each start.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn bind_redis(&self) -> Answer<()> {
        let text: String = cmd("INFO").arg("server").query(&mut self.redis.connection())?;
        let process = field(&text, "process_id").ok_or("Redis does not say which process it is")?;
        cores::bind(process.parse()?, self.cores.store)
    }

    /// A connection to one of its databases.
    ///
    /// # Errors
    /// When it does not answer.
    pub(crate) fn database(&self, database: u8) -> Answer<Connection> {
        let mut connection = self.redis.connection();
        cmd("SELECT").arg(database).exec(&mut connection)?;
        Ok(connection)
    }

    /// Starts a process of the gateway and waits until it is ready.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn gateway(&self, role: &str, key: &Key, database: u8) -> Answer<Server> {
        let port = free_port();
        let start = self.start(role, key, database, port);
        Ok(Server {
            process: start.ready(port, "/readyz")?,
            port,
        })
    }

    /// How a process of the gateway is started.
    pub(crate) fn start(&self, role: &str, key: &Key, database: u8, port: u16) -> Start<'_> {
        let mut environment = vec![
            ("MCP_OAUTH_ISSUER", ISSUER.to_owned()),
            ("DEFAULT_RESOURCE", RESOURCE.to_owned()),
            ("REDIS_URL", format!("{}/{database}", self.redis.url())),
            (
                "GATEWAY_CONFIG",
                if role == "verifier" {
                    "verifier.toml"
                } else {
                    "auth-server.toml"
                }
                .to_owned(),
            ),
        ];
        if role != "verifier" {
            environment.extend([
                ("GITHUB_CLIENT_ID", "bench".to_owned()),
                ("GITHUB_CLIENT_SECRET", "bench".to_owned()),
                ("ALLOWED_GITHUB_USERS", "*".to_owned()),
                (
                    "STORE_ENCRYPTION_KEY",
                    "0123456789abcdef0123456789abcdef".to_owned(),
                ),
                ("JWT_ALGORITHM", key.algorithm.to_string()),
                ("JWT_PRIVATE_KEY_B64", key.setting()),
            ]);
        }
        Start {
            program: &self.gateway,
            arguments: [role, "--host", "127.0.0.1", "--port", &port.to_string()]
                .map(str::to_owned)
                .to_vec(),
            environment: environment
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            directory: self.directory.path(),
            core: Some(self.cores.server),
        }
    }

    /// Starts the executable as a server that decides nothing, or checks the signatures of a key and nothing else.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn bare(&self, key: Option<&Key>) -> Answer<Server> {
        let port = free_port();
        let mut arguments = vec!["bare".to_owned(), "--port".to_owned(), port.to_string()];
        if let Some(key) = key {
            arguments.extend(["--key".to_owned(), key.rsa_public()?]);
        }
        let start = Start {
            program: &self.gateway,
            arguments,
            environment: vec![],
            directory: self.directory.path(),
            core: Some(self.cores.server),
        };
        Ok(Server {
            process: start.ready(port, "/verify")?,
            port,
        })
    }

    /// Starts this program once more, as one that loads a server until it is ended.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn load(
        &self,
        server: &Server,
        connections: usize,
        requests: &[String],
        expected: u16,
    ) -> Answer<Process> {
        let arguments = self.loading(server, connections, requests, expected)?;
        self.on_the_loads_core(&own()?, arguments)
    }

    /// The same, but it takes only what Redis and who measures leave it of their core (`SCHED_IDLE`): otherwise one of them would
    /// wait for it, and that would be measured.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn load_standing_back(
        &self,
        server: &Server,
        connections: usize,
        requests: &[String],
        expected: u16,
    ) -> Answer<Process> {
        let mut arguments = ["--idle", "0"].map(str::to_owned).to_vec();
        arguments.push(own()?.display().to_string());
        arguments.extend(self.loading(server, connections, requests, expected)?);
        self.on_the_loads_core(Path::new("chrt"), arguments)
    }

    /// Writes down what is to be sent; the arguments of the one who does.
    fn loading(
        &self,
        server: &Server,
        connections: usize,
        requests: &[String],
        expected: u16,
    ) -> Answer<Vec<String>> {
        let file = self.directory.path().join("requests.jsonl");
        let lines: Result<Vec<_>, _> = requests.iter().map(serde_json::to_string).collect();
        fs::write(&file, lines?.join("\n"))?;
        let arguments = [
            "load",
            "--port",
            &server.port.to_string(),
            "--connections",
            &connections.to_string(),
            "--requests",
            &file.display().to_string(),
            "--expected",
            &expected.to_string(),
        ];
        Ok(arguments.map(str::to_owned).to_vec())
    }

    fn on_the_loads_core(&self, program: &Path, arguments: Vec<String>) -> Answer<Process> {
        Start {
            program,
            arguments,
            environment: vec![],
            directory: self.directory.path(),
            core: Some(self.cores.load),
        }
        .quietly()
    }

    /// The size of the executable in bytes.
    ///
    /// # Errors
    /// When it is gone.
    pub(crate) fn size(&self) -> Answer<u64> {
        Ok(fs::metadata(&self.gateway)?.len())
    }

    /// The executable.
    pub(crate) fn executable(&self) -> &Path {
        &self.gateway
    }
}

/// This program.
pub(crate) fn own() -> Answer<PathBuf> {
    Ok(std::env::current_exe()?)
}

/// A field of what `INFO` answers.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

/// Two protected servers: one with rules for methods and paths, one with rules for tools.
fn resources() -> String {
    let rules = [
        (
            RESOURCE,
            "{ methods = [\"DELETE\"], paths = [\"/mcp/archive/*\"], scopes = [\"write\"] }, \
             { paths = [\"/mcp/health\"], public = true }",
        ),
        (
            TOOLS,
            "{ tools = [\"create_*\", \"delete_*\"], scopes = [\"write\"] }, { tools = [\"*_key\"], scopes = [\"admin\"] }",
        ),
    ];
    let tables = rules.map(|(uri, rules)| {
        format!(
            "[[resource]]\nuri = \"{uri}\"\nname = \"Bench\"\nscopes = [\"read\", \"write\", \"admin\"]\n\
             default_scopes = [\"read\"]\nrule = [{rules}]\n"
        )
    });
    tables.concat()
}

/// Limits that no load reaches: what is measured is the work, not the refusal.
fn limits() -> String {
    let limits = ["register", "token", "client", "client_failures", "introspect"];
    let lines = limits.map(|limit| format!("{limit} = {{ count = 1000000, seconds = 1, burst = 1000000 }}"));
    format!("[limits]\n{}\n", lines.join("\n"))
}
