//! The start of a line from the server: a reply without a line feed, a prompt of its own, or just slow.

use std::mem;

/// How much of it is held back from the screen above a prompt.
const LIMIT: usize = 16 * 1024;

/// How the prompts of servers end, apart from a space.
const MARKS: [char; 6] = [':', '>', '#', '$', '%', '?'];

/// What servers ask for that nobody else may see, in lower case.
const SECRETS: [&str; 9] = [
    "password",
    "passwd",
    "passcode",
    "passphrase",
    "pass phrase",
    "passwort",
    "kennwort",
    "mot de passe",
    "contraseña",
];

/// What the server has sent since its last line feed, escaped.
#[derive(Debug, Default)]
pub(super) struct Unterminated {
    text: String,
    /// How many bytes of it are shown as the prompt.
    in_prompt: usize,
    /// Whether its start was forgotten.
    is_truncated: bool,
}

impl Unterminated {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What is not shown as the prompt.
    pub(super) fn rest(&self) -> &str {
        &self.text[self.in_prompt..]
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.text.len() >= LIMIT
    }

    /// Adds the next text. Returns the complete lines, if there are any now.
    pub(super) fn push(&mut self, text: &str) -> String {
        let complete = text.rfind('\n').map_or(0, |line_feed| line_feed + 1);
        let mut lines = String::new();
        if complete > 0 {
            lines = mem::take(self).text + &text[..complete];
        }
        self.text.push_str(&text[complete..]);
        lines
    }

    /// Starts again: it is on the screen, and the next text does not continue it there.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The part that is the prompt has its answer.
    pub(super) fn clear_prompt(&mut self) {
        self.text.drain(..mem::take(&mut self.in_prompt));
    }

    /// It is, or is not, shown as the prompt.
    pub(super) fn set_in_prompt(&mut self, is_in_prompt: bool) {
        self.in_prompt = if is_in_prompt { self.text.len() } else { 0 };
    }

    /// Forgets a long text that is on the screen.
    pub(super) fn truncate(&mut self) {
        if self.is_too_long() {
            *self = Self { is_truncated: true, ..Self::default() };
        }
    }

    /// Whether it looks like a prompt, such as `login: `.
    pub(super) fn is_prompt(&self) -> bool {
        !self.is_truncated && self.text.strip_suffix(' ').unwrap_or(&self.text).ends_with(MARKS)
    }

    /// Whether it asks for something that must not be shown, such as `Password:`.
    pub(super) fn asks_for_secret(&self) -> bool {
        let text = self.text.trim_end().trim_end_matches(MARKS).trim_end().to_lowercase();
        // `Password for bob:`
        let request = match text.rsplit_once(" for ") {
            Some((request, user)) if !user.contains(' ') => request,
            _ => &text,
        };
        let starts_word = |rest: &str| !rest.ends_with(char::is_alphanumeric);
        SECRETS.iter().any(|secret| request.strip_suffix(secret).is_some_and(starts_word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unterminated(text: &str) -> Unterminated {
        let mut unterminated = Unterminated::default();
        assert_eq!(unterminated.push(text), "");
        unterminated
    }

    #[test]
    fn holds_back_what_is_not_a_line() {
        let mut held = Unterminated::default();
        assert_eq!(held.push("ab"), "");
        assert_eq!(held.push("c\nd\ne"), "abc\nd\n");
        assert_eq!(held.push("\n"), "e\n");
        assert_eq!(held.text(), "");
    }

    #[test]
    fn a_prompt_that_goes_on_is_a_line() {
        let mut loading = unterminated("Loading:");
        loading.set_in_prompt(true);
        loading.push(" 50%");
        assert_eq!(loading.rest(), " 50%");
        assert_eq!(loading.push(" done\nnext"), "Loading: 50% done\n");
        assert_eq!(loading.rest(), "next");
    }

    #[test]
    fn a_prompt_that_is_answered_is_gone() {
        let mut login = unterminated("login: ");
        login.set_in_prompt(true);
        login.push("welcome");
        login.clear_prompt();
        assert_eq!(login.text(), "welcome");
    }

    #[test]
    fn a_long_text_is_no_prompt() {
        let mut long = unterminated(&"x".repeat(LIMIT));
        long.truncate();
        long.push("login: ");
        assert!(!long.is_prompt());
        long.push("\nlogin: ");
        assert!(long.is_prompt());
    }

    #[test]
    fn tells_prompts_from_replies() {
        for prompt in ["login: ", "Password:", "> ", "sh#", "user@host:~$ ", "% ", "really? "] {
            assert!(unterminated(prompt).is_prompt(), "{prompt:?}");
        }
        for reply in ["HELLO", "", " ", "a: b", "login:  "] {
            assert!(!unterminated(reply).is_prompt(), "{reply:?}");
        }
    }

    #[test]
    fn recognizes_requests_for_secrets() {
        for secret in [
            "Password:",
            "password: ",
            "bob's PASSWORD",
            "Enter passphrase > ",
            "Mot de passe : ",
            "[sudo] password for bob: ",
        ] {
            assert!(unterminated(secret).asks_for_secret(), "{secret:?}");
        }
        for other in ["login: ", "password wrong", "nopassword:", "password for all of us: ", ""] {
            assert!(!unterminated(other).asks_for_secret(), "{other:?}");
        }
    }
}
