//! What an operation tells an executor and a policy about itself.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Something to be done by an executor: a plain value that can be logged, checked and repeated.
pub trait Operation: Debug + Send + Sync + Clone + 'static {
    /// The kind of thing it touches.
    fn operation_type(&self) -> OperationType;

    /// What its author must be allowed to do.
    fn required_permissions(&self) -> Vec<Permission>;

    /// When it was made.
    fn created_at(&self) -> DateTime<Utc>;

    /// Its name in the records: the type, a colon, and something unique. Made up anew in each call unless the
    /// operation keeps one.
    fn operation_id(&self) -> String {
        format!("{}:{}", self.operation_type().as_str(), Uuid::new_v4())
    }

    /// Whether an ordinary user may need more rights for it; by default, when one of its permissions is elevated.
    fn requires_elevated_privileges(&self) -> bool {
        self.required_permissions()
            .iter()
            .any(Permission::is_elevated)
    }
}

/// The kind of thing an operation touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationType {
    /// Files and directories.
    Filesystem,
    /// Processes.
    Process,
    /// Sockets.
    Network,
    /// Programs that are run for their output.
    Utility,
}

impl OperationType {
    /// Its name in lower case, as operation ids begin with it.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Filesystem => "filesystem",
            Self::Process => "process",
            Self::Network => "network",
            Self::Utility => "utility",
        }
    }

    /// Whether operations of this kind usually need more rights than an ordinary user has.
    #[must_use]
    pub fn is_privileged(&self) -> bool {
        matches!(self, Self::Process | Self::Network)
    }
}

/// Something a policy grants or withholds. A path, an endpoint or a utility may be `*`, which means all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Permission {
    /// Read files under this path.
    FilesystemRead(String),
    /// Write files under this path.
    FilesystemWrite(String),
    /// Run files under this path.
    FilesystemExecute(String),
    /// Start processes.
    ProcessSpawn,
    /// Signal and kill processes.
    ProcessManage,
    /// Open sockets.
    NetworkSocket,
    /// Connect to this endpoint.
    NetworkConnect(String),
    /// Run this utility.
    UtilityExecute(String),
}

impl Permission {
    /// Whether it is more than an ordinary user is granted.
    #[must_use]
    pub fn is_elevated(&self) -> bool {
        match self {
            Self::ProcessSpawn
            | Self::ProcessManage
            | Self::NetworkSocket
            | Self::FilesystemExecute(_) => true,
            Self::FilesystemRead(_)
            | Self::FilesystemWrite(_)
            | Self::NetworkConnect(_)
            | Self::UtilityExecute(_) => false,
        }
    }

    /// The kind of operation it is for.
    #[must_use]
    pub fn operation_type(&self) -> OperationType {
        match self {
            Self::FilesystemRead(_) | Self::FilesystemWrite(_) | Self::FilesystemExecute(_) => {
                OperationType::Filesystem
            }
            Self::ProcessSpawn | Self::ProcessManage => OperationType::Process,
            Self::NetworkSocket | Self::NetworkConnect(_) => OperationType::Network,
            Self::UtilityExecute(_) => OperationType::Utility,
        }
    }

    /// It in words, for a person.
    #[must_use]
    pub fn description(&self) -> String {
        match self {
            Self::FilesystemRead(path) => format!("read files under `{path}`"),
            Self::FilesystemWrite(path) => format!("write files under `{path}`"),
            Self::FilesystemExecute(path) => format!("run files under `{path}`"),
            Self::ProcessSpawn => "start processes".to_string(),
            Self::ProcessManage => "signal and kill processes".to_string(),
            Self::NetworkSocket => "open sockets".to_string(),
            Self::NetworkConnect(endpoint) => format!("connect to `{endpoint}`"),
            Self::UtilityExecute(utility) => format!("run the utility `{utility}`"),
        }
    }

    /// Whether it covers this path, endpoint or utility. A path covers itself and what lies beneath it: `/data` covers
    /// `/data/x`, but neither `/database` nor anything that climbs with `..`. A permission that names nothing covers
    /// everything.
    #[must_use]
    pub fn grants_access_to(&self, resource: &str) -> bool {
        match self {
            Self::FilesystemRead(path)
            | Self::FilesystemWrite(path)
            | Self::FilesystemExecute(path) => path == "*" || lies_under(resource, path),
            Self::NetworkConnect(name) | Self::UtilityExecute(name) => {
                name == "*" || name == resource
            }
            Self::ProcessSpawn | Self::ProcessManage | Self::NetworkSocket => true,
        }
    }
}

fn lies_under(resource: &str, path: &str) -> bool {
    let inside = resource.strip_prefix(path);
    inside.is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
        && !resource.split('/').any(|part| part == "..")
}
