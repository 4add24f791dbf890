use super::*;

#[test]
fn the_same_views_and_questions_have_the_same_columns_in_both_dialects() {
    let (sqlite, bigquery) = (views(Dialect::Sqlite), views(Dialect::BigQuery));
    assert_eq!(sqlite.len(), bigquery.len());
    for (ours, theirs) in sqlite.iter().zip(bigquery) {
        assert_eq!((ours.name, &ours.columns), (theirs.name, &theirs.columns));
        assert!(!ours.columns.is_empty() && ours.columns.iter().all(|column| !column.doc.is_empty()), "{}", ours.name);
    }
    let (sqlite, bigquery) = (questions(Dialect::Sqlite), questions(Dialect::BigQuery));
    assert_eq!(sqlite.len(), bigquery.len());
    for (ours, theirs) in sqlite.iter().zip(bigquery) {
        assert_eq!((ours.name, &ours.columns), (theirs.name, &theirs.columns));
        assert!(!ours.columns.is_empty(), "{}", ours.name);
    }
}

#[test]
fn every_declared_column_is_understood() {
    for dialect in Dialect::ALL {
        let files = views(*dialect)
            .iter()
            .map(|view| (view.name, view.sql, view.columns.len()))
            .chain(questions(*dialect).iter().map(|question| (question.name, question.sql, question.columns.len())));
        for (name, sql, columns) in files {
            let declared = sql.lines().filter(|line| line.starts_with("-- column ")).count();
            assert_eq!(declared, columns, "{dialect} {name}");
        }
    }
}

#[test]
fn every_file_of_the_sql_folders_is_used() {
    for dialect in Dialect::ALL {
        for (folder, known) in [
            ("views", views(*dialect).iter().map(|view| view.name).collect::<Vec<_>>()),
            ("questions", questions(*dialect).iter().map(|question| question.name).collect()),
        ] {
            let path = format!("{}/sql/{dialect}/{folder}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<String> = std::fs::read_dir(&path)
                .unwrap()
                .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
                .collect();
            files.sort();
            let mut known = known.clone();
            known.sort_unstable();
            assert_eq!(files, known, "{path}");
        }
    }
}

#[test]
fn bigquery_files_name_relations_only_within_the_dataset() {
    let mut names: Vec<&str> = Relation::names(Dialect::BigQuery).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let texts = views(Dialect::BigQuery)
        .iter()
        .map(|view| (view.name, view.sql))
        .chain(questions(Dialect::BigQuery).iter().map(|question| (question.name, question.sql)));
    for (file, sql) in texts {
        for name in &names {
            for keyword in ["FROM", "JOIN"] {
                assert!(!sql.contains(&format!("{keyword} {name}\n")), "{file}: {keyword} {name} without a dataset");
                assert!(!sql.contains(&format!("{keyword} {name} ")), "{file}: {keyword} {name} without a dataset");
            }
        }
    }
}

#[test]
fn a_view_comes_after_the_views_it_reads() {
    for dialect in Dialect::ALL {
        let all = views(*dialect);
        for (position, view) in all.iter().enumerate() {
            for later in &all[position..] {
                let body: String = view.sql.lines().filter(|line| !line.starts_with("--")).collect();
                let read = body.contains(&format!("FROM {} ", dialect.relation_name(later.name)))
                    || body.contains(&format!("FROM {} ", later.name));
                assert!(!read, "{dialect}: {} reads {}", view.name, later.name);
            }
        }
    }
}

#[test]
fn index_columns_exist() {
    for table in Table::ALL {
        for name in indexes(*table).iter().copied().flatten() {
            assert!(table.columns().iter().any(|column| column.name == *name), "{table}: no column {name}");
        }
    }
}

#[test]
fn a_sqlite_table_is_strict_and_keyed() {
    let statements = create_table(Dialect::Sqlite, Table::PipelineLedger);
    assert!(statements[0].starts_with("CREATE TABLE IF NOT EXISTS \"pipeline_ledger\" (\n  \"stage\" TEXT NOT NULL,"));
    assert!(statements[0].contains("  \"table\" TEXT,\n"));
    assert!(statements[0].ends_with("  PRIMARY KEY (\"stage\", \"id\")\n) STRICT"));
    assert_eq!(statements.len(), 3);
}

#[test]
fn a_bigquery_table_is_partitioned_clustered_and_described() {
    let [statement] = create_table(Dialect::BigQuery, Table::HpaData).try_into().unwrap();
    for expected in [
        "CREATE TABLE IF NOT EXISTS {dataset}.`hpa_data` (",
        "  `observed_at` TIMESTAMP NOT NULL OPTIONS(description=\"When the snapshot looked, in UTC.\"),",
        "  `labels` JSON OPTIONS(",
        "  `scaling_conditions` ARRAY<STRUCT<type STRING, status STRING, reason STRING, message STRING, \
         lastTransitionTime TIMESTAMP>> OPTIONS(",
        "PARTITION BY DATE(`observed_at`)\nCLUSTER BY `cluster`, `namespace`, `name`",
    ] {
        assert!(statement.contains(expected), "{expected} is not in\n{statement}");
    }
    assert!(create_table(Dialect::BigQuery, Table::DeadLetters)[0].contains("`payload` BYTES NOT NULL"));
}

#[test]
fn a_missing_column_is_added_as_nullable() {
    let existing: Vec<String> = Table::GkePods.columns().iter().map(|column| column.name.clone()).collect();
    assert!(add_missing_columns(Dialect::Sqlite, Table::GkePods, &existing).is_empty());
    let without: Vec<String> = existing.into_iter().filter(|name| name != "ready").collect();
    assert_eq!(
        add_missing_columns(Dialect::Sqlite, Table::GkePods, &without),
        ["ALTER TABLE \"gke_pods\" ADD COLUMN \"ready\" INTEGER"]
    );
    assert_eq!(
        add_missing_columns(Dialect::BigQuery, Table::GkePods, &without),
        ["ALTER TABLE {dataset}.`gke_pods` ADD COLUMN IF NOT EXISTS `ready` BOOL \
          OPTIONS(description=\"Whether the Ready condition is True.\")"]
    );
}

#[test]
fn a_dataset_is_checked_before_it_stands_in_a_statement() {
    assert_eq!(in_dataset("FROM {dataset}.`x`", "my-project.prod").unwrap(), "FROM `my-project.prod`.`x`");
    for bad in ["", "a.b.c", "a b", "a`; DROP", "a.", &"x".repeat(2_000)] {
        assert!(in_dataset("", bad).is_err(), "{bad:?}");
    }
}

#[test]
fn quotes_in_text_and_names_are_escaped() {
    assert_eq!(Dialect::Sqlite.quote("a\"b"), "\"a\"\"b\"");
    assert_eq!(Dialect::BigQuery.quote("a`b"), "`a\\`b`");
    assert_eq!(bigquery_text("a\"b\\c\nd"), "\"a\\\"b\\\\c\\nd\"");
}
