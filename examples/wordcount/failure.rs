//! Why a run can't end with a verdict.

use airssys_rt::{Error, ReadError, TopologyError};

use crate::source::SourceError;

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) enum Failure {
    Source(#[from] SourceError),
    Topology(#[from] TopologyError),
    Bus(#[from] Error),
    Read(#[from] ReadError),
    #[error("standard output: {0}")]
    Output(std::io::Error),
}

impl Failure {
    /// 2 if the run was refused what it needs, 1 if it went wrong.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Source(_) | Self::Topology(_) | Self::Bus(Error::Launch(_)) | Self::Output(_) => {
                2
            }
            Self::Bus(_) | Self::Read(_) => 1,
        }
    }
}
