//! Stand-ins for the characters that must not reach the terminal as they are: the line editor lays out a control
//! character as nothing at all, and paints it raw. On the edit line and in the history, a private character of one
//! column stands for each of them; what is sent has the real ones.

use std::borrow::Cow;

use crate::text::is_plain;

/// Plane 16 is for private use (Unicode, section 23.5). All characters that are not plain are in plane 0.
const PLANE: u32 = 0x10_0000;

/// The text as it is edited and kept. Line feeds stay: they separate pasted lines.
pub(super) fn conceal(text: &str) -> Cow<'_, str> {
    if text.chars().all(can_be_edited) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|character| if can_be_edited(character) { character } else { of(character) }).collect()
}

/// The text as it is sent.
pub(super) fn reveal(text: &str) -> String {
    text.chars().map(|character| real(character).unwrap_or(character)).collect()
}

/// Whether the editor can lay out a character and paint it.
pub(super) fn can_be_edited(character: char) -> bool {
    character == '\n' || is_plain(character)
}

/// What stands for a character that is not plain.
pub(super) fn of(character: char) -> char {
    char::from_u32(PLANE + u32::from(character)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// What a stand-in stands for; `None` for all other characters.
pub(super) fn real(character: char) -> Option<char> {
    let real = char::from_u32(u32::from(character).checked_sub(PLANE)?)?;
    (!is_plain(real)).then_some(real)
}

/// What is painted for a character that is not plain: one column.
pub(super) fn glyph(character: char) -> char {
    match character {
        // As in `^[`, the key that types it.
        '\0'..='\x1f' | '\x7f' => char::from(character as u8 ^ 0x40),
        // The same in lower case, as far as that goes.
        '\u{80}'..='\u{9e}' => char::from((character as u8 & 0x1f) | 0x60),
        _ => '.',
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustyline::GraphemeClusterMode;

    #[test]
    fn every_character_that_is_not_plain_has_a_stand_in_of_one_column() {
        let others = (0..=u32::from(char::MAX)).filter_map(char::from_u32).filter(|&c| !is_plain(c));
        for character in others {
            assert_eq!(real(of(character)), Some(character), "{character:?}");
            for mode in [GraphemeClusterMode::WcWidth, GraphemeClusterMode::Unicode] {
                assert_eq!(mode.width(&of(character).to_string()), 1, "{character:?}");
                assert_eq!(mode.width(&glyph(character).to_string()), 1, "{character:?}");
            }
            assert!(is_plain(glyph(character)));
        }
    }

    #[test]
    fn shows_the_key() {
        assert_eq!(
            ['\x1b', '\t', '\r', '\0', '\x7f', '\u{9b}', '\u{202e}'].map(glyph),
            ['[', 'I', 'M', '@', '?', '{', '.']
        );
    }

    proptest! {
        #[test]
        fn what_is_sent_is_what_was_typed(text in any::<String>()) {
            prop_assume!(!text.chars().any(|character| real(character).is_some()));
            let concealed = conceal(&text);
            prop_assert!(concealed.chars().all(can_be_edited));
            prop_assert_eq!(reveal(&concealed), text);
        }
    }
}
