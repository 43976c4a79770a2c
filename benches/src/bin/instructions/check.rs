//! Counts against a recorded report.

use std::fs;
use std::path::Path;

use airssys_benches::environment;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::operation::Result;

/// More than this share, and more than so many instructions, is a finding.
const SHARE: f64 = 0.05;
const INSTRUCTIONS: f64 = 3.0;

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Count {
    pub(crate) operation: String,
    pub(crate) instructions: f64,
}

/// What of an `instructions.json` is compared.
#[derive(Debug, Deserialize)]
pub(crate) struct Recorded {
    environment: Value,
    operations: Vec<Count>,
}

#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Operations that take more.
    pub(crate) more: Vec<String>,
    /// What the comparison has to be read with.
    pub(crate) notes: Vec<String>,
}

impl Recorded {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        serde_json::from_str(&text).map_err(|error| {
            format!(
                "{}: not an instructions.json, as --report writes it: {error}",
                path.display()
            )
            .into()
        })
    }

    pub(crate) fn compare(&self, counts: &[Count]) -> Findings {
        let mut findings = Findings::default();
        let (then, now) = (&self.environment["compiler"], &environment()["compiler"]);
        if then != now {
            findings.notes.push(format!(
                "recorded with another compiler: {then}, here {now}"
            ));
        }
        for count in counts {
            let name = &count.operation;
            let Some(old) = self.operations.iter().find(|old| old.operation == *name) else {
                findings.notes.push(format!("`{name}` was not recorded"));
                continue;
            };
            let more = count.instructions - old.instructions;
            if more > INSTRUCTIONS && more > old.instructions * SHARE {
                findings.more.push(format!(
                    "`{name}` takes {:.1} instructions, recorded are {:.1}",
                    count.instructions, old.instructions
                ));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(operation: &str, instructions: f64) -> Count {
        Count {
            operation: operation.to_owned(),
            instructions,
        }
    }

    #[test]
    fn only_what_takes_over_5_percent_and_3_instructions_more_is_found() {
        let recorded = Recorded {
            environment: environment(),
            operations: vec![count("short", 20.0), count("long", 200.0)],
        };
        for (short, long, found) in [
            (20.0, 200.0, 0),
            (23.0, 210.0, 0), // 3 instructions, 5 %: not over
            (23.1, 100.0, 1),
            (10.0, 210.1, 1),
            (40.0, 400.0, 2),
        ] {
            let findings = recorded.compare(&[count("short", short), count("long", long)]);
            assert_eq!(findings.more.len(), found, "{short} and {long}");
            assert!(findings.notes.is_empty());
        }
        let new = recorded.compare(&[count("new", 1e6)]);
        assert_eq!((new.more.len(), new.notes.len()), (0, 1));
    }
}
