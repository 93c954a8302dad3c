//! The levels durability and faults, tested: a driver that does it right passes them, and each one
//! that does it wrong fails the case meant for it.

#![expect(
    clippy::unwrap_used,
    reason = "a poisoned lock is a panic in a test, and fails it"
)]

mod gate;
mod journal;
mod server;

use tokenkeep_conformance::{Backend, Outcome, Report, RunOptions, Suite};

use crate::gate::Fault;
use crate::journal::{Disk, Loss};
use crate::server::Servers;

fn run(backend: impl Backend, filter: &str) -> Report {
    let options = RunOptions {
        filter: Some(filter.to_owned()),
        threads: 4,
    };
    Suite::new("unreliable", backend).run(&options, &mut |_| {})
}

fn failures(report: &Report) -> Vec<String> {
    let failure = |case: &tokenkeep_conformance::CaseReport| match &case.outcome {
        Outcome::Failed { message } => Some(format!("{}: {message}", case.case)),
        _ => None,
    };
    report.cases.iter().filter_map(failure).collect()
}

fn passes(backend: impl Backend, level: &str) {
    let report = run(backend, level);
    assert!(report.is_success(), "{:#?}", failures(&report));
}

/// The case fails, and says this.
fn fails(backend: impl Backend, case: &str, saying: &str) {
    let failures = failures(&run(backend, case));
    let [failure] = failures.as_slice() else {
        panic!("one case should have failed: {failures:#?}");
    };
    assert!(failure.contains(saying), "{failure}");
}

#[test]
fn a_server_that_comes_back_passes_the_level_faults() {
    passes(Servers(Fault::None), "faults::");
}

#[test]
fn waiting_for_ever_is_caught() {
    let case = "a_frozen_backend_bounds_every_call";
    fails(Servers(Fault::WaitsForEver), case, "did not end within");
}

#[test]
fn waiting_in_line_is_caught() {
    let case = "a_frozen_backend_bounds_many_calls_at_once";
    fails(Servers(Fault::WaitsInLine), case, "did not end within");
}

#[test]
fn answering_not_found_is_caught() {
    let backend = || Servers(Fault::AnswersNotFound);
    let case = "a_frozen_backend_is_told_from_an_empty_store";
    fails(backend(), case, "answered NotFound");
    let case = "a_stopped_backend_is_told_from_an_empty_store";
    fails(backend(), case, "answered NotFound");
}

#[test]
fn answering_from_an_empty_mirror_is_caught() {
    let case = "a_stopped_backend_is_told_from_an_empty_store";
    let says = "create succeeded without a backend";
    fails(Servers(Fault::AnswersFromAMirror), case, says);
}

#[test]
fn not_telling_whether_a_read_was_applied_is_caught() {
    let case = "a_frozen_backend_is_told_from_an_empty_store";
    let says = "get answered Indeterminate";
    fails(Servers(Fault::CannotTellReads), case, says);
}

#[test]
fn applying_after_unavailable_is_caught() {
    let backend = || Servers(Fault::AppliesAfterUnavailable);
    let case = "a_thawed_backend_is_as_the_errors_said";
    let says = "create answered Unavailable, but the token is there";
    fails(backend(), case, says);
    fails(backend(), "a_started_backend_is_as_the_errors_said", says);
    let says = "Failed(Unavailable)";
    fails(backend(), "writers_over_a_freeze_were_told_the_truth", says);
    fails(backend(), "writers_over_a_stop_were_told_the_truth", says);
}

#[test]
fn giving_up_a_frozen_backend_for_good_is_caught() {
    let case = "a_thawed_backend_is_used_again";
    fails(
        Servers(Fault::GivesUpForGood),
        case,
        "the driver does not use it",
    );
}

#[test]
fn giving_up_a_stopped_backend_for_good_is_caught() {
    let case = "a_started_backend_is_used_again";
    fails(
        Servers(Fault::GivesUpForGood),
        case,
        "the driver does not use it",
    );
}

#[test]
fn losing_dropped_connections_is_caught() {
    let case = "calls_dropped_while_frozen_block_nothing_later";
    let says = "the driver does not use it";
    fails(Servers(Fault::LosesDroppedConnections), case, says);
}

#[test]
fn starting_empty_is_caught() {
    let backend = || Servers(Fault::StartsEmpty);
    fails(backend(), "a_started_backend_is_used_again", "NotFound");
    let case = "a_started_backend_still_has_what_was_revoked";
    fails(backend(), case, "the feed");
}

#[test]
fn losing_what_writers_had_written_before_a_restart_is_caught() {
    let case = "writers_go_on_over_restarts";
    fails(Servers(Fault::StartsEmpty), case, "Acknowledged");
}

#[test]
fn taking_an_absent_backend_for_an_absent_token_is_caught_by_writers_that_go_on() {
    let case = "writers_go_on_over_restarts";
    let says = "a writer was told Failed(NotFound)";
    fails(Servers(Fault::AnswersNotFound), case, says);
}

#[test]
fn giving_up_for_good_is_caught_by_writers_that_go_on() {
    let case = "writers_go_on_over_restarts";
    fails(
        Servers(Fault::GivesUpForGood),
        case,
        "the driver does not use it",
    );
}

#[test]
fn writing_to_a_read_only_backend_is_caught() {
    let case = "a_read_only_backend_refuses_every_write";
    fails(Servers(Fault::WritesAllTheSame), case, "create succeeded");
}

#[test]
fn not_telling_that_a_write_was_refused_is_caught() {
    let case = "a_read_only_backend_refuses_every_write";
    let says = "create answered Indeterminate";
    fails(Servers(Fault::CannotTellWrites), case, says);
}

#[test]
fn refusing_reads_of_a_read_only_backend_is_caught() {
    let case = "a_read_only_backend_answers_every_read";
    let says = "get answered Unavailable";
    fails(Servers(Fault::RefusesReads), case, says);
}

#[test]
fn giving_up_a_read_only_backend_for_good_is_caught() {
    let backend = || Servers(Fault::GivesUpForGood);
    let case = "a_read_only_backend_answers_every_read";
    fails(backend(), case, "answered Unavailable");
    let case = "a_writable_backend_is_used_again";
    fails(backend(), case, "afterwards create answered Unavailable");
}

#[test]
fn applying_what_a_read_only_backend_refused_is_caught() {
    let backend = || Servers(Fault::AppliesAfterUnavailable);
    let says = "create answered Unavailable, but the token is there";
    fails(backend(), "a_writable_backend_is_as_the_errors_said", says);
    let case = "writers_over_a_read_only_spell_were_told_the_truth";
    fails(backend(), case, "Failed(Unavailable)");
}

#[test]
fn a_disk_that_keeps_everything_passes_the_level_durability() {
    passes(Disk(Loss::Nothing), "durability::");
}

#[test]
fn losing_everything_is_caught() {
    let backend = || Disk(Loss::Everything);
    fails(backend(), "::creates_survive_a_kill", "NotFound");
    fails(backend(), "::creates_survive_a_reopen", "NotFound");
    fails(backend(), "every_index_is_whole_after_a_kill", "NotFound");
}

#[test]
fn losing_the_last_writes_is_caught() {
    let backend = || Disk(Loss::TheLastWrites);
    fails(backend(), "every_write_survives_its_own_kill", "NotFound");
    let case = "a_kill_beside_one_writer_loses_nothing_acknowledged";
    fails(backend(), case, "Acknowledged");
    let case = "a_kill_beside_eight_writers_loses_nothing_acknowledged";
    fails(backend(), case, "Acknowledged");
}

#[test]
fn losing_revocations_is_caught() {
    let backend = || Disk(Loss::Revocations);
    fails(backend(), "::deletes_survive_a_kill", "succeeded");
    fails(backend(), "::bulk_revocations_survive_a_kill", "succeeded");
}

#[test]
fn losing_replaces_is_caught() {
    let case = "::replaces_survive_a_kill";
    fails(Disk(Loss::Replaces), case, "what get gives");
}

#[test]
fn losing_successors_is_caught() {
    let backend = || Disk(Loss::Successors);
    fails(backend(), "::rotations_survive_a_kill", "NotFound");
    let case = "a_kill_beside_eight_writers_loses_nothing_acknowledged";
    fails(backend(), case, "rotate");
}

#[test]
fn losing_flushes_is_caught() {
    let case = "::flushes_survive_a_kill";
    fails(Disk(Loss::Flushes), case, "the flush of the rest");
}

#[test]
fn losing_the_order_of_revocation_is_caught() {
    let backend = || Disk(Loss::OrderOfRevocation);
    let case = "the_feed_keeps_its_order_over_a_kill";
    fails(backend(), case, "the feed after round 0");
}

#[test]
fn losing_the_identity_of_the_store_is_caught() {
    let backend = || Disk(Loss::Identity);
    let says = "cursor was not given";
    fails(backend(), "a_feed_cursor_resumes_after_a_kill", says);
    fails(backend(), "a_list_cursor_holds_over_a_kill", says);
}

#[test]
fn showing_what_can_still_be_lost_is_caught() {
    let backend = || Disk(Loss::WhatIsUnderWay);
    for case in [
        "a_create_that_was_seen",
        "a_batch_that_was_seen",
        "a_replace_that_was_seen",
        "a_delete_that_was_seen",
        "a_bulk_revocation_that_was_seen",
        "a_rotation_that_was_seen",
        "a_revocation_seen_in_the_feed",
    ] {
        fails(backend(), case, ", seen by ");
    }
}

/// The hooks of a level are asked for by name where they are missing.
#[test]
fn a_missing_hook_is_a_failure_that_says_what_to_do() {
    let case = "::creates_survive_a_reopen";
    fails(
        Servers(Fault::None),
        case,
        "does not offer the hook `reopen`",
    );
    let case = "a_frozen_backend_bounds_every_call";
    fails(
        Disk(Loss::Nothing),
        case,
        "does not offer the hook `freeze`",
    );
}
