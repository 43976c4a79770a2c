//! Why a run can't end with a verdict.

use airssys_rt::{LaunchError, ReadError, RunError, TopologyError};

use crate::source::SourceError;

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum Failure {
    Source(#[from] SourceError),
    Topology(#[from] TopologyError),
    Launch(#[from] LaunchError),
    Run(#[from] RunError),
    Read(#[from] ReadError),
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

impl Failure {
    /// 2 if the run was refused what it needs, 1 if it went wrong.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Source(_) | Self::Topology(_) | Self::Launch(_) | Self::Output(_) => 2,
            Self::Run(_) | Self::Read(_) => 1,
        }
    }
}
