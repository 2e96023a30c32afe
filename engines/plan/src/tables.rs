//! Datasets on disk become tables that DataFusion can scan, with the statistics of their footers.

use crate::error::plain;
use bench_model::{Bytes, Dataset, EngineError, Format, Table};
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::config::TableParquetOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::execution::config::SessionConfig;
use datafusion::execution::context::{SessionContext, SessionState};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::LogicalPlan;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

/// A table as it was opened.
#[derive(Debug)]
struct Opened {
    name: String,
    provider: Arc<dyn TableProvider>,
    /// Of its files.
    bytes: Bytes,
}

/// The tables of every known dataset, opened once.
#[derive(Debug)]
pub struct Tables {
    runtime: Arc<RuntimeEnv>,
    datasets: BTreeMap<String, Vec<Opened>>,
}

impl Tables {
    /// Opens every file of every table, checks its columns and collects statistics; reads no rows.
    ///
    /// # Errors
    /// A file that is missing, truncated, foreign or of another schema; the error names table and file.
    pub async fn open(
        data: &[Arc<Dataset>],
        config: &SessionConfig,
        runtime: &Arc<RuntimeEnv>,
    ) -> Result<Self, EngineError> {
        let context = SessionContext::new_with_config_rt(config.clone(), Arc::clone(runtime));
        let state = context.state();
        let mut datasets = BTreeMap::new();
        for dataset in data {
            let mut tables = Vec::with_capacity(dataset.tables.len());
            for table in &dataset.tables {
                let provider = open_table(&state, table).await?;
                tables.push(Opened { name: table.name.clone(), provider, bytes: bytes_of(table) });
            }
            datasets.insert(dataset.name.clone(), tables);
        }
        Ok(Self { runtime: Arc::clone(runtime), datasets })
    }

    /// A context that knows one dataset's tables, or none.
    ///
    /// # Errors
    /// No such dataset was opened.
    pub fn context(&self, dataset: Option<&str>, config: &SessionConfig) -> Result<SessionContext, EngineError> {
        let context = SessionContext::new_with_config_rt(config.clone(), Arc::clone(&self.runtime));
        let Some(name) = dataset else { return Ok(context) };
        let tables = self
            .datasets
            .get(name)
            .ok_or_else(|| EngineError::Failed(format!("dataset `{name}` is not loaded; prepare it before running")))?;
        for Opened { name, provider, .. } in tables {
            context
                .register_table(datafusion::common::TableReference::bare(name.as_str()), Arc::clone(provider))
                .map_err(|e| data_error(name, plain(&e)))?;
        }
        Ok(context)
    }

    /// The bytes of the files that a plan over one dataset scans; of a table that it scans twice, twice.
    #[must_use]
    pub fn scanned(&self, dataset: &str, plan: &LogicalPlan) -> Bytes {
        let tables = self.datasets.get(dataset).map(Vec::as_slice).unwrap_or_default();
        let mut bytes = Bytes::ZERO;
        // The visit itself never fails.
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node {
                bytes += tables.iter().filter(|t| t.name == scan.table_name.table()).map(|t| t.bytes).sum();
            }
            Ok(TreeNodeRecursion::Continue)
        });
        bytes
    }

    /// File access and file-metadata cache that the tables were opened with.
    #[must_use]
    pub fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }
}

/// A file whose size is not to be had has been refused before.
fn bytes_of(table: &Table) -> Bytes {
    table.files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|m| Bytes::new(m.len())).sum()
}

async fn open_table(state: &SessionState, table: &Table) -> Result<Arc<dyn TableProvider>, EngineError> {
    if table.files.is_empty() {
        return Err(data_error(&table.name, "it has no files".to_owned()));
    }
    let options = listing_options(state, table.format);
    let mut urls = Vec::with_capacity(table.files.len());
    let mut schema = Arc::clone(&table.schema);
    for file in &table.files {
        let url = open_file(file).and_then(|()| ListingTableUrl::parse(file_url(file)));
        let url = url.map_err(|e| file_error(table, file, &e))?;
        if table.format == Format::Parquet {
            let found = options.infer_schema(state, &url).await.map_err(|e| file_error(table, file, &e))?;
            same_columns(&table.schema, &found)
                .map_err(|e| data_error(&table.name, format!("{}: {e}", file.display())))?;
            schema = found;
        }
        urls.push(url);
    }
    let provider = listing_table(state, urls, options, schema).await;
    provider.map_err(|e| data_error(&table.name, plain(&e)))
}

/// The table over these files; a first scan fills the caches of footers and statistics.
async fn listing_table(
    state: &SessionState,
    urls: Vec<ListingTableUrl>,
    options: ListingOptions,
    schema: SchemaRef,
) -> datafusion::error::Result<Arc<dyn TableProvider>> {
    let config = ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    let cache = state.runtime_env().cache_manager.get_file_statistic_cache();
    let table = ListingTable::try_new(config)?.with_cache(cache);
    table.scan(state, None, &[], None).await?;
    Ok(Arc::new(table))
}

fn listing_options(state: &SessionState, format: Format) -> ListingOptions {
    let config = state.config_options();
    let format: Arc<dyn FileFormat> = match format {
        Format::Parquet => {
            let options = TableParquetOptions { global: config.execution.parquet.clone(), ..Default::default() };
            Arc::new(ParquetFormat::new().with_options(options))
        }
        Format::Csv => Arc::new(CsvFormat::default().with_has_header(true)),
    };
    // Files are named one by one, so their extension says nothing.
    ListingOptions::new(format).with_file_extension("")
}

/// Looks whether the file can be opened, for an error message that says why not.
fn open_file(file: &Path) -> datafusion::error::Result<()> {
    let opened = std::fs::File::open(file).and_then(|f| f.metadata())?;
    if opened.is_file() { Ok(()) } else { Err(DataFusionError::Execution("it is not a file".to_owned())) }
}

/// The file's URL, so that no character of its path is taken for a pattern.
fn file_url(file: &Path) -> String {
    let mut url = "file://".to_owned();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(*byte)),
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url
}

/// Whether a file has the columns that the table is defined with, up to how text is laid out in memory.
fn same_columns(expected: &Schema, found: &Schema) -> Result<(), String> {
    let names = |s: &Schema| s.fields().iter().map(|f| f.name().clone()).collect::<Vec<_>>().join(", ");
    if names(expected) != names(found) {
        return Err(format!("its columns are {}, not {}", names(found), names(expected)));
    }
    for (want, have) in expected.fields().iter().zip(found.fields()) {
        if logical(want.data_type()) != logical(have.data_type()) {
            let (name, want, have) = (want.name(), want.data_type(), have.data_type());
            return Err(format!("its column `{name}` is {have}, not {want}"));
        }
    }
    Ok(())
}

fn logical(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        DataType::Dictionary(_, value) => logical(value),
        other => other.clone(),
    }
}

fn file_error(table: &Table, file: &Path, error: &DataFusionError) -> EngineError {
    data_error(&table.name, format!("{}: {}", file.display(), plain(error)))
}

fn data_error(table: &str, message: String) -> EngineError {
    EngineError::Data { table: table.to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::datatypes::Field;

    #[test]
    fn a_path_with_pattern_characters_stays_one_file() {
        assert_eq!(file_url(Path::new("/data/a b/[x]*?.parquet")), "file:///data/a%20b/%5Bx%5D%2A%3F.parquet");
    }

    #[test]
    fn a_column_of_another_type_is_named() {
        let schema = |t| Schema::new(vec![Field::new("k", DataType::Int64, false), Field::new("v", t, true)]);
        assert_eq!(same_columns(&schema(DataType::Utf8), &schema(DataType::Utf8View)), Ok(()));
        let other = same_columns(&schema(DataType::Int32), &schema(DataType::Float64));
        assert_eq!(other, Err("its column `v` is Float64, not Int32".to_owned()));
    }
}
