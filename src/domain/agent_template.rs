//! An agent of the user's own: how it is started, by a template of its command line.

use std::ffi::OsString;

use super::agent_command::{Permission, Wishes};

/// How an agent of the user's own is run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    /// Program and arguments, with places for what is wished.
    pub command: Vec<String>,
    /// What is added for god mode.
    pub god: Vec<String>,
    /// Program and arguments to go on with a conversation; empty where it cannot.
    pub resume: Vec<String>,
    /// ESC ends its turn, else ctrl-c does.
    pub is_interrupted_by_escape: bool,
    /// The rules by which its screen is read; empty for those of its name.
    pub screens: String,
}

impl Template {
    /// The places that a word may have.
    pub const PLACES: [&str; 4] = ["{model}", "{prompt}", "{session_id}", "{permission}"];

    /// Returns something in braces that is no place; braces that hold anything but a small word are text.
    pub fn unknown_place(word: &str) -> Option<&str> {
        let mut rest = word;
        while let Some(start) = rest.find('{') {
            let from = rest.get(start..)?;
            let end = from.find('}')?;
            let place = from.get(..=end)?;
            let name = place.trim_matches(['{', '}']);
            let is_word =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if is_word && !Self::PLACES.contains(&place) {
                return Some(place);
            }
            rest = from.get(end + 1..)?;
        }
        None
    }

    /// Returns the command for what is wished. A word whose place is for something that was not wished is
    /// left out, and an option before it that has nothing else.
    ///
    /// # Errors
    ///
    /// Says what the agent cannot be told, in words that follow its name.
    pub fn fill(&self, wishes: &Wishes, session: &str) -> Result<Vec<OsString>, String> {
        let has = |place: &str| self.command.iter().any(|word| word.contains(place));
        let refused =
            |what: &str| Err(format!("cannot be told {what}: its template has no place for it"));
        if !wishes.model.is_empty() && !has("{model}") {
            return refused("a model");
        }
        if !wishes.prompt.is_empty() && !has("{prompt}") {
            return refused("a first prompt");
        }
        let is_god = wishes.permission == Permission::Everything;
        match wishes.permission {
            Permission::Own => {}
            Permission::Everything if !self.god.is_empty() => {}
            _ if has("{permission}") => {}
            Permission::Everything => {
                return Err("has no god mode: agents.NAME.god is not set".to_owned());
            }
            _ => return refused("permissions"),
        }
        let command = put(&self.command, wishes, session);
        Ok(if is_god { self.with_god(command, wishes, session) } else { command })
    }

    /// Adds the words for god mode behind the program, where they are options whatever follows.
    fn with_god(
        &self,
        mut command: Vec<OsString>,
        wishes: &Wishes,
        session: &str,
    ) -> Vec<OsString> {
        command.splice(1..1, put(&self.god, wishes, session));
        command
    }

    /// Whether a command may have been made by it, and how well it fits: its program runs, and the words
    /// that stand in every such command are there in their order. So many of all its words are there; of
    /// two templates of one program, the one with more of them is meant.
    pub fn makes(&self, command: &[OsString]) -> Option<usize> {
        let short = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
        let (own, program) = (self.command.first()?, command.first()?);
        let mut words = command.iter().skip(1);
        let is_fixed =
            |(at, word): &(usize, &String)| !self.is_option_of_place(*at) && Self::unfilled(word);
        let mut fixed = self.command.iter().enumerate().skip(1).filter(is_fixed);
        let makes = short(own) == short(&program.to_string_lossy())
            && fixed.all(|(_, wanted)| words.any(|word| word == wanted.as_str()));
        let stands = |word: &&String| command.iter().any(|there| there == word.as_str());
        makes.then(|| self.command.iter().skip(1).filter(stands).count())
    }

    /// Whether the word at a place is an option whose value is one of [`Self::PLACES`].
    fn is_option_of_place(&self, at: usize) -> bool {
        let is_place = |word: &String| Self::PLACES.contains(&word.as_str());
        let is_option = self.command.get(at).is_some_and(|word| word.starts_with('-'));
        is_option && self.command.get(at + 1).is_some_and(is_place)
    }

    /// Returns what was wished for when it made a command, as far as that can be told: a word is known for
    /// what it is behind an option, and where something stands before it in its word. The first prompt is
    /// none of it: it was said.
    pub fn wished_by(&self, command: &[String]) -> Wishes {
        let value = |place| self.value(place, command).unwrap_or_default();
        let permission = if self.is_god(command.get(1..).unwrap_or_default()) {
            Permission::Everything
        } else {
            Permission::parse(value("{permission}")).unwrap_or_default()
        };
        Wishes { model: value("{model}").to_owned(), permission, prompt: String::new() }
    }

    fn value<'a>(&self, place: &str, command: &'a [String]) -> Option<&'a str> {
        self.command.iter().enumerate().skip(1).find_map(|(at, word)| {
            let (before, after) = word.split_once(place)?;
            let there = if word == place {
                let option =
                    self.command.get(at - 1).filter(|_| self.is_option_of_place(at - 1))?;
                command.iter().skip_while(|there| *there != option).nth(1)?
            } else {
                let mut words = command.iter().skip(1).filter(|_| !before.is_empty());
                words.find(|there| there.starts_with(before) && there.ends_with(after))?
            };
            there.strip_prefix(before)?.strip_suffix(after)
        })
    }

    /// Whether words of a command are those that it adds for god mode; a place in them is anything.
    pub fn is_god(&self, words: &[String]) -> bool {
        let mut fixed = self.god.iter().filter(|word| Self::unfilled(word)).peekable();
        fixed.peek().is_some() && fixed.all(|word| words.contains(word))
    }

    /// Whether a word of it has no place to be filled.
    fn unfilled(word: &str) -> bool {
        !Self::PLACES.iter().any(|place| word.contains(place))
    }

    /// Returns the command to go on with a conversation, with all that was wished for but a first prompt;
    /// `None` where it cannot.
    pub fn go_on(&self, wishes: &Wishes, session: &str) -> Option<Vec<OsString>> {
        if self.resume.is_empty() {
            return None;
        }
        let command = put(&self.resume, wishes, session);
        let is_to_be_god = wishes.permission == Permission::Everything
            && !self.is_god(self.resume.get(1..).unwrap_or_default());
        Some(if is_to_be_god { self.with_god(command, wishes, session) } else { command })
    }

    /// The keys that end a turn.
    pub fn interrupt(&self) -> &'static [u8] {
        if self.is_interrupted_by_escape { b"\x1b" } else { b"\x03" }
    }
}

fn put(words: &[String], wishes: &Wishes, session: &str) -> Vec<OsString> {
    let permission = match wishes.permission {
        Permission::Own => "",
        other => other.as_str(),
    };
    let values = [wishes.model.as_str(), wishes.prompt.as_str(), session, permission];
    let mut put: Vec<OsString> = Vec::new();
    for word in words {
        let wanted = Template::PLACES.iter().zip(values).filter(|(place, _)| word.contains(*place));
        let mut text = word.clone();
        let mut is_missing = false;
        for (place, value) in wanted {
            is_missing |= value.is_empty();
            text = text.replace(place, value);
        }
        if !is_missing {
            put.push(text.into());
            continue;
        }
        // `--model {model}`: the option goes with its value.
        let is_alone = Template::PLACES.contains(&word.as_str());
        if is_alone && put.len() > 1 && put.last().is_some_and(is_option) {
            put.pop();
        }
    }
    put
}

fn is_option(word: &OsString) -> bool {
    let bytes = word.as_encoded_bytes();
    bytes.starts_with(b"-") && bytes != b"--" && !bytes.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template() -> Template {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect();
        Template {
            command: words("mine --model {model} --as={permission} {prompt}"),
            god: words("--yes"),
            resume: words("mine --again {session_id}"),
            ..Template::default()
        }
    }

    fn line(words: &[OsString]) -> String {
        words.join(std::ffi::OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn what_it_makes_is_its_own_and_what_has_only_its_program_is_not() {
        let wishes =
            Wishes { model: "m".into(), permission: Permission::Everything, ..Wishes::default() };
        for wishes in [Wishes::default(), wishes] {
            assert!(template().makes(&template().fill(&wishes, "s").unwrap()).is_some());
        }
        let shell = Template {
            command: ["/bin/bash", "-c", "agent"].map(str::to_owned).into(),
            ..template()
        };
        let command = ["bash", "--yes", "-c", "agent"].map(OsString::from);
        assert_eq!(shell.makes(&command), Some(2));
        for other in [
            &["bash"][..],
            &["bash", "-c", "ls"],
            &["bash", "agent", "-c"],
            &["zsh", "-c", "agent"],
        ] {
            let command: Vec<_> = other.iter().map(OsString::from).collect();
            assert_eq!(shell.makes(&command), None, "{other:?}");
        }
        assert_eq!(template().makes(&[]), None);
    }

    #[test]
    fn what_is_not_wished_is_not_said() {
        let bare = template().fill(&Wishes::default(), "").unwrap();
        assert_eq!(line(&bare), "mine");
        let wishes = Wishes {
            model: "m".to_owned(),
            permission: Permission::Everything,
            prompt: "do it".to_owned(),
        };
        assert_eq!(
            line(&template().fill(&wishes, "").unwrap()),
            "mine --yes --model m --as=god do it"
        );
        assert_eq!(line(&template().go_on(&Wishes::default(), "s1").unwrap()), "mine --again s1");
    }

    #[test]
    fn what_goes_on_has_the_model_and_the_permissions_that_it_was_begun_with() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let again = |own: &Template, command: &str| {
            let wishes = own.wished_by(&words(command));
            line(&own.go_on(&wishes, "s1").unwrap())
        };
        let own = Template { resume: words("mine -r {session_id} --model {model}"), ..template() };
        assert_eq!(again(&own, "/bin/mine --yes --model m do it"), "mine --yes -r s1 --model m");
        assert_eq!(again(&own, "mine do it"), "mine -r s1");
        // The prompt may say anything, and is not said again.
        assert_eq!(own.wished_by(&words("mine --as=plan --model")).permission, Permission::Plan);
        assert_eq!(own.wished_by(&words("mine --as=plan --model")).model, "");
        let has_it = Template { resume: words("mine --yes -r {session_id}"), ..template() };
        assert_eq!(again(&has_it, "mine --yes"), "mine --yes -r s1");
        let positional = Template { command: words("mine {model} {prompt}"), ..own };
        assert_eq!(again(&positional, "mine m do"), "mine -r s1", "what `m` is, nobody knows");
    }

    #[test]
    fn what_has_no_place_is_refused() {
        let bare = Template { command: vec!["mine".to_owned()], ..Template::default() };
        for wishes in [
            Wishes { model: "m".to_owned(), ..Wishes::default() },
            Wishes { prompt: "p".to_owned(), ..Wishes::default() },
            Wishes { permission: Permission::Everything, ..Wishes::default() },
            Wishes { permission: Permission::Plan, ..Wishes::default() },
        ] {
            assert!(bare.fill(&wishes, "").is_err(), "{wishes:?}");
        }
        assert_eq!(bare.go_on(&Wishes::default(), "s"), None);
    }

    #[test]
    fn a_wrong_place_is_found_and_text_in_braces_is_none() {
        assert_eq!(Template::unknown_place("--x={modell}"), Some("{modell}"));
        for word in ["{model}-{prompt}", "{\"a\": 1}", "{", "}{", "{}", "{A}"] {
            assert_eq!(Template::unknown_place(word), None, "{word}");
        }
    }
}
