//! The query string of a URL.

use vivace_shards::http::percent_decode;

/// Names and values in their order, decoded; `+` is a blank. What can't be decoded stays as it is.
pub fn pairs(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

/// The first value of a parameter; empty when it is not there.
pub fn first<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    let found = pairs.iter().find(|(key, _)| key == name);
    found.map_or("", |(_, value)| value)
}

fn decode(text: &str) -> String {
    let blanks = text.replace('+', " ");
    percent_decode(&blanks).into_owned()
}

#[cfg(test)]
mod tests {
    use super::pairs;

    #[test]
    fn names_and_values_are_decoded() {
        let found = pairs("q=%7B%7D&start=1&empty&a=b+c&bad=%zz");
        let want = [
            ("q", "{}"),
            ("start", "1"),
            ("empty", ""),
            ("a", "b c"),
            ("bad", "%zz"),
        ];
        let want: Vec<_> = want
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert_eq!(found, want);
    }
}
