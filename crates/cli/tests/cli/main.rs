//! The real program, run as its users run it.

#[cfg(test)]
mod bulk;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod keystone;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod suite_and_demo;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod trouble;
