//! The list of cases.

use crate::{
    capsules, collections, endings, failures, family, hoarder, host, kills, memory, namespaces,
    places, poison, resume, signals, trace, unjudged, untrusted,
};

/// One test, run by a process of its own.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
    /// Looks at what the case and its partitions wrote to stderr.
    pub(crate) check_stderr: fn(&str),
}

const fn case(name: &'static str, run: fn()) -> Case {
    Case {
        name,
        run,
        check_stderr: |_| {},
    }
}

pub(crate) const CASES: &[Case] = &[
    case(
        "two_and_three_stages_bring_everything_through",
        kills::undisturbed,
    ),
    case(
        "seventy_two_kills_amidst_traffic_lose_nothing",
        kills::amidst_traffic,
    ),
    case(
        "kills_of_either_side_of_many_links_lose_nothing",
        kills::of_many_links,
    ),
    case(
        "kills_leave_no_half_change_in_a_durable_collection",
        collections::survive_kills,
    ),
    case(
        "kills_while_everything_drains_lose_nothing",
        kills::while_draining,
    ),
    Case {
        name: "panics_exits_and_faults_are_restarted_and_reported",
        run: failures::of_every_kind,
        check_stderr: failures::every_kind_was_reported,
    },
    case(
        "one_failure_too_many_leaves_the_bus_and_no_process",
        failures::too_many,
    ),
    Case {
        name: "an_untrusted_link_ends_alone_and_that_is_told_once",
        run: untrusted::ends_alone,
        check_stderr: untrusted::was_told_once,
    },
    Case {
        name: "exit_code_70_for_an_impossible_word_on_a_trusted_link",
        run: untrusted::ends_the_partition,
        check_stderr: untrusted::named_the_peer,
    },
    Case {
        name: "messages_that_kill_in_every_way_are_set_aside_and_told_once",
        run: poison::every_kind,
        check_stderr: poison::each_was_told_once,
    },
    case("a_message_that_hangs_is_set_aside", poison::hang),
    case(
        "kills_from_outside_blame_no_message_in_work",
        poison::kills_blame_nobody,
    ),
    case(
        "letters_are_requeued_and_dropped_under_kills",
        poison::commands_under_kills,
    ),
    Case {
        name: "without_room_for_its_letter_an_actor_waits",
        run: poison::full_waits,
        check_stderr: poison::a_wait_was_told,
    },
    Case {
        name: "without_room_a_letter_is_dropped_if_the_link_says_so",
        run: poison::full_drops,
        check_stderr: poison::each_loss_was_told,
    },
    case(
        "three_letters_in_a_row_have_the_state_start_anew",
        poison::state_starts_anew,
    ),
    case(
        "collections_start_anew_with_the_cells_whoever_is_killed",
        hoarder::state_starts_anew,
    ),
    case(
        "a_message_that_kills_its_supervisor_too_is_set_aside",
        hoarder::the_launcher_dies_too,
    ),
    Case {
        name: "a_panic_is_judged_by_who_resumes_the_bus_if_nobody_saw_it",
        run: unjudged::panic_unseen,
        check_stderr: unjudged::what_is_to_blame_was_told,
    },
    case(
        "a_process_that_died_with_its_supervisor_blames_nothing",
        unjudged::orphan,
    ),
    case(
        "a_hosted_partition_that_died_with_its_process_blames_nothing",
        unjudged::hosted,
    ),
    case(
        "three_letters_in_a_row_end_the_topology",
        poison::state_is_to_blame,
    ),
    case(
        "without_dead_letters_a_message_that_kills_ends_the_topology",
        poison::no_letters,
    ),
    case("a_stopped_process_is_left_alone", failures::stopped),
    case("a_hung_process_is_killed_and_restarted", failures::hung),
    case(
        "the_clock_of_a_killed_step_is_kept_and_read_again",
        capsules::reading_of_a_killed_step,
    ),
    case(
        "a_full_disk_keeps_nothing_and_ends_nothing",
        capsules::on_a_full_disk,
    ),
    case(
        "exit_code_70_for_a_step_that_can_not_end",
        failures::step_too_large,
    ),
    case(
        "exit_code_71_for_a_region_that_is_gone",
        failures::region_gone,
    ),
    Case {
        name: "exit_code_72_for_another_topology",
        run: failures::another_topology,
        check_stderr: failures::both_digests_were_told,
    },
    case("exit_code_75_for_an_orphan", failures::orphan),
    case(
        "a_program_that_does_not_enter_is_told",
        family::unentered_case,
    ),
    case(
        "partitions_carry_their_names_in_groups_of_their_own",
        family::names_and_groups,
    ),
    case(
        "a_grandchild_that_inherits_the_marker_ignores_it",
        family::grandchild,
    ),
    case(
        "partitions_die_with_their_supervisor",
        family::dies_with_supervisor,
    ),
    case("a_bus_taken_by_another_process_names_it", family::taken),
    case(
        "the_first_signal_drains_and_so_it_does_in_a_second_join",
        endings::drains,
    ),
    case(
        "every_life_has_its_memory_and_is_warmed_up",
        memory::of_each_life,
    ),
    case(
        "memory_beyond_the_limit_is_not_locked_and_that_is_told",
        memory::beyond_the_limit,
    ),
    case("the_second_signal_stops_at_once", endings::stops_at_once),
    case("dropping_it_reaps_every_process", endings::dropped),
    case(
        "one_signal_ends_every_join_and_then_does_its_default",
        signals::two_joins,
    ),
    case(
        "a_hosts_handler_is_called_during_a_join_and_after_it",
        signals::hosts_handler,
    ),
    case(
        "no_trace_of_threads_that_were_dropped",
        trace::dropped_threads,
    ),
    case(
        "no_trace_of_processes_that_were_dropped",
        trace::dropped_processes,
    ),
    case(
        "no_trace_of_threads_that_were_joined",
        trace::joined_threads,
    ),
    case(
        "no_trace_of_processes_that_were_joined",
        trace::joined_processes,
    ),
    case("no_trace_of_a_run", trace::run),
    case("no_trace_of_a_launch_that_was_refused", trace::refused),
    case("no_trace_of_a_launch_that_failed", trace::failed),
    case("no_trace_of_two_buses_at_once", trace::two_buses),
    case("no_trace_inside_of_a_tokio_worker", trace::tokio_worker),
    case(
        "no_trace_inside_of_a_current_thread_runtime",
        trace::tokio_current_thread,
    ),
    case("no_trace_of_a_launch_on_another_thread", trace::on_a_thread),
    case(
        "a_partition_has_its_standard_descriptors_and_its_regions",
        trace::descriptors_of_partitions,
    ),
    Case {
        name: "killed_launchers_of_processes_are_followed_by_others",
        run: resume::processes,
        check_stderr: resume::was_reported,
    },
    Case {
        name: "killed_launchers_of_threads_are_followed_by_others",
        run: resume::threads,
        check_stderr: resume::was_reported,
    },
    case("what_threads_left_processes_take_up", resume::the_other_way),
    case("a_finished_bus_is_resumed_to_its_end", resume::finished),
    case("a_bus_is_private_whatever_the_umask", places::masked),
    case(
        "a_bus_that_cannot_be_signed_leaves_no_trace",
        places::unwritable,
    ),
    case("a_bus_is_taken_across_pid_namespaces", namespaces::taken),
    case(
        "a_partition_of_another_pid_namespace_is_alive",
        namespaces::alive,
    ),
    case(
        "a_dead_bus_of_another_pid_namespace_is_discarded",
        namespaces::dead,
    ),
    case(
        "kills_between_two_ports_of_the_host_lose_nothing",
        host::kills_between_two_ports,
    ),
    case(
        "kills_around_a_hosted_partition_lose_nothing",
        host::kills_around_a_hosted_one,
    ),
    case(
        "whoever_waits_is_told_of_a_stop_a_drop_and_an_escalation",
        host::waiting_threads,
    ),
];

/// What cases start as processes of their own.
pub(crate) const HELPERS: &[(&str, fn())] = &[
    ("launch-traffic", family::launch_traffic),
    ("grandchild", family::be_a_grandchild),
    ("join-twice", endings::join_twice),
    ("resume-traffic", resume::resume_traffic),
    ("resume-poisoned", hoarder::resume_poisoned),
    ("run-panics", unjudged::run_panics),
    (
        "run-panics-and-starts-anew",
        unjudged::run_panics_and_starts_anew,
    ),
    ("run-orphaned", unjudged::run_orphaned),
    ("run-driven", unjudged::run_driven),
    ("finish-and-stay", resume::finish_and_stay),
    ("crash-on-a-full-disk", capsules::crash_on_a_full_disk),
    ("launch-inside", namespaces::launch_one_inside),
    ("join-stubborn", endings::join_stubborn),
    ("join-two", signals::join_two),
    ("orphan", || unreachable!("it has a marker")),
];
