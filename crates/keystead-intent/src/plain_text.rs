//! Which letters are what they look like.

/// Letters that are what they look like: no control codes, and no marks that change the direction
/// of the text or that nobody sees.
#[must_use]
pub fn is_plain(letter: char) -> bool {
    match letter {
        '\n' | '\t' | '\r' => true,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => false,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => false,
        '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => false,
        _ => !letter.is_control(),
    }
}
