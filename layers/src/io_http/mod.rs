//! Layer `io-http`: services on the network.

use crate::atom::Entry;
use crate::catalog::LayerList;

pub(crate) mod auth_token;
mod auth_verify;
pub(crate) mod exec_http;
mod notify_webhook;
mod payment_process;
mod payment_refund;
mod payment_verify;

pub(crate) const ATOMS: LayerList = &[
    Entry::of::<exec_http::ExecHttp>,
    Entry::of::<auth_verify::AuthVerify>,
    Entry::of::<auth_token::AuthToken>,
    Entry::of::<notify_webhook::NotifyWebhook>,
    Entry::of::<payment_process::PaymentProcess>,
    Entry::of::<payment_verify::PaymentVerify>,
    Entry::of::<payment_refund::PaymentRefund>,
];
