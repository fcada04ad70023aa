//! Every problem of a file is reported at once, each with its place and what would be right.

use crate::common::{expect, folder, yaml_files};
use vivace_config::{Command, Invocation, Source, load};

#[test]
fn messages_say_what_and_where() {
    for (name, text) in yaml_files("errors") {
        let file = format!("{name}.yaml");
        match load(
            &Invocation::default(),
            Some(Source {
                name: &file,
                text: &text,
            }),
            &|_| None,
        ) {
            Ok(_) => panic!("{name} was not refused"),
            Err(error) => {
                assert_eq!((error.exit_code(), error.is_retryable()), (1, false));
                expect(
                    &folder("errors").join(format!("{name}.txt")),
                    &format!("{error}\n"),
                );
            }
        }
    }
}

#[test]
fn the_help_text_is_stable() {
    match Command::parse(&["-help"]) {
        Ok(Command::Help(text)) => expect(&folder("errors").join("help.txt"), &text),
        other => panic!("{other:?}"),
    }
}
