//! Gossipsub's frames, written by hand: no library of it would send these.
//!
//! A frame is a length (varint) and a protobuf message `RPC` of the gossipsub specification. Field numbers are its own.

/// One frame: subscriptions, messages and control data in any mixture.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    body: Vec<u8>,
    control: Vec<u8>,
}

impl Frame {
    /// Joins or leaves a topic.
    #[must_use]
    pub fn subscription(mut self, topic: &str, joins: bool) -> Self {
        let inner = [&[1 << 3, u8::from(joins)], &field(2, topic.as_bytes())[..]].concat();
        self.body.extend(field(1, &inner));
        self
    }

    /// A message on a topic.
    #[must_use]
    pub fn message(mut self, topic: &str, data: &[u8]) -> Self {
        let inner = [field(2, data), field(4, topic.as_bytes())].concat();
        self.body.extend(field(2, &inner));
        self
    }

    /// Claims to have messages.
    #[must_use]
    pub fn have(mut self, topic: &str, ids: impl IntoIterator<Item = [u8; 20]>) -> Self {
        let mut inner = field(1, topic.as_bytes());
        inner.extend(ids.into_iter().flat_map(|id| field(2, &id)));
        self.control.extend(field(1, &inner));
        self
    }

    /// Asks for messages.
    #[must_use]
    pub fn want(mut self, ids: impl IntoIterator<Item = [u8; 20]>) -> Self {
        let inner: Vec<u8> = ids.into_iter().flat_map(|id| field(1, &id)).collect();
        self.control.extend(field(2, &inner));
        self
    }

    /// Asks not to be sent messages.
    #[must_use]
    pub fn do_not_want(mut self, ids: impl IntoIterator<Item = [u8; 20]>) -> Self {
        let inner: Vec<u8> = ids.into_iter().flat_map(|id| field(1, &id)).collect();
        self.control.extend(field(5, &inner));
        self
    }

    /// Wants to be in a mesh.
    #[must_use]
    pub fn graft(mut self, topic: &str) -> Self {
        self.control.extend(field(3, &field(1, topic.as_bytes())));
        self
    }

    /// Leaves a mesh, and asks not to be invited back for so many seconds.
    #[must_use]
    pub fn prune(mut self, topic: &str, backoff_s: u64) -> Self {
        let mut inner = field(1, topic.as_bytes());
        inner.push(3 << 3);
        varint(backoff_s, &mut inner);
        self.control.extend(field(4, &inner));
        self
    }

    /// The frame's bytes, its length before them.
    #[must_use]
    pub fn bytes(mut self) -> Vec<u8> {
        if !self.control.is_empty() {
            self.body.extend(field(3, &self.control));
        }
        let mut bytes = Vec::with_capacity(self.body.len() + 5);
        varint(self.body.len() as u64, &mut bytes);
        bytes.extend(self.body);
        bytes
    }
}

/// A field of bytes.
pub(super) fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    varint(bytes.len() as u64, &mut field);
    field.extend_from_slice(bytes);
    field
}

/// A number in base 128, the lowest digits first.
pub(super) fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_the_bytes_of_the_specification() {
        let bytes = Frame::default().subscription("t", true).message("t", b"hi").prune("t", 300).bytes();
        let subscription = [0x0a, 5, 0x08, 1, 0x12, 1, b't'];
        let message = [0x12, 7, 0x12, 2, b'h', b'i', 0x22, 1, b't'];
        let control = [0x1a, 8, 0x22, 6, 0x0a, 1, b't', 0x18, 0xac, 0x02];
        assert_eq!(bytes, [&[26][..], &subscription, &message, &control].concat());
    }
}
