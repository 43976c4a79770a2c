//! The limits of this process's control groups, and of every group above them, in version 1 and version 2.
//!
//! A limit holds for all below it, so the tightest on the way up counts. Inside a container the mount may show only a
//! part of the hierarchy, or `/proc/self/cgroup` a path that the mount doesn't have: what can't be seen is no limit here.

use std::fs;
use std::path::{Path, PathBuf};

/// A group without a limit shows, in version 1, the largest multiple of the page size instead of a word.
const V1_UNLIMITED: u64 = i64::MAX as u64 & !0xffff;

/// The groups that limit CPU time and memory, each from this process's own upwards.
#[derive(Debug, Default)]
pub(crate) struct Cgroups {
    cpu: Vec<Group>,
    memory: Vec<Group>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    dir: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// What a group leaves to be allocated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemoryRoom {
    /// The file that sets the limit.
    pub(crate) file: PathBuf,
    /// Bytes.
    pub(crate) limit: u64,
    /// Bytes below the limit, those included that the kernel takes back before it kills.
    pub(crate) free: u64,
}

impl Cgroups {
    /// Those of this process.
    pub(crate) fn of_this_process() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        Self::parse(&text("/proc/self/cgroup"), &text("/proc/self/mountinfo"))
    }

    fn parse(memberships: &str, mounts: &str) -> Self {
        Self {
            cpu: groups(memberships, mounts, "cpu"),
            memory: groups(memberships, mounts, "memory"),
        }
    }

    /// Whole cores' worth of CPU time, rounded down; `None` without a limit.
    pub(crate) fn cpu_quota(&self) -> Option<usize> {
        self.cpu.iter().filter_map(Group::cpu_quota).min()
    }

    /// The group with the least memory left; `None` without a limit.
    pub(crate) fn memory_room(&self) -> Option<MemoryRoom> {
        let rooms = self.memory.iter().filter_map(Group::memory_room);
        rooms.min_by_key(|room| room.free)
    }
}

impl Group {
    fn cpu_quota(&self) -> Option<usize> {
        let (quota, period) = match self.version {
            Version::V2 => {
                let text = fs::read_to_string(self.dir.join("cpu.max")).ok()?;
                let (quota, period) = text.trim().split_once(' ')?;
                (quota.parse::<u64>().ok()?, period.parse::<u64>().ok()?)
            }
            Version::V1 => (
                self.number("cpu.cfs_quota_us")?,
                self.number("cpu.cfs_period_us")?,
            ),
        };
        Some(quota.checked_div(period)? as usize)
    }

    fn memory_room(&self) -> Option<MemoryRoom> {
        let (limit, current, reclaimable) = match self.version {
            Version::V2 => (
                "memory.max",
                "memory.current",
                ["inactive_file", "active_file"],
            ),
            Version::V1 => (
                "memory.limit_in_bytes",
                "memory.usage_in_bytes",
                ["total_inactive_file", "total_active_file"],
            ),
        };
        let file = self.dir.join(limit);
        let limit = self.number(limit)?;
        if self.version == Version::V1 && limit >= V1_UNLIMITED {
            return None;
        }
        let stat = fs::read_to_string(self.dir.join("memory.stat")).unwrap_or_default();
        let cached: u64 = stat
            .lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(key, _)| reclaimable.contains(key))
            .filter_map(|(_, value)| value.parse::<u64>().ok())
            .sum();
        let held = self.number(current)?.saturating_sub(cached);
        Some(MemoryRoom {
            file,
            limit,
            free: limit.saturating_sub(held),
        })
    }

    /// The file's number; `None` if it is absent or holds a word, such as "max", or -1.
    fn number(&self, file: &str) -> Option<u64> {
        let text = fs::read_to_string(self.dir.join(file)).ok()?;
        text.trim().parse().ok()
    }
}

/// This process's groups with `controller`, its own first.
fn groups(memberships: &str, mounts: &str, controller: &str) -> Vec<Group> {
    let mut found = Vec::new();
    for line in memberships.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let version = if controllers.is_empty() {
            Version::V2
        } else if controllers.split(',').any(|name| name == controller) {
            Version::V1
        } else {
            continue;
        };
        if let Some((mount, own)) = place(mounts, version, controller, path) {
            let upwards = own.ancestors().take_while(|dir| dir.starts_with(&mount));
            found.extend(upwards.map(|dir| Group {
                dir: dir.to_owned(),
                version,
            }));
        }
    }
    found
}

/// Where the hierarchy is mounted, and which directory in it is ours.
fn place(
    mounts: &str,
    version: Version,
    controller: &str,
    path: &str,
) -> Option<(PathBuf, PathBuf)> {
    mounts.lines().find_map(|line| {
        let (fields, file_system) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, mount) = (Path::new(fields.next()?), PathBuf::from(fields.next()?));
        let mut words = file_system.split(' ');
        let matches = match (version, words.next()?) {
            (Version::V2, "cgroup2") => true,
            (Version::V1, "cgroup") => words.nth(1)?.split(',').any(|option| option == controller),
            _ => false,
        };
        if !matches {
            return None;
        }
        let below = Path::new(path).strip_prefix(root).unwrap_or(Path::new(""));
        let plain = below
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        let own = if plain {
            mount.join(below)
        } else {
            mount.clone()
        };
        Some((mount, own))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a panic is a test's failure")]

    use super::*;

    /// A made-up hierarchy on disk: the files are what the kernel would show.
    struct Fake {
        dir: PathBuf,
    }

    impl Fake {
        fn new(name: &str, files: &[(&str, &str)]) -> Self {
            let dir =
                std::env::temp_dir().join(format!("airssys-cgroup-{name}-{}", std::process::id()));
            for (path, content) in files {
                let file = dir.join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, content).unwrap();
            }
            Self { dir }
        }

        fn v2(&self, path: &str) -> Cgroups {
            let mount = format!(
                "31 23 0:28 / {} rw - cgroup2 cgroup2 rw",
                self.dir.display()
            );
            Cgroups::parse(&format!("0::{path}\n"), &mount)
        }

        fn v1(&self, path: &str, root: &str) -> Cgroups {
            let dir = self.dir.display();
            let mounts = format!(
                "1 0 0:1 {root} {dir} rw shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                 2 0 0:2 {root} {dir} rw - cgroup cgroup rw,memory\n"
            );
            Cgroups::parse(
                &format!("4:memory:{path}\n3:cpu,cpuacct:{path}\n0::/\n"),
                &mounts,
            )
        }
    }

    impl Drop for Fake {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }

    #[test]
    fn the_tightest_ancestor_counts() {
        let fake = Fake::new(
            "v2",
            &[
                ("a/cpu.max", "250000 100000\n"),
                ("a/b/cpu.max", "450000 100000\n"),
                ("a/memory.max", "1000\n"),
                ("a/memory.current", "900\n"),
                ("a/b/memory.max", "800\n"),
                ("a/b/memory.current", "500\n"),
            ],
        );
        let groups = fake.v2("/a/b");
        assert_eq!(groups.cpu_quota(), Some(2));
        let room = groups.memory_room().unwrap();
        assert_eq!((room.limit, room.free), (1000, 100));
        assert_eq!(room.file, fake.dir.join("a/memory.max"));
    }

    #[test]
    fn page_cache_is_not_in_the_way() {
        let fake = Fake::new(
            "cache",
            &[
                ("memory.max", "1000"),
                ("memory.current", "900"),
                (
                    "memory.stat",
                    "anon 50\nfile 800\nshmem 100\ninactive_file 300\nactive_file 400\n",
                ),
            ],
        );
        assert_eq!(fake.v2("/").memory_room().unwrap().free, 800);
    }

    #[test]
    fn absent_files_and_max_are_no_limit() {
        let fake = Fake::new(
            "none",
            &[("a/memory.max", "max"), ("a/cpu.max", "max 100000")],
        );
        for path in ["/a", "/elsewhere", "/../outside"] {
            let groups = fake.v2(path);
            assert_eq!(
                (groups.cpu_quota(), groups.memory_room()),
                (None, None),
                "{path}"
            );
        }
        let nothing = Cgroups::parse("", "");
        assert_eq!((nothing.cpu_quota(), nothing.memory_room()), (None, None));
    }

    #[test]
    fn version_1_has_its_own_words() {
        let fake = Fake::new(
            "v1",
            &[
                ("cpu.cfs_quota_us", "-1"),
                ("cpu.cfs_period_us", "100000"),
                ("c/cpu.cfs_quota_us", "50000"),
                ("c/cpu.cfs_period_us", "100000"),
                ("memory.limit_in_bytes", "9223372036854771712"),
                ("memory.usage_in_bytes", "5"),
                ("c/memory.limit_in_bytes", "4096"),
                ("c/memory.usage_in_bytes", "96"),
            ],
        );
        let groups = fake.v1("/docker/x/c", "/docker/x");
        assert_eq!(groups.cpu_quota(), Some(0));
        assert_eq!(groups.memory_room().unwrap().free, 4000);
        assert_eq!(fake.v1("/docker/x", "/docker/x").memory_room(), None);
    }

    #[test]
    fn this_machines_files_are_read_without_complaint() {
        let groups = Cgroups::of_this_process();
        let _ = (groups.cpu_quota(), groups.memory_room());
    }
}
