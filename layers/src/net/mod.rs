//! HTTP to the outside, shared by all atoms that speak it.
//!
//! A request goes out only when the access rules match its parsed address *and* the guard allows
//! the address that its name resolves to; both are asked again at each redirect. Connections are
//! pooled; a client exists only once somebody needed its kind.

mod answer;
mod body;
mod clients;
mod connect;
mod exchange;
mod failure;
mod fields;
mod guard;
mod message;
mod receive;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use answer::{Decode, Decoded, Overflow, read_bounded, too_large};
pub(crate) use body::{BodyInput, Part};
pub(crate) use clients::Net;
pub(crate) use connect::NoWay;
pub(crate) use exchange::{Outgoing, send, send_body};
pub(crate) use failure::{retry_after, shown, status_failure, wire_failure};
pub(crate) use fields::Fields;
pub(crate) use guard::Guard;
pub(crate) use message::{address, header_map, header_value, headers, idempotency};
pub(crate) use receive::{Received, excerpt, receive};
pub(crate) use status::StatusSet;
