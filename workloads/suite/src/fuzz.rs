//! Texts with one byte changed: the garbage closest to what people write, and so the likeliest to get past a parser.

/// Characters that mean something in TOML, and some that do not.
const NEW: &[u8] = b"\0\n \"'#=.,-_[]{}09aZ\\\x7f";

/// Calls `then` with the text without each of its bytes, and with each replaced by something that means something.
/// Texts that are not UTF-8 are left out.
pub(crate) fn each_changed(text: &str, mut then: impl FnMut(&str)) {
    let mut bytes = text.as_bytes().to_vec();
    for at in 0..bytes.len() {
        let mut shorter = bytes.clone();
        let old = shorter.remove(at);
        if let Ok(changed) = std::str::from_utf8(&shorter) {
            then(changed);
        }
        // A few per place: which ones differs from place to place.
        for new in NEW.iter().cycle().skip(at % NEW.len()).take(4) {
            bytes[at] = *new;
            if let Ok(changed) = std::str::from_utf8(&bytes) {
                then(changed);
            }
        }
        bytes[at] = old;
    }
}
