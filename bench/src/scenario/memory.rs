//! How much memory a server takes while spans come as fast as answers go back, and whether more of them take more.

use super::Error;
use super::blocks::all_in_blocks;
use super::options::Options;
use super::server::Server;
use super::summary::{Measured, Target};

/// MiB that the first number of spans may take.
const PEAK: f64 = 400.0;
/// The number of spans that this is for.
const PEAK_SPANS: u64 = 600_000;

/// One server after the other: full speed, until everything is in blocks.
pub fn memory(options: &Options) -> Result<Vec<Measured>, Error> {
    let (mut measured, mut peaks) = (Vec::new(), Vec::new());
    for &spans in &options.memory_spans {
        let server = Server::start(options)?;
        let report = all_in_blocks(&server, options, spans, 0, &[])?;
        let told = report.server_until_settled.as_ref();
        let told = told.ok_or_else(|| Error::Failed("the server is gone".into()))?;
        let peak = told.peak_rss_mib;
        peaks.push(peak);
        let target = (spans == PEAK_SPANS).then_some(Target::AtMost(PEAK));
        let named = |name: &str| format!("{spans} spans: {name}");
        measured.push(Measured::new(named("peak RSS"), "MiB", peak).target(target));
        if let Some(at_ack) = &report.server {
            let rss = at_ack.rss_mib;
            measured.push(Measured::new(named("RSS at the last ack"), "MiB", rss));
        }
        measured.push(Measured::new(
            named("RSS when all is in blocks"),
            "MiB",
            told.rss_mib,
        ));
        measured.push(Measured::new(
            named("throughput"),
            "spans/s",
            report.spans_per_second,
        ));
    }
    if let (Some(first), Some(last)) = (peaks.first(), peaks.last())
        && peaks.len() > 1
    {
        measured.push(Measured::new("peak RSS, last to first", "", last / first));
    }
    Ok(measured)
}
