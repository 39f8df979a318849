//! The view of the attention inbox: a line for each open item, the most urgent first, and everything of
//! one with the last lines of its screen.

use chrono::TimeDelta;
use uuid::Uuid;

use super::{
    Line, State, Tone, age_text,
    table::{Column, table},
    wrap,
};
use crate::domain::{
    amount::{marked, money},
    inbox::{Class, Item, Reason},
};

/// Columns of what stands before a fact about one of them.
const HEAD: usize = 12;

impl State {
    /// The heading of the view.
    pub(super) fn inbox_title(&self) -> String {
        if self.page.item.is_some() { "INBOX · one item".to_owned() } else { "INBOX".to_owned() }
    }

    /// The names of the columns.
    pub(super) fn inbox_fixed(&self) -> Vec<Line> {
        vec![Line::new("", self.inbox_table().0, Tone::Muted)]
    }

    /// A line for each item.
    pub(super) fn inbox_lines(&self) -> Vec<Line> {
        let lines = self.inbox_table().1.into_iter().zip(&self.inbox);
        lines.map(|(text, item)| Line::new("", text, tone(item.reason))).collect()
    }

    /// Everything that is known of the one that is shown whole.
    pub(super) fn item_lines(&self, id: Uuid) -> Vec<Line> {
        let Some(item) = self.inbox.iter().find(|item| item.id == id) else {
            return vec![Line::new(
                "",
                "it is over: answered, put away, or its cause is gone",
                Tone::Muted,
            )];
        };
        let fields = [
            ("runner", item.runner.clone()),
            ("project", item.project.clone()),
            ("agent", item.agent.clone()),
            ("reason", item.reason.as_str().to_owned()),
            ("message", item.message.clone()),
            ("waits", self.item_age(item)),
            ("cost", cost(item)),
            ("next", next(item).to_owned()),
            ("item", item.short()),
        ];
        let room = usize::from(self.size.0).saturating_sub(HEAD + 4).max(8);
        let mut lines = Vec::new();
        for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
            for (row, text) in wrap(&value, room).into_iter().enumerate() {
                lines.push(Line::new(if row == 0 { name } else { "" }, text, Tone::Plain));
            }
        }
        for (row, text) in item.lines.iter().enumerate() {
            let name = if row == 0 { "screen" } else { "" };
            lines.push(Line::new(name, format!("│ {text}"), Tone::Muted));
        }
        lines
    }

    /// The item under the cursor, or the one that is shown whole.
    pub(in crate::ui) fn item_at_cursor(&self) -> Option<&Item> {
        if let Some(id) = self.page.item {
            return self.inbox.iter().find(|item| item.id == id);
        }
        let lines = self.inbox_lines().into_iter().zip(&self.inbox);
        let mut shown = lines.filter(|(line, _)| self.is_searched_for(line));
        shown.nth(self.page.at).map(|(_, item)| item)
    }

    /// The line of an item among those that are shown.
    pub(in crate::ui) fn line_of_item(&self, id: Uuid) -> Option<usize> {
        let lines = self.inbox_lines().into_iter().zip(&self.inbox);
        let mut shown = lines.filter(|(line, _)| self.is_searched_for(line));
        shown.position(|(_, item)| item.id == id)
    }

    /// Takes in the open items; the cursor stays with the one that it is on.
    pub(in crate::ui) fn learn_inbox(&mut self, items: Vec<Item>) {
        let under = self.item_at_cursor().map(|item| item.id);
        self.is_dirty |= self.inbox != items;
        self.inbox = items;
        if self.view == super::View::Inbox
            && self.page.item.is_none()
            && let Some(at) = under.and_then(|id| self.line_of_item(id))
        {
            self.page.at = at;
        }
    }

    fn inbox_table(&self) -> (String, Vec<String>) {
        let cells = |cell: &dyn Fn(&Item) -> String| self.inbox.iter().map(cell).collect();
        let columns = vec![
            Column::text("reason", 1, cells(&|item| item.reason.as_str().to_owned())),
            Column::text("runner", 1, cells(&|item| item.runner.clone())),
            Column::figures("waits", 2, cells(&|item| self.item_age(item))),
            Column::figures("cost", 4, cells(&cost)),
            Column::text("agent", 6, cells(&|item| item.agent.clone())),
            Column::text("item", 5, cells(&|item| item.short())),
            Column::text("message", 0, cells(&|item| item.message.clone())),
        ];
        table(columns, usize::from(self.size.0).saturating_sub(3))
    }

    fn item_age(&self, item: &Item) -> String {
        age_text((self.now - item.opened_at).max(TimeDelta::zero()))
    }

    /// What is said where there is none.
    pub(super) fn inbox_empty() -> Vec<String> {
        vec![
            "nothing waits for you".to_owned(),
            "questions, failures, held budgets and ended turns are listed here until they are seen to"
                .to_owned(),
        ]
    }
}

fn tone(reason: Reason) -> Tone {
    match reason {
        Reason::Failed | Reason::Alert => Tone::Bad,
        Reason::Finished => Tone::Good,
        Reason::Budget => Tone::Warning,
        _ => Tone::Plain,
    }
}

fn cost(item: &Item) -> String {
    if item.cost.0 == 0 { String::new() } else { marked(&money(item.cost), item.quality) }
}

/// What can be done about an item.
fn next(item: &Item) -> &'static str {
    match item.class {
        Class::Ask => "answer it, or open the runner",
        Class::Turn => "open the runner, or reply",
        Class::End => "restart the runner, or put this away",
        Class::Budget => "raise the budget",
        Class::Alert => "see to it, then put this away",
    }
}
