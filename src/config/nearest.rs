//! The known name that somebody may have meant.

/// The closest of `names`, if it is close enough to be a slip of the fingers.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 4).clamp(1, 4);
    names.map(|name| (distance(word, name), name)).min().filter(|(distance, _)| *distance <= limit).map(|(_, name)| name)
}

/// Levenshtein: the fewest insertions, deletions and replacements that turn one into the other.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_is_recognised_and_a_different_word_is_not() {
        let names = ["log.dirs", "log.dir", "num.partitions", "listeners"];
        for (word, meant) in [
            ("log.drs", Some("log.dirs")),
            ("num.partition", Some("num.partitions")),
            ("listners", Some("listeners")),
            ("foo.bar", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names.into_iter()), meant, "{word}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
