//! What the kernel was started with, and which cores it grants.

/// Parameters of the kernel's command line that latencies depend on, by how their names begin. The others are counted only: they
/// name disks, consoles and hosts, which are nobody's business in a report.
const PARAMETERS: [&str; 38] = [
    "audit",
    "clocksource",
    "cpufreq",
    "cpuidle",
    "default_hugepagesz",
    "elevator",
    "hugepages",
    "idle",
    "init_on_",
    "intel_idle",
    "intel_pstate",
    "amd_pstate",
    "iommu",
    "irqaffinity",
    "isolcpus",
    "kpti",
    "kthread_cpus",
    "lapic",
    "maxcpus",
    "mce",
    "mitigations",
    "nmi_watchdog",
    "nohz",
    "nopti",
    "nosmt",
    "nosoftlockup",
    "nospectre",
    "nowatchdog",
    "numa_balancing",
    "pcie_aspm",
    "preempt",
    "processor.",
    "psi",
    "rcu",
    "skew_tick",
    "spec",
    "transparent_hugepage",
    "tsc",
];

/// Those of a command line, in its order, and how many there are besides.
pub(crate) fn latency_parameters(command_line: &str) -> String {
    let (told, others): (Vec<&str>, Vec<&str>) = command_line
        .split_whitespace()
        .partition(|word| PARAMETERS.iter().any(|name| word.starts_with(name)));
    let others = format!("and {} others", others.len());
    told.into_iter()
        .chain([others.as_str()])
        .collect::<Vec<_>>()
        .join(" ")
}

/// As the kernel writes them, "0-3,8", of the text of `/proc/self/status`.
pub(crate) fn allowed_cores(status: &str) -> String {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.map_or("unknown", str::trim).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_latencies_depend_on_is_told_and_the_rest_counted() {
        let line = "root=UUID=1 isolcpus=2-3 quiet nohz_full=2-3 init=/secret rcu_nocbs=2-3";
        assert_eq!(
            latency_parameters(line),
            "isolcpus=2-3 nohz_full=2-3 rcu_nocbs=2-3 and 3 others"
        );
        assert_eq!(latency_parameters(""), "and 0 others");
    }

    #[test]
    fn the_allowed_cores_are_those_of_the_status() {
        let status = "Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n";
        assert_eq!(allowed_cores(status), "0-1");
        assert_eq!(allowed_cores(""), "unknown");
    }
}
