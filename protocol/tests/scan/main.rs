//! The OTLP scanner, with prost as the oracle. VIVACE_FUZZ_ITERATIONS sets how many random inputs are tried.

mod agree;
mod draw;
mod memory;
mod otlp;
mod rewrite;
mod rules;

fn iterations(default: u32) -> u32 {
    std::env::var("VIVACE_FUZZ_ITERATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
