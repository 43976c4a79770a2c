//! Every operation leaves one record, whatever comes of it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use airssys_osl::prelude::*;
use airssys_osl::supervise::SpawnOptions;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps the records as text: the level, then each field.
#[derive(Clone, Default)]
struct Records(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?};", field.name()).unwrap();
    }
}

impl Subscriber for Records {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "airssys_osl::audit"
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string());
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

#[tokio::test(flavor = "current_thread")]
async fn each_operation_is_recorded_once() {
    let records = Records::default();
    let _guard = tracing::subscriber::set_default(records.clone());
    let next = |level: Level, parts: &[&str]| {
        let record = records.0.lock().unwrap().pop().unwrap();
        assert!(records.0.lock().unwrap().is_empty(), "one record for each");
        assert!(record.starts_with(level.as_str()), "{record}");
        let common = [
            "user=alice;",
            "executor=auditor;",
            "execution_id=",
            "operation_id=\"process:",
        ];
        for part in parts.iter().chain(&common) {
            assert!(record.contains(part), "`{part}` is missing in: {record}");
        }
        assert!(!record.contains("hunter2"), "variables stay out: {record}");
    };

    let executor = ProcessExecutor::new("auditor");
    let context = ExecutionContext::new(SecurityContext::new("alice".to_string()));
    let operation = ProcessSpawnOperation::new("sleep")
        .arg("1000")
        .env("PASSWORD", "hunter2");
    let mut child = executor
        .spawn(operation, &SpawnOptions::new(), &context)
        .await
        .unwrap();
    let pid = format!("pid={};", child.pid());
    next(
        Level::INFO,
        &["operation=ProcessSpawn(sleep [1000]);", &pid],
    );

    child.signal(18).unwrap();
    next(
        Level::INFO,
        &["operation=ProcessSignal(", "signal=18);", &pid],
    );
    executor
        .execute(ProcessKillOperation::new(child.pid()), &context)
        .await
        .unwrap();
    next(Level::INFO, &["operation=ProcessKill(", &pid]);
    child.wait().await.unwrap();
    child.kill().unwrap_err();
    next(
        Level::WARN,
        &[
            "operation=ProcessSignal(",
            "signal=9);",
            &pid,
            "error=",
            "has ended",
        ],
    );

    executor
        .execute(ProcessSpawnOperation::new("true"), &context)
        .await
        .unwrap();
    next(Level::INFO, &["operation=ProcessSpawn(true);"]);
    executor
        .execute(ProcessSpawnOperation::new(""), &context)
        .await
        .unwrap_err();
    next(
        Level::WARN,
        &[
            "operation=ProcessSpawn();",
            "pid=0;",
            "Command cannot be empty",
        ],
    );
    executor
        .execute(ProcessSignalOperation::terminate(1), &context)
        .await
        .unwrap_err();
    next(
        Level::WARN,
        &["operation=ProcessSignal(pid=1, signal=15);", "init process"],
    );
}
