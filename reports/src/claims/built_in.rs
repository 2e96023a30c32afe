//! The claims that come with the program.

use super::{ClaimsError, ClaimsFile};

/// Their texts by name.
const TEXTS: [(&str, &str); 1] = [("comparison-2025.toml", include_str!("../../claims/comparison-2025.toml"))];

/// A commented example of a claims file, which is one.
pub const EXAMPLE: &str = include_str!("../../claims/example.toml");

/// Whether a text is one of those that come with the program.
#[must_use]
pub fn is_built_in(text: &str) -> bool {
    TEXTS.iter().any(|(_, known)| *known == text)
}

/// The claims that come with the program, file by file.
///
/// # Errors
/// None that a tested build could have.
pub fn built_in() -> Result<Vec<ClaimsFile>, ClaimsError> {
    TEXTS.iter().map(|(name, text)| ClaimsFile::read(name, text)).collect()
}
