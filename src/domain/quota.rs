//! Quotas: how much of a machine and of a purse a project may use at once or in a day.
//!
//! A limit that is not set is `None`. Only the number of runners can be limited to none at all; for
//! the others the tables of the original call no limit 0.

use serde::{Deserialize, Serialize};

/// What can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QuotaName {
    /// Live runners at once.
    Runners,
    /// Resident memory of all their processes in MiB.
    Memory,
    /// CPU time of all their processes in percent of one core.
    Cpu,
    /// Tokens in a day, which begins at midnight UTC.
    Tokens,
}

impl QuotaName {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Runners, Self::Memory, Self::Cpu, Self::Tokens];

    /// The column of `resource_quotas`, which is also the name in commands.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Runners => "max_concurrent_runners",
            Self::Memory => "max_memory_mb",
            Self::Cpu => "max_cpu_percent",
            Self::Tokens => "max_tokens_per_day",
        }
    }

    /// A word for it.
    pub fn short(self) -> &'static str {
        match self {
            Self::Runners => "runners",
            Self::Memory => "memory",
            Self::Cpu => "cpu",
            Self::Tokens => "tokens",
        }
    }

    /// Parses either name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text || name.short() == text)
    }

    /// Returns the limit that a person wrote: a whole number, memory also as `512M` or `4G`, tokens also
    /// as `500k` or `2M`, and `unlimited` for none.
    ///
    /// # Errors
    ///
    /// Says what is understood.
    pub fn parse_limit(self, text: &str) -> Result<Option<u64>, String> {
        let text = text.trim();
        if matches!(text, "unlimited" | "none" | "-") {
            return Ok(None);
        }
        let number = || {
            let lower = text.to_ascii_lowercase();
            let split = lower.find(|c: char| !c.is_ascii_digit()).unwrap_or(lower.len());
            let (digits, unit) = lower.split_at(split);
            let factor = match (self, unit.trim()) {
                (_, "") | (Self::Memory, "m" | "mb" | "mib") | (Self::Cpu, "%") => 1,
                (Self::Memory, "g" | "gb" | "gib") => 1024,
                (Self::Tokens, "k") => 1_000,
                (Self::Tokens, "m") => 1_000_000,
                _ => return None,
            };
            let number: u64 = digits.parse().ok()?;
            // What a column of the database can hold.
            number.checked_mul(factor).filter(|number| i64::try_from(*number).is_ok())
        };
        let number = number().ok_or_else(|| {
            let examples = match self {
                Self::Runners => "5",
                Self::Memory => "512, 512M or 4G (MiB without a unit)",
                Self::Cpu => "150 (percent of one core)",
                Self::Tokens => "20000, 500k or 2M",
            };
            format!("`{}` is no limit like {examples}, or unlimited", text.escape_debug())
        })?;
        Ok(Some(number).filter(|number| *number > 0 || self == Self::Runners))
    }

    /// Returns an amount with its unit, as short as it can be told exactly enough.
    pub fn amount(self, amount: f64) -> String {
        let rounded = |value: f64, unit: &str| {
            let text = format!("{value:.1}");
            format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
        };
        match self {
            Self::Memory if amount >= 1024.0 => rounded(amount / 1024.0, " GiB"),
            Self::Memory => format!("{amount:.0} MiB"),
            Self::Cpu => format!("{amount:.0} %"),
            Self::Tokens if amount >= 1_000_000.0 => rounded(amount / 1_000_000.0, "M"),
            Self::Tokens if amount >= 1_000.0 => rounded(amount / 1_000.0, "k"),
            Self::Runners | Self::Tokens => format!("{amount:.0}"),
        }
    }
}

/// A project's limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Quota {
    /// Live runners at once; 0 lets none start.
    pub max_concurrent_runners: Option<u64>,
    /// MiB of all their processes together, from 1.
    pub max_memory_mb: Option<u64>,
    /// Percent of one core of all their processes together, from 1.
    pub max_cpu_percent: Option<u64>,
    /// Tokens of a day in UTC, from 1.
    pub max_tokens_per_day: Option<u64>,
}

impl Quota {
    /// The limit of this name.
    pub fn limit(&self, name: QuotaName) -> Option<u64> {
        match name {
            QuotaName::Runners => self.max_concurrent_runners,
            QuotaName::Memory => self.max_memory_mb,
            QuotaName::Cpu => self.max_cpu_percent,
            QuotaName::Tokens => self.max_tokens_per_day,
        }
    }

    /// Returns what sets these limits anew.
    pub fn as_change(&self) -> QuotaChange {
        let limits = QuotaName::ALL.into_iter().map(|name| (name, self.limit(name)));
        limits.filter(|(_, limit)| limit.is_some()).collect()
    }

    /// Sets the limit of this name.
    pub fn set(&mut self, name: QuotaName, limit: Option<u64>) {
        *match name {
            QuotaName::Runners => &mut self.max_concurrent_runners,
            QuotaName::Memory => &mut self.max_memory_mb,
            QuotaName::Cpu => &mut self.max_cpu_percent,
            QuotaName::Tokens => &mut self.max_tokens_per_day,
        } = limit;
    }
}

/// Limits to be changed; those that are not named stay.
pub type QuotaChange = std::collections::BTreeMap<QuotaName, Option<u64>>;

/// What a project's live runners use.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
pub struct QuotaUse {
    /// Live runners.
    pub runners: u64,
    /// Resident memory in MiB at the last sample.
    pub memory_mb: u64,
    /// CPU in percent of one core at the last sample.
    pub cpu_percent: f64,
    /// Tokens of today, in UTC.
    pub tokens_today: u64,
}

impl QuotaUse {
    /// How much is used of what this name limits.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn of(&self, name: QuotaName) -> f64 {
        match name {
            QuotaName::Runners => self.runners as f64,
            QuotaName::Memory => self.memory_mb as f64,
            QuotaName::Cpu => self.cpu_percent,
            QuotaName::Tokens => self.tokens_today as f64,
        }
    }
}

/// A project's limits and what it uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProjectQuota {
    /// The project's name.
    pub project: String,
    /// Its limits.
    pub quota: Quota,
    /// What it uses.
    pub used: QuotaUse,
    /// Whether the system keeps its runners on this node below memory and CPU; otherwise more than
    /// allowed is only told.
    pub is_enforced: bool,
}

impl ProjectQuota {
    /// Returns use and limit of a name in its unit; `None` where there is no limit.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn measure(&self, name: QuotaName) -> Option<(f64, f64)> {
        Some((self.used.of(name), self.quota.limit(name)? as f64))
    }

    /// Whether more is used than is allowed.
    pub fn is_exceeded(&self, name: QuotaName) -> bool {
        self.measure(name).is_some_and(|(used, limit)| used > limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_with_units_that_fit() {
        let memory = |text| QuotaName::Memory.parse_limit(text);
        assert_eq!(memory("4G"), Ok(Some(4096)));
        assert_eq!(memory("512 MiB"), Ok(Some(512)));
        assert_eq!(memory("0"), Ok(None));
        assert_eq!(memory("unlimited"), Ok(None));
        assert_eq!(QuotaName::Runners.parse_limit("0"), Ok(Some(0)));
        assert_eq!(QuotaName::Cpu.parse_limit("150%"), Ok(Some(150)));
        assert_eq!(QuotaName::Tokens.parse_limit("2M"), Ok(Some(2_000_000)));
        for bad in ["", "-1", "5x", "1.5", "9223372036854775808", "99999999999999999999G"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
        assert!(QuotaName::Runners.parse_limit("5G").is_err());
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(QuotaName::Memory.amount(1229.0), "1.2 GiB");
        assert_eq!(QuotaName::Memory.amount(4096.0), "4 GiB");
        assert_eq!(QuotaName::Tokens.amount(2_500_000.0), "2.5M");
        assert_eq!(QuotaName::Cpu.amount(149.6), "150 %");
    }

    #[test]
    fn both_names_are_understood() {
        for name in QuotaName::ALL {
            assert_eq!(QuotaName::parse(name.as_str()), Some(name));
            assert_eq!(QuotaName::parse(name.short()), Some(name));
        }
        assert_eq!(QuotaName::parse("max"), None);
    }
}
