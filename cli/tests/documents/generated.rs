//! The parts of README that are generated: the settings from the code, the report from a run.

use std::process::Command;

use platform::runtime::{Documented as _, FieldDoc, PushSettings, RuntimeSettings, markdown_table};

use crate::markdown::{READMES, read, repository};

/// Set to rewrite the documents instead of comparing them.
const WRITE: &str = "PODLEDGER_WRITE_README";

/// Compares what stands between two marks with what should, or writes it there.
fn compare_or_write(document: &str, name: &str, expected: &str) {
    let text = read(document);
    let begin = text.find(&format!("<!-- {name}:begin")).unwrap_or_else(|| panic!("{document}: no {name}:begin"));
    let begin = begin + text[begin..].find("-->\n").unwrap() + "-->\n".len();
    let end = begin
        + text[begin..].find(&format!("<!-- {name}:end -->")).unwrap_or_else(|| panic!("{document}: no {name}:end"));
    if std::env::var_os(WRITE).is_some() {
        let text = format!("{}{expected}{}", &text[..begin], &text[end..]);
        // Whole at any moment: other tests read it meanwhile.
        let written = repository().join(format!("{document}.new"));
        std::fs::write(&written, text).unwrap();
        std::fs::rename(written, repository().join(document)).unwrap();
        return;
    }
    assert!(
        text[begin..end] == *expected,
        "{document}: {name} is out of date, run {WRITE}=1 cargo test -p podledger-cli --test documents\n\
         expected:\n{expected}\nfound:\n{}",
        &text[begin..end]
    );
}

#[test]
fn the_documents_are_those_of_this_program() {
    // One after the other: both parts stand in one file.
    compare_or_write("README.md", "settings", &settings());
    let report = report();
    for document in READMES {
        compare_or_write(document, "run", &format!("```text\n{report}```\n"));
    }
}

/// The tables of settings.
fn settings() -> String {
    let parts: [(&str, &[FieldDoc]); 7] = [
        ("Every process", RuntimeSettings::FIELDS),
        ("Every process that messages are pushed to", PushSettings::FIELDS),
        ("snapshotter", snapshotter::Config::FIELDS),
        ("normalizer", normalizer::Config::FIELDS),
        ("loader", loader::Config::FIELDS),
        ("evaluator", evaluator::Config::FIELDS),
        ("notifier", notifier::Config::FIELDS),
    ];
    parts.iter().map(|(title, fields)| format!("### {title}\n{}\n", markdown_table(fields))).collect()
}

/// What `make run` prints, without the lines of evidence but for changes, and without what differs
/// from machine to machine.
fn report() -> String {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("podledger-data");
    let mut command = Command::new(env!("CARGO_BIN_EXE_podledger"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PODLEDGER_")) {
        command.env_remove(name);
    }
    let output = command
        .args(["up", "--once", "--dump", "examples/cluster", "--ped", "examples/ped", "--data"])
        .arg(&data)
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap().replace(&data.display().to_string(), "podledger-data");
    let lines = text.lines().filter(|line| !line.starts_with("    - ") || line.starts_with("    - change:"));
    // Rules between the rows of a table and blanks at line ends say nothing.
    let lines =
        lines.map(str::trim_end).filter(|line| line.is_empty() || line.chars().any(|character| character != '─'));
    lines.map(|line| format!("{}\n", settled(line))).collect()
}

/// A line without what differs from run to run: the last one counts deliveries and seconds.
fn settled(line: &str) -> String {
    match line.split_once("Data: ") {
        Some((_, data)) => format!("… Data: {}", data.split(". ").next().unwrap_or(data)),
        None => line.to_owned(),
    }
}
