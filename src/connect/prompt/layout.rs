//! Columns and rows, as the line editor counts them.

use rustyline::GraphemeClusterMode;

/// Columns between tab stops.
const TAB_STOP: usize = 8;

/// How wide a text is.
pub(super) fn width(text: &str) -> usize {
    let mode = GraphemeClusterMode::from_env();
    text.chars().map(|character| width_of(mode, character)).sum()
}

/// How many rows a text takes, and the cursor after it, on a terminal of `columns`.
pub(super) fn rows(text: &str, columns: usize) -> usize {
    let mode = GraphemeClusterMode::from_env();
    let (mut row, mut column) = (0, 0);
    for character in visible(text) {
        let width = match character {
            '\n' => {
                (row, column) = (row + 1, 0);
                continue;
            }
            '\t' => TAB_STOP - column % TAB_STOP,
            _ => width_of(mode, character),
        };
        column += width;
        if column > columns {
            (row, column) = (row + 1, width);
        }
    }
    // A cursor after the last column is on the next row.
    row + usize::from(column == columns) + 1
}

/// The characters that are not part of a control sequence, which a prompt may have for its colors.
fn visible(text: &str) -> impl Iterator<Item = char> {
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        while characters.next_if_eq(&'\x1b').is_some() {
            if characters.next_if_eq(&'[').is_some() {
                while characters.next_if(|&c| c == ';' || c.is_ascii_digit()).is_some() {}
            }
            characters.next();
        }
        characters.next()
    })
}

fn width_of(mode: GraphemeClusterMode, character: char) -> usize {
    mode.width(character.encode_utf8(&mut [0; 4])).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_rows() {
        for (text, expected) in [
            ("", 1),
            ("abc", 1),
            ("abcd", 2),
            ("abcde", 2),
            ("ab\ncd", 2),
            ("abcd\n", 2),
            ("abc€€", 2),
            ("ab字字", 2),
            ("a字字", 2),
        ] {
            assert_eq!(rows(text, 4), expected, "{text:?}");
        }
        assert_eq!(rows("\x1b[1;32mab\x1b[0mc\x1b7", 4), 1);
        assert_eq!((rows("\ta", 10), rows("abc\tab", 10)), (1, 2));
        assert_eq!(width("a字€"), 4);
    }
}
