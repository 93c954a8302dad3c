//! The figures of the background flush as metrics.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

use crate::Flusher;

/// Reads a flusher's status at each scrape, so that a flush that hangs shows as falling behind.
#[derive(Debug)]
pub(crate) struct FlushCollector(pub(crate) Flusher);

impl Collector for FlushCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let status = self.0.status();
        let counters = [
            (
                "tokenkeep_flush_runs",
                "Flushes that left no expired token behind",
                status.runs,
            ),
            (
                "tokenkeep_flush_removed",
                "Expired tokens removed",
                status.removed,
            ),
            (
                "tokenkeep_flush_errors",
                "Flushes that ended with an error",
                status.errors,
            ),
        ];
        for (name, help, value) in counters {
            let counter = ConstCounter::new(value);
            let descriptor = encoder.encode_descriptor(name, help, None, counter.metric_type())?;
            counter.encode(descriptor)?;
        }
        let behind = ConstGauge::new(status.behind.as_secs_f64());
        let descriptor = encoder.encode_descriptor(
            "tokenkeep_flush_behind",
            "Time since a flush left no expired token behind",
            Some(&Unit::Seconds),
            behind.metric_type(),
        )?;
        behind.encode(descriptor)
    }
}
