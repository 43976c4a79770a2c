//! On whose behalf, and in which request, an operation is executed.

use std::collections::HashMap;

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;

/// One request, which may consist of several operations. It is recorded with each of them.
#[derive(Debug, Clone)]
pub struct ExecutionContext {
    /// The request's own id.
    pub execution_id: Uuid,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// Who asks.
    pub security_context: SecurityContext,
    /// Anything the caller wants to hand to middleware.
    pub metadata: HashMap<String, String>,
}

impl ExecutionContext {
    /// A new request, with an id of its own and no metadata.
    #[must_use]
    pub fn new(security_context: SecurityContext) -> Self {
        Self {
            execution_id: Uuid::new_v4(),
            created_at: Utc::now(),
            security_context,
            metadata: HashMap::new(),
        }
    }

    /// Adds one entry, or replaces it.
    #[must_use]
    pub fn with_metadata(mut self, key: String, value: String) -> Self {
        self.metadata.insert(key, value);
        self
    }

    /// Adds these entries to those it has.
    #[must_use]
    pub fn with_metadata_map(mut self, metadata: HashMap<String, String>) -> Self {
        self.metadata.extend(metadata);
        self
    }

    /// One entry.
    #[must_use]
    pub fn get_metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// How long ago it began, by the wall clock; negative if that was set back.
    #[must_use]
    pub fn age(&self) -> Duration {
        Utc::now() - self.created_at
    }

    /// Whether it is older than this.
    #[must_use]
    pub fn is_expired(&self, max_age: Duration) -> bool {
        self.age() > max_age
    }

    /// Who asks.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.security_context.principal
    }
}

/// Who asks. The attribute `role` = `admin` marks an administrator, `type` = `service` a service account.
#[derive(Debug, Clone)]
pub struct SecurityContext {
    /// The user or service.
    pub principal: String,
    /// The session in which it was authenticated.
    pub session_id: Uuid,
    /// When that session began.
    pub established_at: DateTime<Utc>,
    /// What policies may ask about it.
    pub attributes: HashMap<String, String>,
}

impl SecurityContext {
    /// A new session of this principal, without attributes.
    #[must_use]
    pub fn new(principal: String) -> Self {
        Self::with_session_id(principal, Uuid::new_v4())
    }

    /// An existing session of this principal, without attributes.
    #[must_use]
    pub fn with_session_id(principal: String, session_id: Uuid) -> Self {
        Self {
            principal,
            session_id,
            established_at: Utc::now(),
            attributes: HashMap::new(),
        }
    }

    /// Adds one attribute, or replaces it.
    #[must_use]
    pub fn with_attribute(mut self, key: String, value: String) -> Self {
        self.attributes.insert(key, value);
        self
    }

    /// Adds these attributes to those it has.
    #[must_use]
    pub fn with_attributes(mut self, attributes: HashMap<String, String>) -> Self {
        self.attributes.extend(attributes);
        self
    }

    /// One attribute.
    #[must_use]
    pub fn get_attribute(&self, key: &str) -> Option<&str> {
        self.attributes.get(key).map(String::as_str)
    }

    /// Whether it has this attribute, whatever its value.
    #[must_use]
    pub fn has_attribute(&self, key: &str) -> bool {
        self.attributes.contains_key(key)
    }

    /// How long ago the session began, by the wall clock; negative if that was set back.
    #[must_use]
    pub fn age(&self) -> Duration {
        Utc::now() - self.established_at
    }

    /// Whether the session is older than this.
    #[must_use]
    pub fn is_expired(&self, max_age: Duration) -> bool {
        self.age() > max_age
    }

    /// Whether the principal is marked as an administrator.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.get_attribute("role") == Some("admin")
    }

    /// Whether the principal is marked as a service account.
    #[must_use]
    pub fn is_service_account(&self) -> bool {
        self.get_attribute("type") == Some("service")
    }
}
