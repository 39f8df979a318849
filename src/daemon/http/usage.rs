//! What is used, and what may be used: usage, budgets, quotas.

use axum::{extract::State, http::StatusCode};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::{
    Http, Routes,
    extract::{Answer, Json, Params, Path},
    lists::{Page, Paging},
    problem::Problem,
};
use crate::domain::{
    budget::{Budget, BudgetAction, BudgetChange, BudgetScope, Limit, Period},
    failure::Failure,
    quota::{ProjectQuota, Quota, QuotaChange, QuotaName},
    usage::{UsageBy, UsageFilter, UsageTotal},
};

/// The routes.
pub(super) fn routes() -> Routes {
    let mut routes = Routes::default();
    routes.viewer = routes
        .viewer
        .routes(routes!(get_usage))
        .routes(routes!(list_budgets))
        .routes(routes!(list_quotas))
        .routes(routes!(get_quota));
    routes.admin = routes
        .admin
        .routes(routes!(set_budget))
        .routes(routes!(remove_budget))
        .routes(routes!(reset_budget))
        .routes(routes!(set_quota))
        .routes(routes!(clear_quota));
    routes
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct Wanted {
    /// What sums are told apart by: project (if nothing is said), runner, session, model, agent, day, hour.
    #[param(pattern = "^(project|runner|session|model|agent|day|hour)?$")]
    by: String,
    /// Only of this project.
    project: String,
    /// Only of this runner.
    runner: String,
    /// Only of this session.
    session: String,
    /// Not before.
    since: Option<DateTime<Utc>>,
    /// Before.
    until: Option<DateTime<Utc>>,
    /// Also what was used outside of runners, in conversations that were imported.
    imported: bool,
}

/// Sums.
#[derive(Debug, Serialize, ToSchema)]
struct Totals {
    /// The largest first; days and hours in order.
    items: Vec<UsageTotal>,
}

/// A budget to be set.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct BudgetBody {
    /// How much may be used: `{"tokens": 500000}`, or `{"money": 5000000000}` in billionths of a dollar.
    limit: Limit,
    /// The highest rung: warn, hold, interrupt, pause or stop.
    #[serde(default)]
    action: Option<BudgetAction>,
    /// Cache reads count too.
    #[serde(default)]
    count_cache_reads: Option<bool>,
    /// Estimates are acted upon too.
    #[serde(default)]
    enforce_estimates: Option<bool>,
    /// The zone in which its periods begin, `Europe/Berlin`.
    #[serde(default)]
    time_zone: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct OfPeriod {
    /// Only of this period.
    #[param(inline)]
    period: Option<Period>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
struct OfName {
    /// Only this limit.
    #[param(
        pattern = "^(max_concurrent_runners|max_memory_mb|max_cpu_percent|max_tokens_per_day)$"
    )]
    name: Option<String>,
}

/// Sums up what agents used.
#[utoipa::path(get, path = "/usage", tag = "usage", params(Wanted),
    responses((status = 200, description = "The sums", body = Totals)))]
async fn get_usage(State(http): State<Http>, Params(wanted): Params<Wanted>) -> Answer<Totals> {
    let word = if wanted.by.is_empty() { "project" } else { &wanted.by };
    let by = UsageBy::parse(word).ok_or_else(|| {
        let all = UsageBy::ALL.map(UsageBy::as_str).join(", ");
        Failure::usage("BAD_USAGE", format!("`{}` is none of {all}", word.escape_debug()))
    })?;
    let filter = UsageFilter {
        project: wanted.project,
        runner: wanted.runner,
        session: wanted.session,
        since: wanted.since,
        until: wanted.until,
        imported: wanted.imported,
    };
    Ok(Json(Totals { items: http.services.usage(by, filter).await? }))
}

/// Lists the budgets that are in force.
#[utoipa::path(get, path = "/budgets", tag = "budgets", params(Paging),
    responses((status = 200, description = "A page of budgets", body = Page<Budget>)))]
async fn list_budgets(
    State(http): State<Http>,
    Params(paging): Params<Paging>,
) -> Answer<Page<Budget>> {
    let budgets = http.services.list_budgets().await?;
    paging.cut(budgets, |budget| format!("{} {}", budget.scope, budget.period.as_str()))
}

/// Sets a budget.
#[utoipa::path(put, path = "/budgets/{scope}/{period}", tag = "budgets", request_body = BudgetBody,
    params(("scope" = String, Path, pattern = "^((project|runner):)?[^:]+$",
        description = "global, project:NAME or runner:NAME"),
        ("period" = inline(Period), Path, description = "How long it lasts")),
    responses((status = 204, description = "It is set")))]
async fn set_budget(
    State(http): State<Http>,
    Path((scope, period)): Path<(String, Period)>,
    Json(body): Json<BudgetBody>,
) -> Result<StatusCode, Problem> {
    let change = BudgetChange {
        scope: scope_of(&scope)?,
        period,
        limit: body.limit,
        action: body.action,
        count_cache_reads: body.count_cache_reads,
        enforce_estimates: body.enforce_estimates,
        time_zone: body.time_zone,
    };
    http.services.set_budget(change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes the budgets of a scope.
#[utoipa::path(delete, path = "/budgets/{scope}", tag = "budgets",
    params(("scope" = String, Path, pattern = "^((project|runner):)?[^:]+$",
        description = "global, project:NAME or runner:NAME"), OfPeriod),
    responses((status = 204, description = "They are removed")))]
async fn remove_budget(
    State(http): State<Http>,
    Path(scope): Path<String>,
    Params(of): Params<OfPeriod>,
) -> Result<StatusCode, Problem> {
    http.services.remove_budget(scope_of(&scope)?, of.period).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets the budgets of a scope begin anew.
#[utoipa::path(post, path = "/budgets/{scope}/reset", tag = "budgets",
    params(("scope" = String, Path, pattern = "^((project|runner):)?[^:]+$",
        description = "global, project:NAME or runner:NAME"), OfPeriod),
    responses((status = 204, description = "Nothing is used of them")))]
async fn reset_budget(
    State(http): State<Http>,
    Path(scope): Path<String>,
    Params(of): Params<OfPeriod>,
) -> Result<StatusCode, Problem> {
    http.services.reset_budget(scope_of(&scope)?, of.period).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists what projects may use at once, and what they use.
#[utoipa::path(get, path = "/quotas", tag = "quotas", params(Paging),
    responses((status = 200, description = "A page of quotas", body = Page<ProjectQuota>)))]
async fn list_quotas(
    State(http): State<Http>,
    Params(paging): Params<Paging>,
) -> Answer<Page<ProjectQuota>> {
    let quotas = http.services.list_quotas("").await?;
    paging.cut(quotas, |quota| quota.project.clone())
}

/// Shows what a project may use at once, and what it uses.
#[utoipa::path(get, path = "/projects/{project}/quota", tag = "quotas",
    params(("project" = String, Path, description = "Its name")),
    responses((status = 200, description = "The quota", body = ProjectQuota)))]
async fn get_quota(State(http): State<Http>, Path(project): Path<String>) -> Answer<ProjectQuota> {
    let quota = http.services.list_quotas(&project).await?.into_iter().next();
    let missing = || Failure::not_found("QUOTA_NOT_FOUND", "the project has no quota");
    Ok(Json(quota.ok_or_else(missing)?))
}

/// Sets the limits of a project; those that are missing or null are taken away.
#[utoipa::path(put, path = "/projects/{project}/quota", tag = "quotas",
    request_body = Quota,
    params(("project" = String, Path, description = "Its name")),
    responses((status = 200, description = "The quota", body = ProjectQuota)))]
async fn set_quota(
    State(http): State<Http>,
    Path(project): Path<String>,
    Json(body): Json<Quota>,
) -> Answer<ProjectQuota> {
    let limits = QuotaName::ALL.into_iter().map(|name| (name, body.limit(name)));
    let change: QuotaChange = limits.collect();
    Ok(Json(http.services.set_quota(&project, change).await?))
}

/// Takes limits of a project away.
#[utoipa::path(delete, path = "/projects/{project}/quota", tag = "quotas",
    params(("project" = String, Path, description = "Its name"), OfName),
    responses((status = 200, description = "The quota", body = ProjectQuota)))]
async fn clear_quota(
    State(http): State<Http>,
    Path(project): Path<String>,
    Params(of): Params<OfName>,
) -> Answer<ProjectQuota> {
    let name = of.name.as_deref().map(quota_of).transpose()?;
    Ok(Json(http.services.clear_quota(&project, name).await?))
}

fn scope_of(word: &str) -> Result<BudgetScope, Failure> {
    BudgetScope::parse(word).ok_or_else(|| {
        let what = format!("`{}`: global, project:NAME or runner:NAME", word.escape_debug());
        Failure::usage("BAD_SCOPE", what)
    })
}

fn quota_of(word: &str) -> Result<QuotaName, Failure> {
    QuotaName::parse(word).ok_or_else(|| {
        let all = QuotaName::ALL.map(QuotaName::as_str).join(", ");
        Failure::usage("BAD_QUOTA", format!("`{}` is none of {all}", word.escape_debug()))
    })
}
