use super::*;

/// A plan of what is missing in a state, where nothing stands in the way.
fn fill(plan: &mut Plan, state: &State) -> anyhow::Result<()> {
    gather(plan, state)?;
    plan.unobstructed()
}

/// A dataset that has everything.
fn whole() -> State {
    let mut plan = Plan::default();
    fill(&mut plan, &State::default()).unwrap();
    let mut state = State::default();
    for (table, _) in bookkeeping::definitions() {
        state.columns.insert(table, BTreeMap::new());
    }
    for view in views(Dialect::BigQuery) {
        state.columns.insert(view.name.to_owned(), BTreeMap::new());
    }
    for table in Table::ALL {
        let found = stored_columns(*table).into_iter().map(|column| {
            let data_type = Dialect::BigQuery.type_name(column.column_type).to_owned();
            let nullable = column.nullable || column.column_type == ColumnType::Conditions;
            (column.name, Found { data_type, nullable })
        });
        state.columns.insert(table.name().to_owned(), found.collect());
    }
    state.prepared = plan.notes.into_iter().map(|(name, note)| (name, BTreeSet::from([note]))).collect();
    state
}

fn changes(state: &State) -> Vec<String> {
    let mut plan = Plan::default();
    fill(&mut plan, state).unwrap();
    plan.changes().iter().map(TableChange::to_string).collect()
}

fn refusal(state: &State) -> String {
    fill(&mut Plan::default(), state).unwrap_err().to_string()
}

fn pods(state: &mut State) -> &mut BTreeMap<String, Found> {
    state.columns.get_mut("gke_pods").unwrap()
}

#[test]
fn an_empty_dataset_lacks_every_table_and_view_and_a_whole_one_nothing() {
    let lacks = changes(&State::default());
    for table in Table::ALL {
        assert!(lacks.contains(&format!("create table {table}")), "{table}");
    }
    let place = |what: &str| lacks.iter().position(|change| change == what).unwrap();
    assert!(place("create table limit_declarations") < place("create view deployment_config"));
    assert!(place("create view deployment_config") < place("create view declaration_periods"));
    assert_eq!(changes(&whole()), Vec::<String>::new());
}

#[test]
fn missing_columns_are_added_and_required_ones_relaxed() {
    let mut state = whole();
    pods(&mut state).remove("labels");
    pods(&mut state).get_mut("uid").unwrap().nullable = false;
    assert_eq!(changes(&state), ["allow null in column gke_pods.uid", "add column gke_pods.labels"]);
    let mut plan = Plan::default();
    fill(&mut plan, &state).unwrap();
    let statements: Vec<&String> = plan.steps.iter().flat_map(|(_, statements)| statements).collect();
    assert_eq!(statements.len(), 2, "one statement each: {statements:?}");
    assert!(statements[1].contains("ADD COLUMN IF NOT EXISTS `labels` JSON"), "{}", statements[1]);
}

#[test]
fn what_would_narrow_or_rewrite_is_refused_and_named() {
    let mut state = whole();
    pods(&mut state).get_mut("restart_count").unwrap().data_type = "STRING".to_owned();
    let error = refusal(&state);
    assert!(error.contains("gke_pods.restart_count is STRING, expected INT64"), "{error}");
    let mut state = whole();
    pods(&mut state).insert("mine".to_owned(), Found { data_type: "STRING".to_owned(), nullable: false });
    let error = refusal(&state);
    assert!(error.contains("gke_pods.mine"), "{error}");
    pods(&mut state).get_mut("mine").unwrap().nullable = true;
    assert_eq!(changes(&state), Vec::<String>::new(), "a column somebody added for themselves is left alone");
}

#[test]
fn every_obstacle_is_told_beside_what_could_be_done() {
    let mut state = whole();
    pods(&mut state).get_mut("restart_count").unwrap().data_type = "STRING".to_owned();
    pods(&mut state).get_mut("ready").unwrap().data_type = "STRING".to_owned();
    pods(&mut state).insert("mine".to_owned(), Found { data_type: "STRING".to_owned(), nullable: false });
    pods(&mut state).remove("labels");
    let mut plan = Plan::default();
    gather(&mut plan, &state).unwrap();
    let told: Vec<(&str, &str)> = plan.obstacles.iter().map(|one| (one.column.as_str(), one.wanted.as_str())).collect();
    assert_eq!(told, [("ready", "BOOL"), ("restart_count", "INT64"), ("mine", "one that may be null, or none")]);
    assert_eq!(plan.changes().iter().map(TableChange::to_string).collect::<Vec<_>>(), ["add column gke_pods.labels"]);
}

#[test]
fn types_are_the_same_however_they_are_spaced_and_quoted() {
    let conditions = Dialect::BigQuery.type_name(ColumnType::Conditions);
    assert!(same_type(&conditions.replace(", ", ","), conditions));
    assert!(same_type(
        "array<struct<`type` string, status STRING, reason STRING, message STRING, lastTransitionTime TIMESTAMP>>",
        conditions
    ));
    assert!(!same_type("ARRAY<STRUCT<type STRING>>", conditions));
}

#[test]
fn a_view_is_replaced_when_its_definition_is_another() {
    let mut state = whole();
    state.prepared.insert("pod_metrics".to_owned(), BTreeSet::from(["old".to_owned()]));
    state.prepared.remove("user_pod_usage");
    assert_eq!(changes(&state), ["replace view pod_metrics", "replace view user_pod_usage"]);
    state.columns.remove("pod_metrics");
    assert_eq!(changes(&state), ["create view pod_metrics", "replace view user_pod_usage"]);
}

#[test]
fn a_dataset_of_a_newer_version_is_refused() {
    let mut state = whole();
    state.prepared.insert(FORMAT_ROW.to_owned(), BTreeSet::from([(FORMAT + 1).to_string()]));
    let error = refusal(&state);
    assert!(error.contains("format 2") && error.contains("format 1"), "{error}");
    state.prepared.insert(FORMAT_ROW.to_owned(), BTreeSet::from(["x".to_owned()]));
    assert!(refusal(&state).contains("\"x\""));
}
