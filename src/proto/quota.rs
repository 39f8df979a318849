//! Quotas on the wire.

use super::v1;
use crate::domain::{
    failure::Failure,
    quota::{ProjectQuota, Quota, QuotaChange, QuotaName, QuotaUse},
};

impl From<&ProjectQuota> for v1::ProjectQuota {
    fn from(quota: &ProjectQuota) -> Self {
        let (limits, used) = (&quota.quota, &quota.used);
        Self {
            project: quota.project.clone(),
            max_concurrent_runners: limits.max_concurrent_runners,
            max_memory_mb: limits.max_memory_mb,
            max_cpu_percent: limits.max_cpu_percent,
            max_tokens_per_day: limits.max_tokens_per_day,
            runners: used.runners,
            memory_mb: used.memory_mb,
            cpu_percent: used.cpu_percent,
            tokens_today: used.tokens_today,
            is_enforced: quota.is_enforced,
        }
    }
}

impl From<v1::ProjectQuota> for ProjectQuota {
    fn from(wire: v1::ProjectQuota) -> Self {
        Self {
            project: wire.project,
            quota: Quota {
                max_concurrent_runners: wire.max_concurrent_runners,
                max_memory_mb: wire.max_memory_mb,
                max_cpu_percent: wire.max_cpu_percent,
                max_tokens_per_day: wire.max_tokens_per_day,
            },
            used: QuotaUse {
                runners: wire.runners,
                memory_mb: wire.memory_mb,
                cpu_percent: wire.cpu_percent,
                tokens_today: wire.tokens_today,
            },
            is_enforced: wire.is_enforced,
        }
    }
}

/// Returns changed limits for the wire.
pub fn quota_limits(change: &QuotaChange) -> Vec<v1::QuotaLimit> {
    let limit = |(name, limit): (&QuotaName, &Option<u64>)| v1::QuotaLimit {
        name: name.as_str().to_owned(),
        limit: *limit,
    };
    change.iter().map(limit).collect()
}

/// Returns changed limits from the wire.
///
/// # Errors
///
/// `BAD_QUOTA` for a name that does not exist or a number that no database holds.
pub fn quota_change(limits: &[v1::QuotaLimit]) -> Result<QuotaChange, Failure> {
    let change = limits.iter().map(|wire| {
        let too_much = wire.limit.is_some_and(|limit| i64::try_from(limit).is_err());
        if too_much {
            let what = format!("the limit of `{}` is too large", wire.name.escape_debug());
            return Err(Failure::usage("BAD_QUOTA", what));
        }
        let name = quota_name(&wire.name)?;
        Ok((name, wire.limit.filter(|limit| *limit > 0 || name == QuotaName::Runners)))
    });
    change.collect()
}

/// Returns the quota of this name.
///
/// # Errors
///
/// `BAD_QUOTA` with the names that exist.
pub fn quota_name(name: &str) -> Result<QuotaName, Failure> {
    QuotaName::parse(name).ok_or_else(|| {
        let all = QuotaName::ALL.map(QuotaName::as_str).join(", ");
        Failure::usage("BAD_QUOTA", format!("no quota `{}`: {all}", name.escape_debug()))
    })
}
