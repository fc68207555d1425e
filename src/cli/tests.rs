use clap::CommandFactory;

use super::*;

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

/// A mistake in an example would be copied.
#[test]
fn the_examples_are_valid() {
    for text in [help::CAPCHAT, help::SERVE, help::CONNECT, help::CHECK] {
        let examples = text.split("\n\n").next().unwrap().replace("\\\n", "");
        let mut count = 0;
        for command in examples.lines().filter_map(|line| Some(&line[line.find("capchat ")?..])) {
            // In the first one, the meaning follows.
            let words = command.split("  ").next().unwrap().split(['<', '>', '|']).next().unwrap();
            if let Err(error) = Cli::try_parse_from(words.split_whitespace()) {
                panic!("{command}: {error}");
            }
            count += 1;
        }
        assert_eq!(count, 3, "{text}");
    }
}
