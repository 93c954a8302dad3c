//! The real program on each of the databases: SQLite, PostgreSQL, MariaDB, and Redis by itself, with
//! sentinels and as a Cluster.
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
mod redis;
#[cfg(test)]
mod scratch;
#[cfg(test)]
mod servers;
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
    use place::{ALL, REDIS, SERVERS, SQL, SQL_SERVERS, on, on_alone};

    const CLUSTERED: &[place::Kind] = &[place::Kind::Sentinel, place::Kind::Cluster];
    const REDIS_ALONE: &[place::Kind] = &[place::Kind::Redis];

    [
        on(SQL, migrate::TESTS),
        on(ALL, tokens::TESTS),
        on(ALL, wrong::TESTS),
        on(SERVERS, wrong::SERVER_TESTS),
        on(CLUSTERED, wrong::SEVERAL_TESTS),
        on(REDIS, redis::TESTS),
        on(REDIS_ALONE, redis::ONE_SERVER_TESTS),
        on_alone(REDIS, redis::OWN_TESTS),
        on_alone(SQL, scratch::TESTS),
        on_alone(REDIS_ALONE, scratch::TESTS),
        on_alone(CLUSTERED, scratch::SEVERAL_TESTS),
        on_alone(SERVERS, scratch::SERVER_TESTS),
        on_alone(SERVERS, follow::TESTS),
        on_alone(SQL_SERVERS, tls::TESTS),
        on(REDIS_ALONE, tls::REDIS_TESTS),
    ]
    .into_iter()
    .flatten()
    .collect()
}
