//! Command lines: `--name value` and `--name`, nothing else. What is left over at the end is an error.

use std::str::FromStr;

/// A command line being taken apart.
pub struct Args {
    words: Vec<Option<String>>,
}

impl Args {
    pub fn new(words: impl IntoIterator<Item = String>) -> Args {
        Args { words: words.into_iter().map(Some).collect() }
    }

    fn take(&mut self, name: &str) -> Option<usize> {
        let at = self.words.iter().position(|word| word.as_deref() == Some(name))?;
        self.words[at] = None;
        Some(at)
    }

    /// Whether `name` was given.
    pub fn flag(&mut self, name: &str) -> bool {
        self.take(name).is_some()
    }

    /// The value after `name`, if it was given. An error says what is wrong with it.
    pub fn value<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(at) = self.take(name) else { return Ok(None) };
        let word = self.words.get_mut(at + 1).and_then(Option::take).ok_or_else(|| format!("{name} needs a value"))?;
        word.parse().map(Some).map_err(|_| format!("{name}: not usable: {word}"))
    }

    /// The value after `name` or `default`.
    pub fn or<T: FromStr>(&mut self, name: &str, default: T) -> Result<T, String> {
        Ok(self.value(name)?.unwrap_or(default))
    }

    /// Everything must have been taken.
    pub fn done(self) -> Result<(), String> {
        match self.words.into_iter().flatten().next() {
            Some(word) => Err(format!("not understood: {word}")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Args {
        Args::new(line.split_whitespace().map(String::from))
    }

    #[test]
    fn values_flags_and_defaults() {
        let mut a = args("--idle --viewers 12 --whip http://x");
        assert_eq!(a.or("--viewers", 1), Ok(12));
        assert_eq!(a.or("--publishers", 1), Ok(1));
        assert_eq!(a.value::<String>("--whip"), Ok(Some("http://x".into())));
        assert!(a.flag("--idle") && !a.flag("--idle"));
        assert_eq!(a.done(), Ok(()));
    }

    #[test]
    fn what_nobody_asked_for_is_an_error() {
        let mut a = args("--viewers many");
        assert!(a.or("--viewers", 1).unwrap_err().contains("many"));
        assert!(args("--viewers").value::<u32>("--viewers").is_err());
        assert!(args("--vievers 3").done().unwrap_err().contains("--vievers"));
    }
}
