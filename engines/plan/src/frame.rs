//! A query, SQL text or dataframe steps, becomes a logical plan over a context's tables.

use crate::error::engine_error;
use bench_model::{Aggregate, EngineError, JoinKind, Program, Query, SortKey, Step, Workload};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DataFusionError, JoinType, Result, TableReference, plan_err};
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::logical_expr::utils::{find_aggregate_exprs, find_window_exprs};
use datafusion::logical_expr::{Expr, LogicalPlan};
use std::collections::BTreeSet;

/// The workload's query as a dataframe over the context's tables.
///
/// # Errors
/// The program is wrong, is not a query, or asks for something DataFusion lacks.
pub async fn data_frame(context: &SessionContext, workload: &Workload) -> Result<DataFrame, EngineError> {
    let Program::Query(query) = &workload.program else {
        return Err(EngineError::Unsupported(format!("{} is a task graph, not a query", workload.name)));
    };
    plan_query(context, query).await.map_err(|e| engine_error(&workload.name, &e))
}

/// A query as a dataframe over the context's tables.
///
/// # Errors
/// Text that does not parse, names that are not there, or a statement that is not a query.
pub async fn plan_query(context: &SessionContext, query: &Query) -> Result<DataFrame> {
    match query {
        Query::Sql(text) => {
            let only_queries =
                SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
            let frame = context.sql_with_options(text, only_queries).await?;
            match frame.logical_plan() {
                LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => {
                    plan_err!("only queries can be run; use `bench explain` to see a plan")
                }
                _ => Ok(frame),
            }
        }
        Query::Frame(steps) => apply_steps(context, None, steps).await,
    }
}

/// Boxed because a join's right side has steps of its own.
fn apply_steps<'a>(
    context: &'a SessionContext,
    start: Option<DataFrame>,
    steps: &'a [Step],
) -> std::pin::Pin<Box<dyn Future<Output = Result<DataFrame>> + Send + 'a>> {
    Box::pin(async move {
        let mut frame = start;
        for step in steps {
            frame = Some(match (frame, step) {
                (None, Step::Scan(table)) => context.table(TableReference::bare(table.as_str())).await?,
                (Some(_), Step::Scan(table)) => return plan_err!("`scan` of {table} must be the first step"),
                (None, _) => return plan_err!("the first step must be `scan`"),
                (Some(left), Step::Join { table, on, how, steps }) => {
                    let right = context.table(TableReference::bare(table.as_str())).await?;
                    let right = apply_steps(context, Some(right), steps).await?;
                    join(left, right, table, on, *how)?
                }
                (Some(frame), step) => apply(frame, step)?,
            });
        }
        frame.map_or_else(|| plan_err!("the program has no steps"), Ok)
    })
}

fn apply(frame: DataFrame, step: &Step) -> Result<DataFrame> {
    match step {
        Step::Filter(text) => {
            let predicate = frame.parse_sql_expr(text)?;
            frame.filter(predicate)
        }
        Step::Select(columns) => frame.select_exprs(&columns.iter().map(String::as_str).collect::<Vec<_>>()),
        Step::Group(aggregate) => group(frame, aggregate),
        Step::Sort(keys) => frame.sort(keys.iter().map(sort_key).collect()),
        Step::Limit(rows) => frame.limit(0, Some(usize::try_from(*rows).unwrap_or(usize::MAX))),
        Step::Window(columns) => window(frame, columns),
        Step::Distinct => frame.distinct(),
        Step::Pivot { by, column, values, value } => {
            let aggregates = values.iter().map(|v| {
                let name = v.trim_matches('\'').replace('"', "");
                format!("{value} FILTER (WHERE {column} = {v}) AS \"{name}\"")
            });
            group(frame, &Aggregate { by: by.clone(), agg: aggregates.collect() })
        }
        Step::Scan(_) | Step::Join { .. } => plan_err!("a step that names a table cannot stand here"),
    }
}

fn parse(frame: &DataFrame, texts: &[String]) -> Result<Vec<Expr>> {
    texts.iter().map(|text| frame.parse_sql_expr(text)).collect()
}

fn sort_key(key: &SortKey) -> datafusion::logical_expr::SortExpr {
    Expr::Column(Column::from_name(&key.column)).sort(!key.descending, key.nulls_first)
}

/// Groups and aggregates; an aggregate column may compute with several aggregates (`max(a) - min(b) AS range`).
fn group(frame: DataFrame, aggregate: &Aggregate) -> Result<DataFrame> {
    let by = parse(&frame, &aggregate.by)?;
    let columns = parse(&frame, &aggregate.agg)?;
    let aggregates = find_aggregate_exprs(&columns);
    if let Some(plain) = columns.iter().find(|c| find_aggregate_exprs([*c]).is_empty()) {
        return plan_err!("`{plain}` in a group step is not an aggregate; put it into `by`");
    }
    let keys: Vec<Expr> = by.iter().map(|e| e.clone().unalias()).collect();
    let grouped = frame.aggregate(keys.clone(), aggregates.clone())?;
    let known: Vec<Expr> = keys.into_iter().chain(aggregates).collect();
    let columns = by.into_iter().chain(columns).map(|e| over_results(e, &known)).collect::<Result<Vec<_>>>()?;
    grouped.select(columns)
}

/// Adds window columns, which may compute with several window functions.
fn window(frame: DataFrame, columns: &[String]) -> Result<DataFrame> {
    let columns = parse(&frame, columns)?;
    let windows = find_window_exprs(&columns);
    if windows.is_empty() {
        return plan_err!("a window step needs an expression with an OVER clause");
    }
    let kept: Vec<Expr> = frame.schema().columns().into_iter().map(Expr::Column).collect();
    let added = columns.into_iter().map(|e| over_results(e, &windows)).collect::<Result<Vec<_>>>()?;
    frame.window(windows)?.select(kept.into_iter().chain(added).collect::<Vec<_>>())
}

/// The expression with each of the `known` ones replaced by the column that holds its result.
fn over_results(expr: Expr, known: &[Expr]) -> Result<Expr> {
    let replaced = expr.transform_down(|e| {
        if known.contains(&e) {
            let column = match e {
                Expr::Column(_) => e,
                computed => Expr::Column(Column::from_name(computed.schema_name().to_string())),
            };
            return Ok(Transformed::new(column, true, TreeNodeRecursion::Jump));
        }
        Ok(Transformed::no(e))
    })?;
    Ok(replaced.data)
}

/// Joins on equal columns. Where both sides call a key the same, its right copy is dropped, as dataframes do.
fn join(left: DataFrame, right: DataFrame, table: &str, on: &[(String, String)], how: JoinKind) -> Result<DataFrame> {
    let left = qualified(left, "left")?;
    let taken: BTreeSet<String> = qualifiers(&left);
    let name = if taken.contains(table) { format!("{table}_right") } else { table.to_owned() };
    let right = right.alias(&name)?;
    let kind = match how {
        JoinKind::Inner => JoinType::Inner,
        JoinKind::Left => JoinType::Left,
        JoinKind::Semi => JoinType::LeftSemi,
        JoinKind::Anti => JoinType::LeftAnti,
    };
    let lefts: Vec<&str> = on.iter().map(|(l, _)| l.as_str()).collect();
    let rights: Vec<String> = on.iter().map(|(_, r)| format!("{name}.{r}")).collect();
    let rights: Vec<&str> = rights.iter().map(String::as_str).collect();
    let joined = left.join(right, kind, &lefts, &rights, None)?;
    let dropped: BTreeSet<&str> = on.iter().filter(|(l, r)| l == r).map(|(l, _)| l.as_str()).collect();
    let right_copy =
        |c: &Column| c.relation.as_ref().is_some_and(|r| r.table() == name) && dropped.contains(c.name.as_str());
    let kept = joined.schema().columns().into_iter().filter(|c| !right_copy(c)).map(Expr::Column);
    let kept: Vec<Expr> = kept.collect();
    joined.select(kept)
}

/// The frame with every column under some table name, so that equal names of two sides can be told apart.
fn qualified(frame: DataFrame, name: &str) -> Result<DataFrame, DataFusionError> {
    let bare = frame.schema().columns().iter().any(|c| c.relation.is_none());
    if bare { frame.alias(name) } else { Ok(frame) }
}

fn qualifiers(frame: &DataFrame) -> BTreeSet<String> {
    frame.schema().columns().iter().filter_map(|c| c.relation.as_ref()).map(|r| r.table().to_owned()).collect()
}
