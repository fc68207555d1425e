//! The lossless pipe: standard input to the server and the server's bytes to standard output, both at once.

use anyhow::Result;

use super::conversation::{Conversation, Event};
use super::eol::{Eol, EolWriter};
use super::pipe::{Input, Output, Step};

/// Copies both ways until the server has ended its side, or nobody reads standard output any more.
///
/// # Errors
/// Those of the conversation and of the standard streams.
pub(super) async fn run(conversation: &mut Conversation, eol: Eol) -> Result<()> {
    let mut input = Input::open();
    let mut output = Output::open()?;
    let mut eol = EolWriter::new(eol);
    loop {
        let wants_input = conversation.wants_input();
        tokio::select! {
            bytes = input.next(), if wants_input => {
                if bytes.is_empty() {
                    conversation.send(eol.finish());
                    conversation.end();
                } else {
                    conversation.send(eol.rewrite(bytes));
                }
            }
            step = output.step(conversation) => match step? {
                Step::Event(Event::Received) => output.write(),
                Step::Event(Event::Sent) => input.recycle(conversation.take_sent_buffer()),
                Step::Event(Event::Closed) => break,
                Step::Written => {}
                Step::ReaderGone => return Ok(()),
            },
        }
    }
    output.finish().await?;
    input.finish()
}
