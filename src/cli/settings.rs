//! Changes a file of settings as a person would: line by line, with everything else left as it stands.

/// Returns a file with these keys set below `docker.telegram`, what says where the token is replaced.
pub(super) fn with_telegram(text: &str, keys: &[(String, String)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let docker = section(&lines, 0..lines.len(), "docker");
    let Some(docker) = docker else {
        if lines.last().is_some_and(|line| !line.trim().is_empty()) {
            lines.push(String::new());
        }
        lines.extend(["docker:".to_owned(), "  telegram:".to_owned()]);
        lines.extend(keys.iter().map(|(key, value)| format!("    {key}: {value}")));
        return joined(&lines);
    };
    let step = lines
        .get(docker.start + 1..docker.end)
        .and_then(|block| block.iter().find(|line| is_content(line)))
        .map_or(2, |line| indent(line));
    let telegram = section(&lines, docker.start + 1..docker.end, "telegram");
    let Some(telegram) = telegram else {
        let mut new = vec![format!("{}telegram:", " ".repeat(step))];
        new.extend(keys.iter().map(|(key, value)| line(step + 2, key, value)));
        let below = docker.start + 1;
        lines.splice(below..below, new);
        return joined(&lines);
    };
    let depth = lines
        .get(telegram.start + 1..telegram.end)
        .and_then(|block| block.iter().find(|line| is_content(line)))
        .map_or(step + 2, |line| indent(line));
    let is_replaced = |line: &String| {
        let name = line.trim_start().split(':').next().unwrap_or_default();
        indent(line) == depth && (name == "token" || keys.iter().any(|(key, _)| key == name))
    };
    let block = lines.get(telegram.start + 1..telegram.end).unwrap_or_default();
    let mut new: Vec<_> = keys.iter().map(|(key, value)| line(depth, key, value)).collect();
    new.extend(block.iter().filter(|line| !is_replaced(line)).cloned());
    lines.splice(telegram.start + 1..telegram.end, new);
    joined(&lines)
}

/// Finds a section: its line, and up to where what is in it goes.
fn section(
    lines: &[String],
    within: std::ops::Range<usize>,
    name: &str,
) -> Option<std::ops::Range<usize>> {
    let head = format!("{name}:");
    let block = lines.get(within.clone())?;
    let depth = block.iter().find(|line| is_content(line)).map(|line| indent(line))?;
    let is_head = |line: &String| {
        let text = line.split(" #").next().unwrap_or(line).trim_end();
        indent(line) == depth && text.trim_start() == head
    };
    let start = within.start + block.iter().position(is_head)?;
    let is_next = |line: &String| is_content(line) && indent(line) <= depth;
    let after = lines.get(start + 1..within.end)?;
    let end = after.iter().position(is_next).map_or(within.end, |at| start + 1 + at);
    Some(start..end)
}

fn is_content(line: &str) -> bool {
    let text = line.trim();
    !text.is_empty() && !text.starts_with('#') && text != "---"
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn line(depth: usize, key: &str, value: &str) -> String {
    format!("{}{key}: {value}", " ".repeat(depth))
}

fn joined(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str) -> String {
        let keys = [("token_file", "t"), ("chat_id", "\"7\"")];
        with_telegram(text, &keys.map(|(key, value)| (key.to_owned(), value.to_owned())))
    }

    #[test]
    fn what_stands_there_stays_and_what_is_set_is_set_once() {
        let new = "docker:\n  telegram:\n    token_file: t\n    chat_id: \"7\"\n";
        assert_eq!(with(""), new);
        let other = "# mine\nrunner:\n  history_lines: 5\n";
        assert_eq!(with(other), format!("{other}\n{new}"));
        let rabbit =
            "docker:\n    # the broker\n    rabbitmq:\n        host: h\nlogging:\n  level: info\n";
        let both = "docker:\n    telegram:\n      token_file: t\n      chat_id: \"7\"\n    # the broker\n    rabbitmq:\n        host: h\nlogging:\n  level: info\n";
        assert_eq!(with(rabbit), both);
        assert_eq!(with(both), both);
        let old =
            "docker:\n  telegram: # the bot\n    token: secret\n    users: [1]\n    chat_id: 3\n";
        let set = "docker:\n  telegram: # the bot\n    token_file: t\n    chat_id: \"7\"\n    users: [1]\n";
        assert_eq!(with(old), set);
        for text in ["", other, rabbit, both, old] {
            let value: serde_json::Value = serde_saphyr::from_str(&with(text)).unwrap();
            assert_eq!(value["docker"]["telegram"]["chat_id"], "7", "{text}");
        }
    }
}
