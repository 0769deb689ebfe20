//! No forgery: what a store holds was signed by somebody, and is byte for byte what was signed.

/// Why a stored event is a forgery. `signed` are the bytes that its author signed, with the length of what stands before
/// the words; `None`: nobody signed an event of that id.
pub(in crate::sim) fn forgery(stored: &[u8], signed: Option<(&[u8], usize)>) -> Option<&'static str> {
    let Some((bytes, header_bytes)) = signed else { return Some("nobody signed it") };
    if stored == bytes || Some(stored) == bytes.get(..header_bytes) {
        return None;
    }
    Some("its bytes are not those that were signed")
}
