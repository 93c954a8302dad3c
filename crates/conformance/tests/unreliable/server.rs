//! The gate as a store of the suite.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokenkeep_conformance::{Backend, Store};
use tokenkeep_core::{Clock, Error, ErrorKind, Result, TokenDriver};
use tokio::sync::watch;

use crate::gate::{CALL_TIMEOUT, Fault, Gated, State};

/// Opens stores whose driver has this fault.
pub(crate) struct Servers(pub(crate) Fault);

struct Server {
    driver: Arc<Gated>,
    state: watch::Sender<State>,
}

#[async_trait]
impl Backend for Servers {
    async fn open(&self, clock: Arc<dyn Clock>) -> Result<Box<dyn Store>> {
        let (state, receiver) = watch::channel(State::Working);
        let driver = Gated::new(clock, receiver, self.0);
        Ok(Box::new(Server {
            driver: Arc::new(driver),
            state,
        }))
    }
}

impl Server {
    fn go(&self, state: State) -> Result<()> {
        self.state
            .send(state)
            .map_err(|_| Error::new(ErrorKind::Internal, "the driver is gone"))
    }
}

#[async_trait]
impl Store for Server {
    fn driver(&self) -> Arc<dyn TokenDriver> {
        Arc::<Gated>::clone(&self.driver)
    }

    async fn freeze(&self) -> Result<()> {
        self.go(State::Frozen)
    }

    async fn thaw(&self) -> Result<()> {
        self.go(State::Working)
    }

    async fn stop(&self) -> Result<()> {
        self.go(State::Stopped)
    }

    async fn start(&self) -> Result<()> {
        if self.driver.fault == Fault::StartsEmpty {
            self.driver.lose_everything();
        }
        self.go(State::Working)
    }

    async fn read_only(&self, on: bool) -> Result<()> {
        self.go(if on { State::ReadOnly } else { State::Working })
    }

    fn call_timeout(&self) -> Duration {
        CALL_TIMEOUT
    }
}
