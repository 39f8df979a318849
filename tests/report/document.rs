//! A document of sections, each between two marks, in an order of its own.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

/// A document that several programs write.
#[derive(Debug)]
pub(crate) struct Document {
    file: &'static str,
    head: &'static str,
    /// Its sections in their order.
    sections: &'static [&'static str],
}

/// What survives what.
pub(crate) const RELIABILITY: Document = Document {
    file: "reliability.md",
    head: "# Reliability\n\nWhat was done to Stratavore and what became of it. Every section is written by the \
           command it names and by nobody else; repeat it and compare.\n",
    sections: &["chaos", "kills", "soak"],
};

/// How fast it is, beside others.
pub(crate) const PERFORMANCE: Document = Document {
    file: "performance.md",
    head: "# Performance\n\nWhat was measured, beside others in the same run where there are any. Every section is \
           written by the command it names and by nobody else. The machine is small and its disk virtual: \
           compare ratios, not figures of different machines.\n",
    sections: &["bench", "scale", "events"],
};

impl Document {
    /// Puts a section into the document below `STRATAVORE_REPORT`, in place of the one there; returns the
    /// file, `None` when nothing is to be written.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or written.
    pub(crate) fn put(&self, section: &str, text: &str) -> io::Result<Option<PathBuf>> {
        let Some(dir) = stratavore::config::environment::get("STRATAVORE_REPORT") else {
            return Ok(None);
        };
        let path = Path::new(&dir).join(self.file);
        let old = match fs::read_to_string(&path) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let new = path.with_extension("md.new");
        fs::write(&new, self.with(&old, section, text))?;
        fs::rename(&new, &path)?;
        Ok(Some(path))
    }

    /// Returns the document with a section replaced.
    fn with(&self, old: &str, section: &str, text: &str) -> String {
        let mut all = self.head.to_owned();
        for name in self.sections {
            let kept = if *name == section { Some(text) } else { between(old, name) };
            if let Some(text) = kept {
                // Writing to a `String` cannot fail.
                write!(all, "\n{}\n{}\n{}\n", begin(name), text.trim(), end(name)).ok();
            }
        }
        all
    }
}

fn begin(section: &str) -> String {
    format!("<!-- {section}: begin -->")
}

fn end(section: &str) -> String {
    format!("<!-- {section}: end -->")
}

/// Returns what stands between the marks of a section.
fn between<'a>(text: &'a str, section: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&begin(section))?;
    rest.split_once(&end(section)).map(|(inside, _)| inside)
}

/// Returns rows as a table, the figures on the right.
pub(crate) fn table<H: AsRef<str>, R: AsRef<[String]>>(
    head: &[H],
    rows: impl IntoIterator<Item = R>,
) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let names: Vec<_> = head.iter().map(|name| name.as_ref().to_owned()).collect();
    let rule = |at| if at == 0 { "---" } else { "---:" }.to_owned();
    let rules: Vec<_> = (0..head.len()).map(rule).collect();
    let mut text = line(&names) + &line(&rules);
    text.extend(rows.into_iter().map(|row| line(row.as_ref())));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_replaces_itself_and_leaves_the_others() {
        let one = RELIABILITY.with("", "kills", "## Kills\n\nfirst");
        let two = RELIABILITY.with(&one, "chaos", "## Chaos");
        let three = RELIABILITY.with(&two, "kills", "## Kills\n\nsecond");
        assert!(three.starts_with("# Reliability\n"), "{three}");
        assert!(three.find("## Chaos") < three.find("second"), "{three}");
        assert!(!three.contains("first"), "{three}");
        assert_eq!(RELIABILITY.with(&three, "kills", "## Kills\n\nsecond"), three);
    }

    #[test]
    fn rows_become_a_table() {
        let text = table(&["what", "n"], [["a|b".to_owned(), "1".to_owned()]]);
        assert_eq!(text, "| what | n |\n| --- | ---: |\n| a\\|b | 1 |\n");
    }
}
