//! The view of what agents used: bars of the last hours or days, and under them sums by project,
//! runner, session, model, agent or day.

use super::{
    Line, State, Tone, UsageAsk, natural,
    spending::sum,
    table::{Column, table},
};
use crate::{
    domain::{
        amount::{cost_of, marked, tokens},
        usage::{UsageBy, UsageTotal},
    },
    ui::widgets::{meter, plot},
};

/// By what sums are told apart here, in the order of the key for that.
const BY: [UsageBy; 6] = [
    UsageBy::Project,
    UsageBy::Runner,
    UsageBy::Session,
    UsageBy::Model,
    UsageBy::Agent,
    UsageBy::Day,
];
/// Columns of a share.
const SHARE: usize = 10;
/// Bars are at most so wide.
const WIDEST: usize = 5;
/// The columns before the bars: how much the highest is.
const AXIS: usize = 7;

impl UsageAsk {
    /// By the next, or by what came before.
    pub(in crate::ui) fn step(&mut self, forward: bool) {
        let at = BY.iter().position(|by| *by == self.by).unwrap_or(0);
        let to = (at + if forward { 1 } else { BY.len() - 1 }) % BY.len();
        self.by = BY.get(to).copied().unwrap_or_default();
    }

    /// The time it is about, in words.
    pub(in crate::ui) fn range(&self) -> &'static str {
        if self.is_month { "the last 30 days" } else { "the last 24 hours" }
    }
}

impl State {
    /// The heading of the usage view.
    pub(super) fn usage_title(&self) -> String {
        let ask = &self.spending.ask;
        let (by, range) = (ask.by.as_str(), ask.range());
        match ask.project.as_str() {
            "" => format!("USAGE by {by} · {range}"),
            project => format!("USAGE of {project} by {by} · {range}"),
        }
    }

    /// What stands above the sums: the bars, and the names of the columns.
    pub(super) fn usage_fixed(&self) -> Vec<Line> {
        let Some((_, _, bins)) = self.known_usage() else { return Vec::new() };
        let mut lines = Vec::new();
        let rows = match self.size.1 {
            ..18 => 0,
            18..30 => 3,
            30..45 => 5,
            _ => 8,
        };
        let most = bins.iter().map(|bin| bin.tokens).max().unwrap_or(0);
        if rows > 0 && most > 0 {
            let room = usize::from(self.size.0).saturating_sub(AXIS + 4);
            let wide = (room / bins.len().max(1)).clamp(1, WIDEST);
            let figures: Vec<u64> = bins.iter().map(|bin| bin.tokens).collect();
            for (row, bars) in plot(&figures, rows, wide).into_iter().enumerate() {
                let axis = if row == 0 { tokens(most) } else { String::new() };
                lines.push(Line::new("", format!("{axis:>AXIS$} {bars}"), Tone::Good));
            }
            let mut axis = " ".repeat(AXIS + 1);
            for bin in bins.iter().step_by(6) {
                let label = format!("{:<width$}", bin.label, width = wide * 6);
                axis.push_str(label.get(..wide * 6).unwrap_or(&label));
            }
            lines.push(Line::new("", axis.trim_end(), Tone::Muted));
            lines.push(Line::new("", "", Tone::Muted));
        }
        let heads = self.usage_table().0;
        lines.push(Line::new("", heads, Tone::Muted));
        lines
    }

    /// The sums, and the sum of them.
    pub(super) fn usage_lines(&self) -> Vec<Line> {
        self.usage_table().1.into_iter().map(|text| Line::new("", text, Tone::Plain)).collect()
    }

    fn usage_table(&self) -> (String, Vec<String>) {
        let Some((ask, totals, _)) = self.known_usage() else { return Default::default() };
        let mut totals: Vec<UsageTotal> = totals.clone();
        if ask.by == UsageBy::Day {
            totals.sort_by(|a, b| natural(&b.key, &a.key));
        }
        let all = sum(&totals);
        let count = totals.len();
        if count > 1 {
            totals.push(UsageTotal { name: "total".to_owned(), ..all.clone() });
        }
        let counted = all.tokens.counted().max(1);
        let cells = |cell: &dyn Fn(&UsageTotal) -> String| totals.iter().map(cell).collect();
        let kind = |kind: fn(&UsageTotal) -> u64| cells(&move |total| tokens(kind(total)));
        let share = |total: &UsageTotal| {
            let share = u128::from(total.tokens.counted()) * 100 / u128::from(counted);
            u64::try_from(share).unwrap_or(100)
        };
        let mut shares: Vec<String> = totals
            .iter()
            .map(|total| format!("{} {:>3} %", meter(share(total), SHARE), share(total)))
            .collect();
        shares.iter_mut().skip(count).for_each(String::clear);
        let columns = vec![
            Column::text(ask.by.as_str(), 0, cells(&|total| name(ask.by, total))),
            Column::figures(
                "tokens",
                1,
                cells(&|total| marked(&tokens(total.tokens.counted()), total.quality)),
            ),
            Column::figures("cost", 2, cells(&cost_of)),
            Column::figures("requests", 4, cells(&|total| total.requests.to_string())),
            Column::figures("input", 5, kind(|total| total.tokens.input)),
            Column::figures("cache read", 7, kind(|total| total.tokens.cache_read)),
            Column::figures(
                "cache write",
                8,
                kind(|total| {
                    total.tokens.cache_write_5m.saturating_add(total.tokens.cache_write_1h)
                }),
            ),
            Column::figures("output", 6, kind(|total| total.tokens.output)),
            Column::figures("reasoning", 9, kind(|total| total.tokens.reasoning)),
            Column::figures("share", 3, shares),
        ];
        table(columns, usize::from(self.size.0).saturating_sub(3))
    }

    /// What was read, if it is what is wanted.
    fn known_usage(&self) -> Option<&(UsageAsk, Vec<UsageTotal>, Vec<super::Bin>)> {
        self.spending.spent.usage.as_ref().filter(|(ask, ..)| *ask == self.spending.ask)
    }

    /// What is said where nothing was used.
    pub(super) fn usage_empty(&self) -> Vec<String> {
        if self.known_usage().is_none() {
            return vec!["reading …".to_owned()];
        }
        let whose = match self.spending.ask.project.as_str() {
            "" => "no agent".to_owned(),
            project => format!("no agent of {project}"),
        };
        vec![
            format!("{whose} has used anything in {} that was reported", self.spending.ask.range()),
            "what an agent uses is counted here as soon as its model has answered".to_owned(),
        ]
    }
}

fn name(by: UsageBy, total: &UsageTotal) -> String {
    match total.name.as_str() {
        "" => "-".to_owned(),
        // An id is told by its beginning.
        id if by == UsageBy::Session => id.get(..13).unwrap_or(id).to_owned(),
        name => name.chars().take(32).collect(),
    }
}
