//! Same events, same view: a thread is rendered to the same bytes by all who hold its events, and as the oracle says.

use std::rc::Rc;

/// How one node sees a thread.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Seen {
    pub(in crate::sim) node: usize,
    pub(in crate::sim) bytes: Rc<[u8]>,
}

/// Two nodes that see a thread differently, and where; `None`: all see the same.
pub(in crate::sim) fn difference(seen: &[Seen]) -> Option<String> {
    let (first, others) = seen.split_first()?;
    let other = others.iter().find(|other| other.bytes != first.bytes)?;
    let same = first.bytes.iter().zip(other.bytes.iter()).take_while(|(a, b)| a == b).count();
    let near = |bytes: &[u8]| {
        let from = same.saturating_sub(60).min(bytes.len());
        String::from_utf8_lossy(&bytes[from..bytes.len().min(same + 60)]).into_owned()
    };
    let (a, b) = (near(&first.bytes), near(&other.bytes));
    Some(format!("nodes {} and {} see a thread differently: \"{a}\" and \"{b}\"", first.node, other.node))
}
