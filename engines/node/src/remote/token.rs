//! The secret that the processes of one cluster share.

use std::fmt;
use std::io::{self, Read};

/// A random 128-bit secret, written as 32 hexadecimal digits. Whoever knows it may run code on the cluster's nodes.
///
/// It is compared in constant time and never printed by `Debug`.
#[derive(Clone, Copy)]
pub struct ClusterToken([u8; 16]);

/// Text that is not a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a cluster token is 32 hexadecimal digits; make one with `openssl rand -hex 16`")]
pub struct InvalidToken;

impl ClusterToken {
    /// A fresh one.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads one back from its digits; spaces around them are ignored.
    ///
    /// # Errors
    /// Anything but 32 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, InvalidToken> {
        let text = text.trim();
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidToken);
        }
        u128::from_str_radix(text, 16).map(|n| Self(n.to_be_bytes())).map_err(|_| InvalidToken)
    }

    /// Its digits: what another process is given.
    #[must_use]
    pub fn reveal(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// A number that differs from token to token and does not give it away.
    pub(crate) fn fingerprint(&self) -> u64 {
        twox_hash::XxHash3_64::oneshot(&self.0)
    }

    /// Whether `given` is this token's digits. It takes as long for a near miss as for a far one.
    pub(crate) fn admits(&self, given: &str) -> bool {
        // A text of another form is no secret, so it may be refused at once.
        let Ok(given) = Self::parse(given) else { return false };
        let differences = self.0.iter().zip(given.0).fold(0, |all, (a, b)| std::hint::black_box(all | (a ^ b)));
        differences == 0
    }
}

impl fmt::Debug for ClusterToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_admits_itself_and_nothing_else() {
        let token = ClusterToken::random().unwrap();
        assert!(token.admits(&token.reveal()));
        assert!(token.admits(&format!(" {}\n", token.reveal())));
        assert!(!token.admits(&ClusterToken::random().unwrap().reveal()));
        for wrong in ["", "0", "zz", "+123456789012345678901234567890ab", &"0".repeat(33)] {
            assert!(!token.admits(wrong), "{wrong}");
            assert_eq!(ClusterToken::parse(wrong).err(), Some(InvalidToken));
        }
    }

    #[test]
    fn a_token_is_not_printed_by_accident() {
        let token = ClusterToken::random().unwrap();
        assert!(!format!("{token:?}").contains(&token.reveal()));
    }
}
