//! The operation that starts a process.

use std::collections::HashMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::id_or_new;
use crate::core::operation::{Operation, OperationType, Permission};

/// Starts a program and does not wait for it. The output is its pid in ASCII.
///
/// Its environment is that of this process with [`env`](Self::env) added. A bare name is looked up in this process's
/// `PATH`; when the operation sets a `PATH` of its own and the command is a bare name, the standard library has to fork
/// this process, which takes long where much memory is mapped, so give the path then.
#[derive(Debug, Clone)]
pub struct ProcessSpawnOperation {
    /// The program's path or name.
    pub command: String,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
    /// Variables to set besides the inherited ones.
    pub env: HashMap<String, String>,
    /// Where it starts; `None` means where this process is.
    pub working_dir: Option<String>,
    /// When the operation was made.
    pub created_at: DateTime<Utc>,
    /// Its id; `None` means that each call of `operation_id` makes one up.
    pub operation_id: Option<String>,
}

impl ProcessSpawnOperation {
    /// Starts `command` without arguments.
    pub fn new(command: impl Into<String>) -> Self {
        Self::with_timestamp(command, Vec::new(), Utc::now())
    }

    /// Replaces the arguments.
    #[must_use]
    pub fn with_args(mut self, args: Vec<String>) -> Self {
        self.args = args;
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Replaces the variables.
    #[must_use]
    pub fn with_env(mut self, env: HashMap<String, String>) -> Self {
        self.env = env;
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(key.into(), value.into());
        self
    }

    /// Sets where it starts.
    #[must_use]
    pub fn working_dir(mut self, dir: impl Into<String>) -> Self {
        self.working_dir = Some(dir.into());
        self
    }

    /// Starts `command` with these arguments, made at this time.
    pub fn with_timestamp(
        command: impl Into<String>,
        args: Vec<String>,
        created_at: DateTime<Utc>,
    ) -> Self {
        Self {
            command: command.into(),
            args,
            env: HashMap::new(),
            working_dir: None,
            created_at,
            operation_id: None,
        }
    }

    /// Sets the id; by convention it begins with `process:`.
    #[must_use]
    pub fn with_operation_id(mut self, id: impl Into<String>) -> Self {
        self.operation_id = Some(id.into());
        self
    }
}

impl Operation for ProcessSpawnOperation {
    fn operation_type(&self) -> OperationType {
        OperationType::Process
    }

    fn required_permissions(&self) -> Vec<Permission> {
        vec![Permission::ProcessSpawn]
    }

    fn created_at(&self) -> DateTime<Utc> {
        self.created_at
    }

    fn operation_id(&self) -> String {
        id_or_new(self.operation_id.as_ref())
    }

    fn requires_elevated_privileges(&self) -> bool {
        true
    }
}

impl fmt::Display for ProcessSpawnOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.args.is_empty() {
            return write!(f, "ProcessSpawn({})", self.command);
        }
        write!(
            f,
            "ProcessSpawn({} [{}])",
            self.command,
            self.args.join(" ")
        )
    }
}
