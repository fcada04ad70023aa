//! What the configuration promises, tested from outside. Fixtures and expected texts are in `../layouts` and `../errors`.

mod common;
mod errors;
mod layouts;
mod overrides;
mod properties;
