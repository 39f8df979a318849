//! The text of a message, which is a string or a list of blocks in every agent's files.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::agents::json::{Object, Scalar};

/// Longest text of a message that is kept, in bytes.
pub const LONGEST_TEXT: usize = 1 << 20;

/// What a message says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// Its texts, a line each; thoughts left out.
    pub text: String,
    /// Whether it carries the call or the result of a tool.
    pub tools: bool,
}

impl Content {
    /// Adds a text, as far as there is room.
    fn push(&mut self, text: Scalar<'_>) {
        let text = match text {
            // The only text of most messages, which need not be copied.
            Scalar::Text(Cow::Owned(text)) if self.text.is_empty() && text.len() < LONGEST_TEXT => {
                self.text = text;
                return;
            }
            Scalar::Text(text) => text,
            _ => return,
        };
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push('\n');
        }
        let room = LONGEST_TEXT.saturating_sub(self.text.len());
        self.text.push_str(&text[..text.floor_char_boundary(room)]);
    }
}

/// One part of a message.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Block<'a> {
    /// What kind of part it is, where the agent says so.
    #[serde(borrow)]
    r#type: Scalar<'a>,
    /// Its text.
    #[serde(borrow)]
    text: Scalar<'a>,
    /// Whether it is a thought (Gemini, Qwen).
    #[serde(borrow)]
    thought: Scalar<'a>,
    /// A call of a tool (Gemini, Qwen).
    function_call: Option<IgnoredAny>,
    /// Its result (Gemini, Qwen).
    function_response: Option<IgnoredAny>,
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

/// Takes any JSON for a [`Content`].
struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message")
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        let mut content = Content::default();
        content.push(Scalar::Text(Cow::Borrowed(text)));
        Ok(content)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Content, A::Error> {
        let mut content = Content::default();
        while let Some(Object(block)) = list.next_element::<Object<Block<'_>>>()? {
            content.tools |= block.r#type.str().starts_with("tool")
                || block.function_call.is_some()
                || block.function_response.is_some();
            if !block.thought.is_true() {
                content.push(block.text);
            }
        }
        Ok(content)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Content, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(json: &str) -> Content {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn texts_are_joined_and_thoughts_are_left_out() {
        let mixed = content(
            r#"[{"type":"text","text":"a"},{"type":"thinking","thinking":"b"},{"text":"c"},
               {"text":"d","thought":true},7,null,"e"]"#,
        );
        assert_eq!(mixed, Content { text: "a\nc".to_owned(), tools: false });
        assert_eq!(content("\"plain\"").text, "plain");
        for nothing in ["null", "7", "{\"text\":\"x\"}", "true", "1.5", "-1"] {
            assert_eq!(content(nothing), Content::default());
        }
    }

    #[test]
    fn tools_are_seen_in_every_agents_words() {
        for call in
            ["{\"type\":\"tool_use\"}", "{\"functionCall\":{}}", "{\"functionResponse\":{}}"]
        {
            assert!(content(&format!("[{call}]")).tools, "{call}");
        }
    }

    #[test]
    fn a_text_is_cut_at_a_characters_border() {
        let long = format!("\"{}\"", "ä".repeat(LONGEST_TEXT));
        assert_eq!(content(&long).text.len(), LONGEST_TEXT);
    }
}
