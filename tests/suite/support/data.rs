//! Lines and bytes to send.

/// Bytes without a pattern, the same in every run (xorshift64*).
pub(crate) fn random_bytes(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    (0..length / 8)
        .flat_map(|_| {
            state ^= state >> 12;
            state ^= state << 25;
            state ^= state >> 27;
            state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes()
        })
        .collect()
}

/// `line 0`, `line 1` and so on.
pub(crate) fn numbered_lines(count: usize) -> String {
    lines(count, |number| format!("line {number}"))
}

/// This many lines, each made from its number.
pub(crate) fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for number in 0..count {
        text += &line(number);
        text.push('\n');
    }
    text
}
