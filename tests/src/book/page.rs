//! A page as steps: each a command, the exit code and the output that it promises.

/// A page.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// What it runs, from top to bottom.
    pub(super) steps: Vec<Step>,
}

/// A command with its promise.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Where the command stands; lines count from 1.
    pub(super) line: usize,
    /// What the shell is given; several lines if the page continues it with `> `.
    pub(super) command: String,
    /// The exit code it must end with.
    pub(super) code: i32,
    /// The lines of output, with their wildcards, and where each stands.
    pub(super) expected: Vec<(usize, String)>,
}

impl Page {
    /// Reads a page.
    ///
    /// # Errors
    ///
    /// The line and what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, (usize, String)> {
        let mut steps: Vec<Step> = Vec::new();
        let mut fence = Fence::Outside;
        for (line, text) in (1..).zip(text.lines()) {
            match fence {
                Fence::Outside if text == "```console" => fence = Fence::Console { has_command: false },
                Fence::Outside if text.starts_with("```") => fence = Fence::Other,
                Fence::Outside => {}
                _ if text == "```" => fence = Fence::Outside,
                Fence::Other => {}
                Fence::Console { has_command } => {
                    if let Some(command) = text.strip_prefix("$ ") {
                        steps.push(Step { line, command: command.to_owned(), code: 0, expected: Vec::new() });
                        fence = Fence::Console { has_command: true };
                        continue;
                    }
                    let Some(step) = steps.last_mut().filter(|_| has_command) else {
                        return Err((line, "a console block starts with a command".to_owned()));
                    };
                    step.take(line, text).map_err(|why| (line, why))?;
                }
            }
        }
        if fence != Fence::Outside {
            return Err((text.lines().count(), "the last block is not closed".to_owned()));
        }
        Ok(Self { steps })
    }
}

impl Step {
    fn take(&mut self, line: usize, text: &str) -> Result<(), String> {
        if let Some(code) = text.strip_prefix("? ") {
            self.code = code.trim().parse().map_err(|_| format!("{code:?} is no exit code"))?;
        } else if let Some(more) = text.strip_prefix("> ").filter(|_| self.expected.is_empty()) {
            self.command.push('\n');
            self.command.push_str(more);
        } else {
            self.expected.push((line, text.trim_end().to_owned()));
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fence {
    Outside,
    Console { has_command: bool },
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_console_blocks() {
        let text = "# T\n```sh\n$ not run\n```\n```console\n$ a \\\n> b\none\n\n> two\n? 3\n$ c\n```\nprose\n";
        let page = Page::parse(text).unwrap();
        let expected = [(8, "one".to_owned()), (9, String::new()), (10, "> two".to_owned())];
        assert_eq!(page.steps[0], Step { line: 6, command: "a \\\nb".into(), code: 3, expected: expected.into() });
        assert_eq!(page.steps[1], Step { line: 12, command: "c".into(), code: 0, expected: Vec::new() });
        assert_eq!(page.steps.len(), 2);
    }

    #[test]
    fn a_page_that_makes_no_sense_is_refused_with_its_line() {
        assert_eq!(Page::parse("```console\nout\n```").unwrap_err().0, 2);
        assert_eq!(Page::parse("```console\n$ a\n? x\n```").unwrap_err().0, 3);
        assert_eq!(Page::parse("\n```console\n$ a\n").unwrap_err().0, 3);
    }
}
