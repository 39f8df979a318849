//! Takes secrets out of text before it is shown or exported.
//!
//! What looks like a key, a token, a password or a private key becomes `[redacted: kind]`; the rest
//! stays as it is, byte for byte. This finds secrets of known forms and in places that name them; a
//! password in a sentence it cannot know, so what is stored stays private all the same. Time grows with
//! the length of the text alone: the expressions are matched by automata and none can run back.

use std::{borrow::Cow, ops::Range, sync::LazyLock};

use regex::bytes::{Captures, Regex, RegexBuilder};

/// Names of settings that hold secrets, as they end.
const NAMES: &str = r"(?i:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|(?:api|access|secret|private|auth|signing|encryption|master|account|storage|service)[_-]?key)";

/// A value in quotes that is no reference to a variable.
const QUOTED: &str = r#"(?:"([^"\n$<{][^"\n]{3,})"|'([^'\n$<{][^'\n]{3,})')"#;

/// A value without quotes, up to the next space or delimiter.
const BARE: &str = r#"([^\s"'`<>(){},;$\[][^\s"'`<>(){},;]{3,})"#;

/// What a secret is and how it looks. Where a form has groups, the one that matched is the secret. Before it
/// may stand an escape of JSON or a colour of a terminal, which end in a letter.
fn forms() -> Vec<(&'static str, String)> {
    let of = |kind, form: &str| (kind, form.to_owned());
    vec![
        of(
            "private key",
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY[A-Z ]{0,10}-----|\z)|\bAGE-SECRET-KEY-1[0-9A-Z]{50,}",
        ),
        of(
            "api key",
            r"(?:\b|\\[bfnrt]|\[[0-9;:]{0,40}m)(sk-[A-Za-z0-9_-]{20,}|[prs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{16,}|AIza[0-9A-Za-z_-]{30,}|A[KS]IA[0-9A-Z]{16}\b|xai-[A-Za-z0-9]{40,}|gsk_[A-Za-z0-9]{30,}|pplx-[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}|hf_[A-Za-z0-9]{30,}|GOCSPX-[A-Za-z0-9_-]{20,})",
        ),
        of(
            "token",
            r"(?:\b|\\[bfnrt]|\[[0-9;:]{0,40}m)(gh[oprsu]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}|gl(?:pat|ptt|rt|dt|soat)-[A-Za-z0-9_-]{16,}|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}|npm_[A-Za-z0-9]{30,}|pypi-[A-Za-z0-9_-]{40,}|dckr_pat_[A-Za-z0-9_-]{20,}|do[oprt]_v1_[a-f0-9]{32,}|ya29\.[0-9A-Za-z_-]{20,}|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*)",
        ),
        // So long they are nothing else, whatever they are glued to.
        of("token", r"gh[oprsu]_[A-Za-z0-9]{36,}|svt_[a-f0-9]{32}_[a-f0-9]{64}"),
        // One that was cut to fit, as agents do for their titles, gives its beginning away all the same.
        of(
            "api key",
            r"((?:sk-(?:ant|proj|svcacct|or)-|gh[oprsu]_|github_pat_|gl(?:pat|ptt)-|xox[a-z]-|AIza|AKIA)[A-Za-z0-9_-]{4,})(?:\xe2\x80\xa6|\.\.\.)",
        ),
        of("token", r"hooks\.slack\.com/services/([A-Za-z0-9/]{20,})"),
        of(
            "authorization",
            r#"(?i:\b(?:proxy-)?authorization["']?\s{0,8}[:=]\s{0,8}["']?(?:(?:bearer|basic|token|digest|negotiate|apikey)\s{1,8})?([^\s"'`,;$<{][^\s"'`,;]{5,}))"#,
        ),
        of("authorization", r"(?i:\bbearer\s{1,8}([A-Za-z0-9._~+/-]{16,}={0,2}))"),
        of(
            "password",
            r#"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@"'<>]{0,100}:([^\s/@"'<>${][^\s/@"'<>]{0,300})@"#,
        ),
        // NAME=value: a shell, a Dockerfile, an .env file.
        of("secret", &format!(r"\b[A-Z0-9_]{{0,60}}{NAMES}=(?:{QUOTED}|{BARE})")),
        // name = "value", "name": "value": code, JSON.
        of(
            "secret",
            &format!(r#"(?i:\b[a-z0-9_.-]{{0,60}}){NAMES}["']?\s{{0,8}}[:=]\s{{0,8}}{QUOTED}"#),
        ),
        // name: value on a line of its own: YAML, headers.
        of(
            "secret",
            &format!(
                r"(?im:^[ \t-]{{0,40}}[a-z0-9_.-]{{0,60}}){NAMES}:[ \t]{{1,8}}{BARE}[ \t\r]{{0,8}}(?m:$)"
            ),
        ),
    ]
}

/// All forms as one expression, and which of its groups is which kind of secret.
struct Forms {
    /// Matches any secret with what names it.
    any: Regex,
    /// For each group but the 0th the kind, and whether it is a whole form: one without groups inside.
    groups: Vec<(&'static str, bool)>,
}

/// Built when first needed; nothing is shown when it cannot be built, which a test rules out.
static FORMS: LazyLock<Option<Forms>> = LazyLock::new(|| {
    let mut groups = Vec::new();
    let mut any = Vec::new();
    for (kind, form) in forms() {
        let inner = Regex::new(&format!("(?-u){form}")).ok()?.captures_len() - 1;
        groups.push((kind, inner == 0));
        groups.extend(std::iter::repeat_n((kind, true), inner));
        any.push(format!("({form})"));
    }
    let any = RegexBuilder::new(&any.join("|")).unicode(false).size_limit(LARGEST).build().ok()?;
    Some(Forms { any, groups })
});

/// Largest automaton, in bytes; it takes 2 MiB or so.
const LARGEST: usize = 16 << 20;

impl Forms {
    /// The secret in a match.
    fn secret(&self, found: &Captures<'_>) -> Option<(Range<usize>, &'static str)> {
        let groups = self.groups.iter().enumerate().filter(|(_, (_, is_secret))| *is_secret);
        groups
            .into_iter()
            .find_map(|(index, (kind, _))| Some((found.get(index + 1)?.range(), *kind)))
    }
}

/// Returns the text with its secrets replaced; as it was given when it has none.
pub fn redact(text: &str) -> Cow<'_, str> {
    let Some(forms) = &*FORMS else { return Cow::Borrowed("[redacted: everything]") };
    let mut clean = String::new();
    let mut kept = 0;
    for found in forms.any.captures_iter(text.as_bytes()) {
        let Some((range, kind)) = forms.secret(&found) else { continue };
        // A secret of other letters ends where a letter does, whatever a form says.
        let (start, end) =
            (text.floor_char_boundary(range.start), text.ceil_char_boundary(range.end));
        clean.push_str(text.get(kept..start).unwrap_or_default());
        clean.push_str("[redacted: ");
        clean.push_str(kind);
        clean.push(']');
        kept = end;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[kept..]);
    Cow::Owned(clean)
}

/// Returns a command without the secrets in its words: a first prompt is one of them.
pub fn redact_words(command: &[String]) -> Vec<Cow<'_, str>> {
    command.iter().map(|word| redact(word)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_of_known_forms_are_taken_out() {
        let a = |n: usize| "aB3".repeat(n);
        for (secret, kind) in [
            (format!("sk-ant-api03-{}", a(10)), "api key"),
            (format!("sk-proj-{}", a(10)), "api key"),
            (format!("AIza{}", a(12)), "api key"),
            ("AKIAIOSFODNN7EXAMPLE".to_owned(), "api key"),
            (format!("sk_live_{}", a(8)), "api key"),
            (format!("ghp_{}", a(12)), "token"),
            (format!("github_pat_{}", a(12)), "token"),
            (format!("glpat-{}", a(8)), "token"),
            (format!("xoxb-{}", a(8)), "token"),
            (format!("npm_{}", a(12)), "token"),
            (crate::domain::api_token::text(uuid::Uuid::max(), &[7; 32]), "token"),
            (format!("eyJ{}.eyJ{}.{}", a(5), a(5), a(5)), "token"),
        ] {
            let text = format!("before {secret}, after");
            assert_eq!(redact(&text), format!("before [redacted: {kind}], after"));
            let line = format!(r#"{{"text":"a line\n{secret}"}}"#);
            assert_eq!(redact(&line), format!(r#"{{"text":"a line\n[redacted: {kind}]"}}"#));
        }
        let coloured = format!("\u{1b}[1;32msk-ant-api03-{}\u{1b}[m", a(10));
        assert_eq!(redact(&coloured), "\u{1b}[1;32m[redacted: api key]\u{1b}[m");
        let glued = format!("TOKENghp_{}", a(12));
        assert_eq!(redact(&glued), "TOKEN[redacted: token]");
    }

    #[test]
    fn what_names_a_secret_stays() {
        for (text, clean) in [
            ("ANTHROPIC_API_KEY=abcd1234 make", "ANTHROPIC_API_KEY=[redacted: secret] make"),
            ("export DB_PASSWORD='a b c d'", "export DB_PASSWORD='[redacted: secret]'"),
            ("{\"client_secret\": \"hunter22\"}", "{\"client_secret\": \"[redacted: secret]\"}"),
            ("let apiKey = \"hunter22\";", "let apiKey = \"[redacted: secret]\";"),
            ("db:\n  password: hunter22\n", "db:\n  password: [redacted: secret]\n"),
            ("X-Api-Key: hunter22", "X-Api-Key: [redacted: secret]"),
            ("say sk-ant-api03-AbCdEf\u{2026} | api", "say [redacted: api key]\u{2026} | api"),
            ("ghp_AbCd...", "[redacted: api key]..."),
            ("Authorization: Bearer abcdef", "Authorization: Bearer [redacted: authorization]"),
            (
                "-H 'authorization: Basic dXNlcjpwYXNz'",
                "-H 'authorization: Basic [redacted: authorization]'",
            ),
            ("postgres://me:p%40ss@db/x", "postgres://me:[redacted: password]@db/x"),
            ("https://:t0k@h", "https://:[redacted: password]@h"),
            ("PASSWORD=\u{fc}ber\u{df}e x", "PASSWORD=[redacted: secret] x"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    #[test]
    fn a_private_key_is_taken_out_whole_and_so_is_one_without_an_end() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nabc=\n-----END RSA PRIVATE KEY-----";
        assert_eq!(redact(&format!("a\n{key}\nb")), "a\n[redacted: private key]\nb");
        assert_eq!(redact("a -----BEGIN PRIVATE KEY-----\nMIIB"), "a [redacted: private key]");
        let public = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----";
        assert!(matches!(redact(public), Cow::Borrowed(_)));
    }

    #[test]
    fn what_is_no_secret_stays() {
        for text in [
            "",
            "input_tokens: 1058, max_tokens=4096",
            "\"total_tokens\": 7",
            "fn token(&self) -> &str",
            "let token = next();",
            "token: String,",
            "PASSWORD=$DB_PASSWORD ./run",
            "password: ${{ secrets.DB }}",
            "API_KEY=",
            "the password is wrong",
            "Authorization: ${HEADER}",
            "http://localhost:8080/a@b",
            "git@github.com:a/b.git",
            "task-sk-1 and sk-short",
            "tokenizer: fast",
            "keyboard = \"qwerty\"",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{text} -> {}", redact(text));
        }
    }

    #[test]
    fn the_longest_text_takes_its_time_by_its_length() {
        for piece in [
            "A",
            "-",
            "sk-",
            "PASSWORD=",
            "-----BEGIN PRIVATE KEY-----",
            "a:/",
            "://a:",
            "token: ",
            "eyJa.",
            "\n ",
            "\u{fc}",
        ] {
            let text = piece.repeat(400_000 / piece.len());
            assert!(redact(&text).len() <= text.len() * 4);
        }
    }

    #[test]
    fn a_group_that_is_added_is_counted() {
        let forms = FORMS.as_ref().unwrap();
        assert_eq!(forms.any.captures_len() - 1, forms.groups.len());
    }

    proptest! {
        #[test]
        fn any_text_is_taken_and_one_that_is_clean_stays_so(text in "\\PC{0,200}") {
            let once = redact(&text).into_owned();
            prop_assert!(once == text || once.contains("[redacted: "));
        }

        #[test]
        fn a_key_is_found_wherever_it_stands(before in "\\PC{0,40}", after in "[ \n\"',;)]\\PC{0,40}") {
            let text = format!("{before} ghp_0123456789abcdefghijABCDEFGHIJ012345{after}");
            prop_assert!(!redact(&text).contains("0123456789abcdefghij"));
        }
    }
}
