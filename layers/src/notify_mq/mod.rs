//! Layer `notify-mq`: messages.

use crate::atom::Entry;
use crate::catalog::LayerList;

#[expect(clippy::module_inception, reason = "an atom's file has the atom's name")]
mod notify_mq;
mod notify_sms;
mod send_discord;
mod send_slack;
mod send_telegram;

pub(crate) const ATOMS: LayerList = &[
    Entry::of::<notify_mq::NotifyMq>,
    Entry::of::<notify_sms::NotifySms>,
    Entry::of::<send_telegram::SendTelegram>,
    Entry::of::<send_slack::SendSlack>,
    Entry::of::<send_discord::SendDiscord>,
];
