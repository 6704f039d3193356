//! A sheet as Parquet, for DuckDB, pandas and their like: docs/COLUMNS.md.

use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use crate::clock::read_shown;
use crate::report::json;
use crate::report::sheet::{Column, Sheet, Values};

/// Rows of a group: what is encoded at once.
const GROUP: usize = 100_000;

/// Writes the sheet. The same rows give the same bytes.
///
/// # Errors
/// Of the writer.
pub fn write(sheet: &Sheet<'_>, out: &mut dyn Write) -> io::Result<()> {
    // The format's writer may hand its groups to threads; standard output can't be.
    let bytes = encode(sheet)?;
    out.write_all(&bytes)
}

fn encode(sheet: &Sheet<'_>) -> io::Result<Vec<u8>> {
    let mut file = File::new(sheet, Vec::new())?;
    file.rows(sheet)?;
    file.finish()
}

/// A file that is written sheet by sheet, all with the same columns.
pub struct File<W: Write + Send> {
    writer: SerializedFileWriter<W>,
}

impl<W: Write + Send> File<W> {
    /// With the columns of a sheet, which may have no rows.
    ///
    /// # Errors
    /// Of the writer.
    pub fn new(sheet: &Sheet<'_>, out: W) -> io::Result<File<W>> {
        let columns: Vec<Stored> = sheet.iter().flat_map(stored).collect();
        let fields = columns.iter().map(Stored::field).collect::<Result<Vec<TypePtr>, _>>();
        let open = |fields| {
            let schema = Type::group_type_builder("provtrace").with_fields(fields).build()?;
            let by = concat!("provtrace version ", env!("CARGO_PKG_VERSION"));
            let properties = WriterProperties::builder().set_created_by(by.to_owned()).build();
            SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))
        };
        Ok(File { writer: fields.and_then(open).map_err(io::Error::other)? })
    }

    /// Adds the rows of a sheet.
    ///
    /// # Errors
    /// Of the writer.
    pub fn rows(&mut self, sheet: &Sheet<'_>) -> io::Result<()> {
        self.groups(sheet).map_err(io::Error::other)
    }

    fn groups(&mut self, sheet: &Sheet<'_>) -> Result<(), ParquetError> {
        let columns: Vec<Stored> = sheet.iter().flat_map(stored).collect();
        let rows = sheet.first().map_or(0, |column| column.values.count());
        for from in (0..rows).step_by(GROUP) {
            let mut group = self.writer.next_row_group()?;
            for column in &columns {
                column.write(from..rows.min(from + GROUP), &mut group)?;
            }
            group.close()?;
        }
        Ok(())
    }

    /// Writes what is left, and gives the writer back.
    ///
    /// # Errors
    /// Of the writer.
    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(io::Error::other)
    }
}

/// A column as it is stored.
struct Stored<'s> {
    name: String,
    values: &'s Values<'s>,
    /// Of times: those with a zone, or those without.
    utc: bool,
}

/// A time is stored in one of two columns: as an instant, or as a reading of a clock whose zone is
/// not known.
fn stored<'s>(column: &'s Column<'s>) -> Vec<Stored<'s>> {
    let Column { name, values } = column;
    match values {
        Values::Time(_) => vec![
            Stored { name: format!("{name}_utc"), values, utc: true },
            Stored { name: format!("{name}_local"), values, utc: false },
        ],
        Values::Text(_)
        | Values::Count(_)
        | Values::Real(_)
        | Values::Truth(_)
        | Values::Lines(_) => vec![Stored { name: (*name).to_owned(), values, utc: false }],
    }
}

impl Stored<'_> {
    fn field(&self) -> Result<TypePtr, ParquetError> {
        let (physical, logical) = match self.values {
            Values::Text(_) | Values::Lines(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Count(_) => (Physical::INT64, None),
            Values::Real(_) => (Physical::DOUBLE, None),
            Values::Truth(_) => (Physical::BOOLEAN, None),
            Values::Time(_) => {
                (Physical::INT64, Some(LogicalType::timestamp(self.utc, TimeUnit::MICROS)))
            }
        };
        let field = Type::primitive_type_builder(&self.name, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        Ok(Arc::new(field.build()?))
    }

    fn write<W: Write + Send>(
        &self,
        rows: Range<usize>,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        match self.values {
            Values::Text(all) => {
                let texts = all[rows].iter().map(|own| own.as_deref().map(bytes));
                put::<ByteArrayType, W>(texts, group)
            }
            Values::Lines(all) => {
                let lines = all[rows].iter().map(json::line);
                let lines = lines.collect::<io::Result<Vec<String>>>()?;
                put::<ByteArrayType, W>(lines.iter().map(|own| Some(bytes(own))), group)
            }
            Values::Count(all) => put::<Int64Type, W>(all[rows].iter().copied(), group),
            Values::Real(all) => put::<DoubleType, W>(all[rows].iter().copied(), group),
            Values::Truth(all) => put::<BoolType, W>(all[rows].iter().copied(), group),
            Values::Time(all) => {
                let read = |shown: &Option<&str>| {
                    let (millis, utc) = read_shown((*shown)?)?;
                    (utc == self.utc).then(|| millis.checked_mul(1000)).flatten()
                };
                put::<Int64Type, W>(all[rows].iter().map(read), group)
            }
        }
    }
}

fn bytes(text: &str) -> ByteArray {
    ByteArray::from(text.as_bytes().to_vec())
}

/// The next column of a group.
fn put<T: DataType, W: Write + Send>(
    values: impl Iterator<Item = Option<T::T>>,
    group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::new();
    let mut present = Vec::new();
    for value in values {
        levels.push(i16::from(value.is_some()));
        present.extend(value);
    }
    let mut column = group
        .next_column()?
        .ok_or_else(|| ParquetError::General("a column more than the schema has".to_owned()))?;
    column.typed::<T>().write_batch(&present, Some(&levels), None)?;
    column.close()
}
