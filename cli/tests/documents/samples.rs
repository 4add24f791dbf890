//! Samples of files are files that the program reads.

use evaluator::Policy;
use podledger_cli::ped;

use crate::markdown::{READMES, blocks, read};

#[test]
fn policies_declarations_and_mappings_that_are_shown_are_read() {
    for document in READMES {
        let (mut policies, mut declarations, mut mappings) = (0, 0, 0);
        for block in blocks(&read(document), "yaml") {
            if block.contains("kind: Policy") {
                policies += 1;
                if let Err(error) = Policy::parse(&block) {
                    panic!("{document}: {error}\n{block}");
                }
            } else if block.contains("kind: ReplicaLimit") {
                declarations += 1;
                for declaration in ped::read(&block, document) {
                    if let Err(error) = declaration {
                        panic!("{error}\n{block}");
                    }
                }
            } else {
                mappings += 1;
                if let Err(error) = ped::Mapping::parse(&block, document) {
                    panic!("{error}\n{block}");
                }
            }
        }
        assert_eq!((policies, declarations, mappings), (1, 1, 1), "{document}");
    }
}

#[test]
fn the_policy_that_is_shown_as_the_default_is_the_default() {
    for document in READMES {
        let shown = blocks(&read(document), "yaml").into_iter().find(|block| block.contains("kind: Policy")).unwrap();
        let (defaults, overrides) = shown.split_once("overrides:").expect("overrides come last");
        assert!(!overrides.is_empty());
        assert_eq!(Policy::parse(defaults).unwrap(), Policy::default(), "{document}");
    }
}

#[test]
fn every_decision_is_in_the_index_once() {
    let folder = crate::markdown::repository().join("docs/decisions");
    let index = read("docs/decisions/README.md");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for name in names.filter(|name| name != "README.md") {
        assert_eq!(index.matches(&format!("]({name})")).count(), 1, "{name}");
        let number = name.split('-').next().unwrap();
        let text = read(&format!("docs/decisions/{name}"));
        let titled = [format!("# {number}: "), format!("# {}. ", number.trim_start_matches('0'))];
        assert!(titled.iter().any(|title| text.starts_with(title)), "{name} has another number in its title");
    }
}
