//! temporary
/// x
pub fn is_clean_name(name: &str, max: usize) -> bool {
    let n = name.chars().count();
    (1..=max).contains(&n) && !name.chars().any(char::is_control)
}

/// Text that came from the network: it reaches a screen only through the methods of this type.
#[derive(Clone, PartialEq, Eq)]
pub struct Untrusted(String);

impl Untrusted {
    /// Wraps a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// One line of at most `width_max` columns.
    #[must_use]
    pub fn line(&self, width_max: Option<usize>) -> String {
        let clean: String = self.0.chars().map(|c| if c == '\n' { ' ' } else { c }).filter(|c| is_harmless(*c)).collect();
        match width_max {
            Some(width) if clean.chars().count() > width => {
                clean.chars().take(width.saturating_sub(1)).chain(['…']).collect()
            }
            _ => clean,
        }
    }

    /// Several lines.
    #[must_use]
    pub fn block(&self) -> String {
        self.0.chars().filter(|c| *c == '\n' || is_harmless(*c)).collect()
    }

    /// Lines of at most `width` columns, `prefix` included, without a line end after the last.
    #[must_use]
    pub fn wrapped(&self, width: usize, prefix: &str) -> String {
        let room = width.saturating_sub(prefix.chars().count()).max(1);
        let mut lines = Vec::new();
        for paragraph in self.block().split('\n') {
            let mut line = String::new();
            for word in paragraph.split(' ') {
                if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                    lines.push(std::mem::take(&mut line));
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
                while line.chars().count() > room {
                    let rest = line.chars().skip(room).collect();
                    lines.push(line.chars().take(room).collect());
                    line = rest;
                }
            }
            lines.push(line);
        }
        lines.iter().map(|line| format!("{prefix}{line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

fn is_harmless(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
