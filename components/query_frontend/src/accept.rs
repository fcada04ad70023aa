//! Which form of answer a client wants (http-api.md §2): substring tests in a fixed order.

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `application/json`, also when nothing is asked for.
    Json,
    /// `application/protobuf`.
    Protobuf,
    /// `application/vnd.grafana.llm`: flat JSON with hex ids.
    Llm,
}

/// Reads the `Accept` header.
pub fn form(accept: Option<&str>) -> Form {
    let accept = accept.unwrap_or_default();
    if accept.contains("application/protobuf") {
        Form::Protobuf
    } else if accept.contains("application/json") {
        Form::Json
    } else if accept.contains("application/vnd.grafana.llm") {
        Form::Llm
    } else {
        Form::Json
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, form};

    #[test]
    fn the_first_known_type_wins() {
        assert_eq!(form(None), Form::Json);
        assert_eq!(form(Some("*/*")), Form::Json);
        assert_eq!(
            form(Some("application/json, application/protobuf")),
            Form::Protobuf
        );
        assert_eq!(form(Some("application/vnd.grafana.llm")), Form::Llm);
        assert_eq!(
            form(Some("application/json, application/vnd.grafana.llm")),
            Form::Json
        );
    }
}
