//! Names that runners of both databases have: told before anything is written, or given anew.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{
    Copier,
    table::Table,
    tables::{PROJECTS, RUNNERS},
};
use crate::{
    daemon::store::{Kind, Query, StoreError},
    domain::{amount::named, failure::Failure},
};

/// So many names are told.
const TOLD: usize = 8;

/// Which runners have the name of another one, or of a project, in the target.
const TAKEN: &str = "SELECT r.name AS name FROM {rows} \
     WHERE NOT EXISTS (SELECT 1 FROM runners AS t WHERE t.id = r.id) \
     AND (EXISTS (SELECT 1 FROM runners AS t WHERE t.name = r.name) \
     OR EXISTS (SELECT 1 FROM projects AS p WHERE p.name = r.name))";

/// Which projects have the name of a runner in the target.
const TAKEN_BY_RUNNER: &str = "SELECT r.name AS name FROM {rows} \
     WHERE EXISTS (SELECT 1 FROM runners AS t WHERE t.name = r.name)";

/// Which runners carry out a request that another one in the target carries out.
const REPEATED: &str = "SELECT CAST(r.id AS TEXT) AS name FROM {rows} \
     WHERE EXISTS (SELECT 1 FROM runners AS t WHERE t.request_id = r.request_id AND t.id <> r.id)";

impl Copier<'_> {
    /// Refuses to begin when a name would be another's.
    pub(super) async fn refuse_clashes(&mut self) -> Result<(), StoreError> {
        let projects = self.find(&PROJECTS, TAKEN_BY_RUNNER).await?;
        if let Some(name) = projects.first() {
            let what = format!("nothing was written: project `{name}` is a runner's name there");
            let hint = "delete that project or that runner's project first";
            return Err(StoreError::Refused(
                Failure::conflict("NAMES_CLASH", what).with_hint(hint),
            ));
        }
        if self.is_renaming {
            return Ok(());
        }
        let names = self.find(&RUNNERS, TAKEN).await?;
        if names.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = names.iter().collect();
        let what = format!(
            "nothing was written: the target has other runners or projects of these names: {}",
            named(&names, TOLD)
        );
        let hint = "--rename gives the runners that are copied the next numbers of their projects";
        Err(StoreError::Refused(Failure::conflict("NAMES_CLASH", what).with_hint(hint)))
    }

    async fn find(
        &mut self,
        table: &Table,
        sql: &'static str,
    ) -> Result<BTreeSet<String>, StoreError> {
        let (mut place, mut names) = (None, BTreeSet::new());
        loop {
            let rows = self.page(table, &mut place).await?;
            if rows.is_empty() {
                return Ok(names);
            }
            names.append(&mut self.among(sql, rows).await?);
        }
    }

    /// Returns the names that a statement finds among rows.
    async fn among(
        &mut self,
        sql: &'static str,
        rows: Vec<Json>,
    ) -> Result<BTreeSet<String>, StoreError> {
        let columns = [("id", Kind::Id), ("name", Kind::Text), ("request_id", Kind::Id)];
        let sql = sql.replace("{rows}", &self.target.rows(&columns));
        let (_, found) = self.target.run(Query::new(sql).bind(Json::Array(rows))).await?;
        found.iter().map(|row| row.text("name")).collect()
    }

    /// Makes runners fit in: those whose name is another's get the next number of their project, and
    /// a request that was carried out twice is the target's.
    pub(super) async fn settle_names(&mut self, rows: &mut [Json]) -> Result<(), StoreError> {
        let repeated = self.among(REPEATED, rows.to_vec()).await?;
        let taken = self.among(TAKEN, rows.to_vec()).await?;
        for row in rows {
            let of = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            let (id, name, project) = (of("id"), of("name"), of("project_name"));
            if repeated.contains(&id) {
                row["request_id"] = Json::Null;
            }
            if !taken.contains(&name) {
                continue;
            }
            if !self.is_renaming {
                let what = format!("the name {name} was taken in the target meanwhile");
                return Err(StoreError::Refused(
                    Failure::conflict("NAMES_CLASH", what).with_hint("copy again with --rename"),
                ));
            }
            let new = self.next_name(&project).await?;
            row["name"] = new.as_str().into();
            self.copied.renamed.push((name, new));
        }
        Ok(())
    }

    /// Returns the next name of a project that nobody has.
    async fn next_name(&mut self, project: &str) -> Result<String, StoreError> {
        loop {
            let next = Query::new(
                "UPDATE projects SET last_runner = last_runner + 1 WHERE name = $1 \
                 RETURNING last_runner",
            );
            let (_, rows) = self.target.run(next.bind(project)).await?;
            let missing = || StoreError::Garbled(format!("runners.project_name: {project}"));
            let number = rows.first().ok_or_else(missing)?.count("last_runner")?;
            let name = format!("{project}-{number}");
            let free = Query::new(
                "SELECT 1 AS one WHERE NOT EXISTS (SELECT 1 FROM runners WHERE name = $1) \
                 AND NOT EXISTS (SELECT 1 FROM projects WHERE name = $1)",
            );
            if !self.target.run(free.bind(name.as_str())).await?.1.is_empty() {
                return Ok(name);
            }
        }
    }
}
