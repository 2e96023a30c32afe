//! All control streams of a process: who can be reached, and what is queued for whom.
//!
//! Machines' messages are queued under the host's lock, in the order in which the machines said them, and written by
//! [`Network::flush`] after the lock was let go.

use crate::remote::error::LinkError;
use crate::remote::link::Link;
use crate::remote::poller::{Poller, Woken};
use crate::remote::stream::Stream;
use crate::remote::wire::Frame;
use bench_model::{Addr, Bytes, Epoch, JobId, Nanos, Note, TaskId, TaskTrace};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

/// Messages that wait for a connection to be made. Beyond that they are lost, as on a network.
const UNCONNECTED_MAX: usize = 100_000;

/// What a sleeping thread woke up to.
pub(crate) enum Woke<M> {
    /// Something to do, perhaps.
    Signal,
    /// The time is over.
    Timeout,
    /// A peer said something or closed its end.
    Readable(Arc<Link<M>>),
    /// A peer takes more.
    Writable(Arc<Link<M>>),
}

/// A link that is of no use any more, and why.
pub(crate) type Broken<M> = (Arc<Link<M>>, LinkError);

/// The control streams of a process.
pub(crate) struct Network<M> {
    poller: Arc<Poller>,
    lines: Mutex<Lines<M>>,
    /// Whether anything is queued that nobody has begun to write.
    mail: AtomicBool,
    /// Whoever connects to peers that a machine speaks to first.
    dialer: Option<mpsc::Sender<Addr>>,
}

struct Lines<M> {
    by_key: BTreeMap<u64, Arc<Link<M>>>,
    by_peer: BTreeMap<Addr, Line<M>>,
    next_key: u64,
    /// Links with something queued.
    mail: Vec<Arc<Link<M>>>,
}

enum Line<M> {
    Open(Arc<Link<M>>),
    /// It is being connected; this waits.
    Opening(Vec<M>),
}

impl<M: Serialize + DeserializeOwned> Network<M> {
    /// Nobody can be reached yet. With a dialer, peers that nobody has connected to are asked for there.
    ///
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn new(dialer: Option<mpsc::Sender<Addr>>) -> io::Result<Self> {
        let lines = Lines { by_key: BTreeMap::new(), by_peer: BTreeMap::new(), next_key: 1, mail: Vec::new() };
        Ok(Self { poller: Arc::new(Poller::new()?), lines: Mutex::new(lines), mail: AtomicBool::new(false), dialer })
    }

    fn lock(&self) -> MutexGuard<'_, Lines<M>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a connection on which both sides know each other. What waited for it is queued; it is listened to from now
    /// on.
    ///
    /// # Errors
    /// The system's; the connection is closed then.
    pub(crate) fn attach(&self, stream: Stream, (peer, epoch): (Addr, Epoch)) -> io::Result<Arc<Link<M>>> {
        let mut lines = self.lock();
        let key = lines.next_key;
        lines.next_key += 1;
        let link = Arc::new(Link::open(stream, &self.poller, key, (peer, epoch))?);
        lines.by_key.insert(key, Arc::clone(&link));
        if let Some(Line::Opening(waiting)) = lines.by_peer.insert(peer, Line::Open(Arc::clone(&link))) {
            waiting.into_iter().for_each(|message| link.push(message));
            lines.mail.push(Arc::clone(&link));
            self.mail.store(true, Ordering::Release);
        }
        drop(lines);
        link.listen()?;
        Ok(link)
    }

    /// Drops a link. True if its peer cannot be reached any more: no newer link has taken its place.
    pub(crate) fn detach(&self, link: &Arc<Link<M>>) -> bool {
        link.close();
        let mut lines = self.lock();
        lines.by_key.remove(&link.key());
        let current = matches!(lines.by_peer.get(&link.peer()), Some(Line::Open(open)) if open.key() == link.key());
        if current {
            lines.by_peer.remove(&link.peer());
        }
        current
    }

    /// Drops every link to peers for which `is_gone` says so, and what waits for them.
    pub(crate) fn detach_where(&self, is_gone: impl Fn(Addr) -> bool) {
        let mut lines = self.lock();
        let gone: Vec<_> = lines.by_key.values().filter(|l| is_gone(l.peer())).cloned().collect();
        lines.by_peer.retain(|peer, _| !is_gone(*peer));
        for link in &gone {
            lines.by_key.remove(&link.key());
        }
        drop(lines);
        gone.iter().for_each(|link| link.close());
    }

    /// Nobody could connect to a peer: what waited for it is lost.
    pub(crate) fn give_up(&self, peer: Addr) {
        let mut lines = self.lock();
        if matches!(lines.by_peer.get(&peer), Some(Line::Opening(_))) {
            lines.by_peer.remove(&peer);
        }
    }

    /// Queues a machine's message; it is lost if its receiver cannot be reached.
    pub(crate) fn post(&self, to: Addr, message: M) {
        let mut lines = self.lock();
        match lines.by_peer.get_mut(&to) {
            Some(Line::Open(link)) => {
                link.push(message);
                let link = Arc::clone(link);
                self.mark(&mut lines, link);
            }
            Some(Line::Opening(waiting)) => {
                if waiting.len() < UNCONNECTED_MAX {
                    waiting.push(message);
                }
            }
            None => {
                if self.dialer.as_ref().is_some_and(|dialer| dialer.send(to).is_ok()) {
                    lines.by_peer.insert(to, Line::Opening(vec![message]));
                }
            }
        }
    }

    /// Queues the news of a task that ran well.
    pub(crate) fn post_ran(&self, to: Addr, task: TaskId, took: Nanos) {
        let mut lines = self.lock();
        if let Some(Line::Open(link)) = lines.by_peer.get(&to) {
            link.push_ran(task, took);
            let link = Arc::clone(link);
            self.mark(&mut lines, link);
        }
    }

    /// Queues what an attempt has done that ran well.
    pub(crate) fn post_trace(&self, to: Addr, trace: TaskTrace) {
        let mut lines = self.lock();
        if let Some(Line::Open(link)) = lines.by_peer.get(&to) {
            link.push_trace(trace);
            let link = Arc::clone(link);
            self.mark(&mut lines, link);
        }
    }

    /// Queues the news of what an attempt wrote out because memory ran short.
    pub(crate) fn post_spilled(&self, to: Addr, job: JobId, bytes: Bytes) {
        let mut lines = self.lock();
        if let Some(Line::Open(link)) = lines.by_peer.get(&to) {
            link.push_spilled(job, bytes);
            let link = Arc::clone(link);
            self.mark(&mut lines, link);
        }
    }

    /// Queues something worth telling about a job.
    pub(crate) fn post_note(&self, to: Addr, job: JobId, note: Note) {
        let mut lines = self.lock();
        if let Some(Line::Open(link)) = lines.by_peer.get(&to) {
            link.push_note(job, note);
            let link = Arc::clone(link);
            self.mark(&mut lines, link);
        }
    }

    /// Queues a frame of the host's own on a link.
    pub(crate) fn post_frame(&self, link: &Arc<Link<M>>, frame: Frame<M>) {
        link.push_frame(frame);
        self.mark(&mut self.lock(), Arc::clone(link));
    }

    /// Queues a frame of the host's own for a peer; it is lost if the peer cannot be reached.
    pub(crate) fn post_frame_to(&self, to: Addr, frame: Frame<M>) {
        let mut lines = self.lock();
        if let Some(Line::Open(link)) = lines.by_peer.get(&to) {
            link.push_frame(frame);
            let link = Arc::clone(link);
            self.mark(&mut lines, link);
        }
    }

    /// Queues a frame for everyone who can be reached.
    pub(crate) fn broadcast(&self, frame: &Frame<M>)
    where
        M: Clone,
    {
        let mut lines = self.lock();
        let open: Vec<_> = lines
            .by_peer
            .values()
            .filter_map(|line| match line {
                Line::Open(link) => Some(Arc::clone(link)),
                Line::Opening(_) => None,
            })
            .collect();
        for link in open {
            link.push_frame(frame.clone());
            self.mark(&mut lines, link);
        }
    }

    fn mark(&self, lines: &mut Lines<M>, link: Arc<Link<M>>) {
        if lines.mail.last().is_none_or(|last| last.key() != link.key()) {
            lines.mail.push(link);
        }
        self.mail.store(true, Ordering::Release);
    }

    /// Writes what is queued. Call it without the host's lock. Returns the links that broke over it.
    pub(crate) fn flush(&self) -> Vec<Broken<M>> {
        let mut broken = Vec::new();
        while self.mail.swap(false, Ordering::AcqRel) {
            let links = std::mem::take(&mut self.lock().mail);
            for link in links {
                if let Err(error) = link.flush() {
                    broken.push((link, error));
                }
            }
        }
        broken
    }

    /// Sleeps until something happens, but no longer than `at_most`.
    pub(crate) fn wait(&self, at_most: Option<Duration>) -> Woke<M> {
        let link = |key| self.lock().by_key.get(&key).cloned();
        match self.poller.wait(at_most) {
            Woken::Signal => Woke::Signal,
            Woken::Timeout => Woke::Timeout,
            Woken::Readable(key) => link(key).map_or(Woke::Signal, Woke::Readable),
            Woken::Ending(key) => link(key).map_or(Woke::Signal, |link| {
                link.read_to_end();
                Woke::Readable(link)
            }),
            Woken::Writable(key) => link(key).map_or(Woke::Signal, Woke::Writable),
        }
    }

    /// Wakes a sleeping thread.
    pub(crate) fn wake(&self) {
        self.poller.wake();
    }

    /// Who is connected.
    pub(crate) fn links(&self) -> Vec<Arc<Link<M>>> {
        self.lock().by_key.values().cloned().collect()
    }

    /// Ends every connection.
    pub(crate) fn close(&self) {
        let links: Vec<_> = std::mem::take(&mut self.lock().by_key).into_values().collect();
        links.iter().for_each(|link| link.close());
        self.lock().by_peer.clear();
    }
}
