//! A link on a stream in memory: every order of events, half-closes and refusals among them.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

/// More than the pipes of these tests take at a time.
const PIPE: usize = 64;

fn link() -> (Link<DuplexStream>, DuplexStream) {
    let (own, peer) = duplex(PIPE);
    (Link::new(own), peer)
}

/// A short name for an event, and what was received.
fn name(event: &Event) -> String {
    match event {
        Event::Received => "received".to_owned(),
        Event::Sent(bytes) => format!("sent {bytes}"),
        Event::Ended => "ended".to_owned(),
        Event::Refused(error) => format!("refused: {:?}", error.kind()),
        Event::PeerEnded(PeerEnd::Eof) => "peer ended".to_owned(),
        Event::PeerEnded(PeerEnd::Cut) => "peer cut".to_owned(),
        Event::PeerEnded(PeerEnd::Failed(error)) => format!("peer reset: {:?}", error.kind()),
    }
}

async fn next<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>, into: &mut Vec<u8>) -> String {
    let event = timeout(Duration::from_secs(10), link.next(Some(into))).await.expect("an event");
    name(&event)
}

/// Whether nothing happens now.
async fn is_idle<S: AsyncRead + AsyncWrite + Unpin>(link: &mut Link<S>, into: Option<&mut Vec<u8>>) -> bool {
    let mut event = pin!(link.next(into));
    poll_fn(|cx| Poll::Ready(event.as_mut().poll(cx).is_pending())).await
}

/// A stream that does what its script says, and notes what is done with it.
#[derive(Clone, Default)]
struct Scripted(Arc<Mutex<Script>>);

#[derive(Default)]
struct Script {
    reads: Vec<io::Result<&'static [u8]>>,
    writes: Vec<io::Result<usize>>,
    can_flush: bool,
    done: Vec<String>,
}

impl AsyncRead for Scripted {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut script = self.0.lock().unwrap();
        if script.reads.is_empty() {
            return Poll::Pending;
        }
        Poll::Ready(script.reads.remove(0).map(|bytes| buffer.put_slice(bytes)))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut script = self.0.lock().unwrap();
        if script.writes.is_empty() {
            return Poll::Pending;
        }
        let written = script.writes.remove(0).map(|most| most.min(bytes.len()));
        if let Ok(count) = written {
            script.done.push(format!("write {}", bytes[..count].escape_ascii()));
        }
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut script = self.0.lock().unwrap();
        if !script.can_flush {
            return Poll::Pending;
        }
        script.done.push("flush".to_owned());
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.lock().unwrap().done.push("shutdown".to_owned());
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn both_directions_go_on_after_either_has_ended() {
    let (mut link, mut peer) = link();
    let mut into = Vec::with_capacity(PIPE);
    // The peer ends first.
    peer.write_all(b"last words").await.unwrap();
    peer.shutdown().await.unwrap();
    assert_eq!(next(&mut link, &mut into).await, "received");
    assert_eq!(next(&mut link, &mut into).await, "peer ended");
    assert_eq!(into, b"last words");
    link.send(b"hello".to_vec());
    assert_eq!(next(&mut link, &mut into).await, "sent 5");
    link.end();
    assert_eq!(next(&mut link, &mut into).await, "ended");
    let mut said = String::new();
    peer.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hello");

    // This side ends first.
    let (mut link, mut peer) = self::link();
    link.send(b"hello".to_vec());
    link.end();
    assert!(!link.is_open());
    into.clear();
    assert_eq!(next(&mut link, &mut into).await, "sent 5");
    assert_eq!(next(&mut link, &mut into).await, "ended");
    peer.write_all(b"late").await.unwrap();
    assert_eq!(next(&mut link, &mut into).await, "received");
    drop(peer);
    assert_eq!(next(&mut link, &mut into).await, "peer ended");
    assert_eq!(into, b"late");
    assert!(is_idle(&mut link, Some(&mut into)).await, "nothing happens after both ends");
}

#[tokio::test]
async fn without_a_buffer_it_only_sends() {
    let (mut link, mut peer) = link();
    peer.write_all(b"unread").await.unwrap();
    assert!(is_idle(&mut link, None).await);
    link.send(b"a".to_vec());
    assert_eq!(name(&link.next(None).await), "sent 1");
    let mut into = Vec::with_capacity(PIPE);
    assert_eq!(next(&mut link, &mut into).await, "received");
    assert_eq!(into, b"unread");
}

#[tokio::test]
async fn it_receives_while_the_peer_takes_nothing() {
    let (mut link, mut peer) = link();
    link.send(vec![b'x'; 2 * PIPE]);
    let mut into = Vec::with_capacity(PIPE);
    assert_eq!(next(&mut link, &mut into).await, format!("sent {PIPE}"));
    assert!(is_idle(&mut link, Some(&mut into)).await && link.has_unsent());
    peer.write_all(b"stop").await.unwrap();
    assert_eq!(next(&mut link, &mut into).await, "received");
    peer.read_exact(&mut [0; PIPE]).await.unwrap();
    assert_eq!(next(&mut link, &mut into).await, format!("sent {PIPE}"));
    assert!(!link.has_unsent());
}

#[tokio::test]
async fn a_refusal_leaves_what_the_peer_said_before() {
    let (mut link, mut peer) = link();
    peer.write_all(b"enough").await.unwrap();
    drop(peer);
    link.send(b"unwanted".to_vec());
    let mut into = Vec::with_capacity(PIPE);
    assert_eq!(name(&link.next(None).await), "refused: BrokenPipe");
    assert!(link.is_refused() && link.has_unsent() && !link.is_open());
    assert_eq!(next(&mut link, &mut into).await, "received");
    assert_eq!(next(&mut link, &mut into).await, "peer ended");
    assert!(link.has_peer_ended());
    assert_eq!(into, b"enough");
    // What is sent or ended after a refusal stays where it is.
    link.send(b"more".to_vec());
    link.end();
    assert!(is_idle(&mut link, Some(&mut into)).await && link.is_refused());
}

#[tokio::test]
async fn a_reset_is_how_the_peer_ended() {
    let stream = Scripted::default();
    stream.0.lock().unwrap().reads = vec![Ok(b"half"), Err(io::ErrorKind::ConnectionReset.into())];
    let mut link = Link::new(stream);
    let mut into = Vec::with_capacity(PIPE);
    assert_eq!(next(&mut link, &mut into).await, "received");
    assert_eq!(next(&mut link, &mut into).await, "peer reset: ConnectionReset");
    assert!(is_idle(&mut link, Some(&mut into)).await);
}

#[tokio::test]
async fn bytes_count_as_sent_once_they_are_flushed() {
    let stream = Scripted::default();
    let script = Arc::clone(&stream.0);
    script.lock().unwrap().writes = vec![Ok(2), Ok(PIPE)];
    let mut link = Link::new(stream);
    link.send(b"hello".to_vec());
    link.end();
    assert!(is_idle(&mut link, None).await && link.has_unsent());
    assert_eq!(script.lock().unwrap().done, ["write he"]);
    script.lock().unwrap().can_flush = true;
    assert_eq!(name(&link.next(None).await), "sent 2");
    assert_eq!(name(&link.next(None).await), "sent 3");
    assert_eq!(name(&link.next(None).await), "ended");
    assert_eq!(script.lock().unwrap().done, ["write he", "flush", "write llo", "flush", "shutdown"]);
}

#[tokio::test]
async fn a_peer_that_never_pauses_does_not_keep_it_from_sending() {
    let stream = Scripted::default();
    let script = Arc::clone(&stream.0);
    {
        let mut script = script.lock().unwrap();
        script.can_flush = true;
        script.writes = vec![Ok(PIPE)];
        script.reads = (0..10).map(|_| Ok(&b"more"[..])).collect();
    }
    let mut link = Link::new(stream);
    link.send(b"stop".to_vec());
    let mut into = Vec::with_capacity(PIPE);
    assert_eq!(next(&mut link, &mut into).await, "received");
    assert_eq!(next(&mut link, &mut into).await, "sent 4");
    assert_eq!(next(&mut link, &mut into).await, "received");
}

#[tokio::test]
async fn a_close_that_has_arrived_is_reported_before_anything_is_sent() {
    let (mut link, peer) = link();
    drop(peer);
    link.send(b"too late".to_vec());
    let mut into = Vec::with_capacity(PIPE);
    assert_eq!(next(&mut link, &mut into).await, "peer ended");
    assert_eq!(next(&mut link, &mut into).await, "refused: BrokenPipe");
}

#[tokio::test]
async fn cancelled_anywhere_it_loses_nothing() {
    let (mut link, mut peer) = link();
    let sent: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    let expected = sent.clone();
    link.send(sent);
    link.end();
    let echo = tokio::spawn(async move {
        let (mut said, mut chunk) = (Vec::new(), [0; 7]);
        while let count @ 1.. = peer.read(&mut chunk).await.unwrap() {
            said.extend_from_slice(&chunk[..count]);
            peer.write_all(&chunk[..count]).await.unwrap();
        }
        said
    });
    let mut received = Vec::new();
    loop {
        let mut into = Vec::with_capacity(11);
        // Every other wait is dropped after one poll.
        let event = {
            let mut event = pin!(link.next(Some(&mut into)));
            poll_fn(|cx| Poll::Ready(event.as_mut().poll(cx))).await
        };
        received.extend_from_slice(&into);
        match event {
            Poll::Ready(Event::PeerEnded(PeerEnd::Eof)) => break,
            Poll::Ready(_) => {}
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    assert!(received == expected && echo.await.unwrap() == expected);
}

#[tokio::test]
async fn a_close_sends_what_is_left_and_hears_the_peer_out() {
    let (mut link, mut peer) = link();
    link.send(vec![b'x'; 3 * PIPE]);
    let reader = tokio::spawn(async move {
        let mut said = Vec::new();
        peer.read_to_end(&mut said).await.unwrap();
        peer.write_all(&[b'y'; 3 * PIPE]).await.unwrap();
        said.len()
    });
    link.close().await.unwrap();
    assert_eq!(reader.await.unwrap(), 3 * PIPE);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_bounded() {
    // The peer neither takes what is left nor ends.
    let (mut link, _peer) = link();
    link.send(vec![b'x'; 3 * PIPE]);
    assert_eq!(link.close().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    let (mut link, _peer) = self::link();
    assert_eq!(link.close().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
    // The peer sends without end.
    let (mut link, mut peer) = self::link();
    tokio::spawn(async move { while peer.write_all(&[0; PIPE]).await.is_ok() {} });
    assert_eq!(link.close().await.unwrap_err().kind(), io::ErrorKind::TimedOut);
}
