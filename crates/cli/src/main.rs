#![doc = include_str!("../README.md")]

mod app;
mod args;
mod commands;
mod exit;
mod input;
mod keystone;
mod logging;
mod output;
mod scratch;
mod session;
mod signals;

use std::process::ExitCode;

fn main() -> ExitCode {
    app::run().into()
}
