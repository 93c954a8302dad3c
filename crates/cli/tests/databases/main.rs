//! The real program on each of the databases: SQLite, PostgreSQL and MariaDB.
//!
//! Where a server is not installed its tests are ignored with the reason, or fail if
//! `TOKENKEEP_REQUIRE_SERVERS` is set.

#[cfg(test)]
mod follow;
#[cfg(test)]
mod migrate;
#[cfg(test)]
mod place;
#[cfg(test)]
mod scratch;
#[cfg(test)]
#[path = "../cli/support.rs"]
mod support;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod wrong;

fn main() {
    let arguments = libtest_mimic::Arguments::from_args();
    libtest_mimic::run(&arguments, trials()).exit();
}

#[cfg(test)]
fn trials() -> Vec<libtest_mimic::Trial> {
    let lists = [migrate::TESTS, tokens::TESTS, wrong::TESTS];
    let on_each = lists.into_iter().flatten();
    let mut trials: Vec<_> = on_each.flat_map(place::on_each).collect();
    trials.extend(scratch::TESTS.iter().flat_map(place::on_each_alone));
    trials.extend(follow::TESTS.iter().flat_map(place::on_each_server_alone));
    let remains = scratch::SERVER_TESTS.iter();
    trials.extend(remains.flat_map(place::on_each_server_alone));
    trials.extend(tls::TESTS.iter().flat_map(place::on_each_server_alone));
    trials.extend(wrong::SERVER_TESTS.iter().flat_map(place::on_each_server));
    trials
}
