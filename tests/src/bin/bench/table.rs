//! Tables of figures, for people as Markdown and for programs as JSON Lines.

use serde_json::{Map, Value};

/// Rows of figures. Units are in the names of columns.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    pub(crate) fn new(title: String, columns: &[&'static str]) -> Self {
        Self { title, columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row, which has a value for each column.
    pub(crate) fn add(&mut self, row: Vec<Value>) {
        assert_eq!(row.len(), self.columns.len(), "a value for each column");
        self.rows.push(row);
    }

    /// Markdown, its columns aligned.
    pub(crate) fn text(&self) -> String {
        let head: Vec<String> = self.columns.iter().map(|column| (*column).to_owned()).collect();
        let rows: Vec<Vec<String>> = self.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
        let width = |at: usize| rows.iter().chain([&head]).map(|row| row[at].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |row: &[String]| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!(" {cell:<width$} |"));
            format!("|{}\n", cells.collect::<String>())
        };
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
        let body: String = rows.iter().map(|row| line(row)).collect();
        format!("{}\n\n{}{}{body}\n", self.title, line(&head), line(&rule))
    }

    /// An object for each row.
    pub(crate) fn json(&self) -> String {
        let object = |row: &Vec<Value>| {
            let mut fields = Map::from_iter([("table".to_owned(), Value::from(self.title.clone()))]);
            fields.extend(self.columns.iter().map(|column| (*column).to_owned()).zip(row.iter().cloned()));
            format!("{}\n", Value::Object(fields))
        };
        self.rows.iter().map(object).collect()
    }
}

/// Numbers with about three digits that matter, and thousands apart.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match (number.as_u64(), number.as_f64()) {
            (Some(whole), _) => grouped(whole),
            (None, Some(number)) if number >= 100.0 => format!("{number:.0}"),
            (None, Some(number)) if number >= 10.0 => format!("{number:.1}"),
            (None, Some(number)) if number >= 1.0 => format!("{number:.2}"),
            (None, Some(number)) => format!("{number:.3}"),
            (None, None) => number.to_string(),
        },
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
