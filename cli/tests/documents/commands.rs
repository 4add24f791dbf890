//! Every command line that is shown is one.

use clap::Parser as _;
use clap::error::ErrorKind;
use podledger_cli::args::Cli;

use crate::markdown::{READMES, blocks, read, spans};

/// Words of a command line as a shell would split it: quotes, and comments at the end.
fn words(line: &str) -> Vec<String> {
    let line = line.split("  #").next().unwrap_or_default();
    let mut words = Vec::new();
    let mut quote = None;
    let mut word = String::new();
    for character in line.chars() {
        match (character, quote) {
            ('\'' | '"', None) => quote = Some(character),
            (end, Some(begin)) if end == begin => quote = None,
            (' ', None) => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(character),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// The words from `podledger` on, where a line runs it.
fn command(line: &str) -> Option<Vec<String>> {
    let mut words = words(line.trim().trim_start_matches("$ "));
    let program = words.iter().position(|word| !word.contains('='))?;
    words.drain(..program);
    let name = words.first()?.rsplit('/').next()?;
    (name == "podledger" && words.len() > 1).then_some(words)
}

#[test]
fn every_command_line_that_is_shown_parses() {
    for document in READMES {
        let text = read(document);
        let lines =
            blocks(&text, "console").into_iter().flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>());
        let mut found = 0;
        for line in lines.chain(spans(&text)) {
            let Some(words) = command(&line) else { continue };
            found += 1;
            match Cli::try_parse_from(&words) {
                Ok(_) => {}
                Err(shown) if matches!(shown.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {}
                Err(error) => panic!("{document}: {line}\n{error}"),
            }
        }
        assert!(found > 10, "{document}: only {found} command lines found");
    }
}

#[test]
fn every_command_is_shown() {
    use clap::CommandFactory as _;
    let text = READMES.map(read);
    for command in Cli::command().get_subcommands().filter(|command| command.get_name() != "help") {
        let name = command.get_name();
        let below: Vec<_> =
            command.get_subcommands().map(|below| format!("podledger {name} {}", below.get_name())).collect();
        let shown = if below.is_empty() { vec![format!("podledger {name}")] } else { below };
        for (document, text) in READMES.iter().zip(&text) {
            for line in &shown {
                assert!(text.contains(line), "{document} does not show `{line}`");
            }
        }
    }
}

#[test]
fn lines_are_split_as_a_shell_does() {
    assert_eq!(
        command("A=b podledger up --cluster 'a b'  # why"),
        Some(["podledger", "up", "--cluster", "a b"].map(str::to_owned).to_vec())
    );
    assert_eq!(command("target/release/podledger verify").map(|words| words.len()), Some(2));
    assert_eq!(command("cargo run"), None);
}
