//! Files: a place is asked for, the content goes there, and then they are shown in the channel.

use super::{App, Output, SendSlack};
use crate::atom::Atom;
use crate::input::ByteSize;
use crate::net::{BodyInput, Fields};
use crate::service::{Attachment, place};
use jalm_kernel::failure::Failure;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

const LARGEST: ByteSize = ByteSize::mib(64);

pub(super) async fn send(
    app: &App<'_>,
    channel: &str,
    files: Vec<Attachment>,
) -> Result<Output, Failure> {
    let atom = SendSlack::CARD.name;
    let mut ids = Vec::new();
    let mut shown = Vec::new();
    for (index, file) in files.into_iter().enumerate() {
        let file = file.read(app.cx, atom, &format!("files[{index}]"), LARGEST).await?;
        let form = Fields(vec![
            ("filename".to_owned(), file.filename.clone()),
            ("length".to_owned(), file.bytes.to_string()),
        ]);
        let body = BodyInput { form: Some(form), ..BodyInput::default() };
        let said = app.call("files.getUploadURLExternal", body).await?;
        let (Some(url), Some(id)) =
            (said.body["upload_url"].as_str(), said.body["file_id"].as_str())
        else {
            return Err(said.refusal("it named no place for the file", None));
        };
        let body = BodyInput { body_base64: Some(file.base64), ..BodyInput::default() };
        let put = app.ask(place(atom, "files", url)?, HeaderMap::new(), body).await?;
        if !put.status.is_success() {
            return Err(put.refusal(&put.text(), None));
        }
        shown.push(json!({ "id": id, "title": file.filename }));
        ids.push(id.to_owned());
    }
    let mut map = super::Map::new();
    map.insert("files".to_owned(), Value::Array(shown));
    map.insert("channel_id".to_owned(), channel.into());
    super::put(&mut map, "initial_comment", app.input.text.clone().map(Value::from));
    super::put(&mut map, "blocks", app.input.blocks.clone().map(Value::Array));
    super::put(&mut map, "thread_ts", app.input.thread_ts.clone().map(Value::from));
    let json = Some(Value::Object(map));
    app.call("files.completeUploadExternal", BodyInput { json, ..BodyInput::default() }).await?;
    Ok(Output { channel: Some(channel.to_owned()), ts: None, file_ids: ids })
}
