//! Each promise of the documents port.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;

use super::{Abilities, document, documents, every_type, ids, many, pages};
use crate::ports::{Document, DocumentValue, Documents, Fields};

/// Documents of the suite that needs many: more than any page holds.
const MANY: i64 = 2_500;

fn paths(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|document| document.name.path()).collect()
}

/// Wherever in the database they lie, also below documents that do not exist.
pub async fn a_list_has_the_documents_of_its_collections_and_no_others(
    make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>,
) {
    let wanted = ["apis/a", "teams/t/apis/b", "nowhere/n/apis/b", "apis/a/apis/c"];
    let others = ["teams/t", "apis2/a", "api/a", "apis/a/routes/r", "APIs/a"];
    let source = make(wanted.iter().chain(&others).map(|path| document(path, Fields::new())).collect()).await;
    let found = documents(&*source, &["apis"]).await;
    let found: BTreeSet<&str> = paths(&found).into_iter().collect();
    assert_eq!(found, BTreeSet::from(wanted));
    assert_eq!(paths(&documents(&*source, &["routes"]).await), ["apis/a/routes/r"]);
    assert_eq!(pages(&*source, &["missing"]).await.expect("an empty list is whole"), []);
    assert_eq!(pages(&*source, &[]).await.expect("a list of nothing is whole"), []);
}

/// As it was written, in the one wire form.
pub async fn every_type_comes_through(make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>, abilities: Abilities) {
    let written = document("apis/a", every_type(abilities.exact_integers));
    let source = make(vec![written.clone()]).await;
    let found = documents(&*source, &["apis"]).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].name, written.name);
    for (name, value) in &written.fields {
        assert_eq!(found[0].fields.get(name), Some(value), "{name:?}");
    }
    assert_eq!(found[0].fields.len(), written.fields.len());
}

/// None twice and none left out, and all at one moment where the source can.
pub async fn many_documents_come_in_pages_each_once(
    make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>,
    abilities: Abilities,
) {
    let written = many("apis", MANY);
    let source = make(written.clone()).await;
    let pages = pages(&*source, &["apis"]).await.expect("the list is whole");
    assert!(pages.len() > 1, "{} documents in one page", MANY);
    let times: BTreeSet<&str> = pages.iter().map(|page| page.read_time.as_str()).collect();
    assert_eq!(times.len(), 1, "one moment, or none: {times:?}");
    assert_eq!(times.contains(""), !abilities.shows_one_moment);
    let found: Vec<Document> = pages.iter().flat_map(|page| &page.documents).map(super::read).collect();
    assert_eq!(found.len(), written.len());
    let by_name: BTreeMap<_, _> = found.iter().map(|document| (document.name.to_string(), &document.fields)).collect();
    assert_eq!(by_name, written.iter().map(|document| (document.name.to_string(), &document.fields)).collect());
}

/// All pages of one before those of the next.
pub async fn collections_come_in_the_order_asked_for(make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>) {
    let all = ["b/2", "a/1", "c/3", "b/1"].map(|path| document(path, Fields::new()));
    let source = make(all.to_vec()).await;
    for asked in [["a", "b", "none", "c"], ["c", "none", "b", "a"]] {
        let pages = pages(&*source, &asked).await.expect("the list is whole");
        let mut found: Vec<&str> = pages.iter().map(|page| page.collection.as_str()).collect();
        found.dedup();
        assert_eq!(found, asked.into_iter().filter(|id| *id != "none").collect::<Vec<_>>());
    }
}

/// Of documents and of their parents.
pub async fn odd_names_are_names(make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>) {
    let longest = format!("apis/{}", "l".repeat(1_500));
    let odd = ["apis/ ", "apis/.a", "apis/...", "apis/%2F", "apis/a\\b\"'", "apis/é猫", "apis/(default)", &longest];
    let odd = odd.into_iter().chain(["documents/databases/apis/projects", "apis/__id7__", "apis/__id10__"]);
    let written: Vec<Document> = odd.map(|path| document(path, Fields::new())).collect();
    let source = make(written.clone()).await;
    let found = documents(&*source, &["apis"]).await;
    let names = |documents: &[Document]| documents.iter().map(|found| found.name.to_string()).collect::<BTreeSet<_>>();
    assert_eq!((names(&found), found.len()), (names(&written), written.len()));
}

/// And come whole: of nearly a megabyte each.
pub async fn large_documents_stay_apart(make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>) {
    let large = |number: usize| {
        let text = DocumentValue::Text(format!("{number}").repeat(900_000));
        document(&format!("apis/{number}"), Fields::from([("text".to_owned(), text)]))
    };
    let written: Vec<Document> = (0..6).map(large).collect();
    let source = make(written.clone()).await;
    let pages = pages(&*source, &["apis"]).await.expect("the list is whole");
    assert!(pages.iter().all(|page| page.documents.len() <= 3), "a page is bounded in bytes too");
    let found: Vec<Document> = pages.iter().flat_map(|page| &page.documents).map(super::read).collect();
    assert_eq!(paths(&found), paths(&written));
    assert!(found.iter().zip(&written).all(|(found, written)| found.fields == written.fields));
}

/// After its first page.
pub async fn a_list_that_is_left_disturbs_no_other(make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>) {
    let source = make(many("apis", MANY)).await;
    let mut left = source.list(&ids(&["apis"])).await.expect("it lists");
    assert!(left.next().await.expect("there are pages").is_ok());
    drop(left);
    assert_eq!(documents(&*source, &["apis"]).await.len() as i64, MANY);
}

/// Each of them.
pub async fn lists_at_once_are_whole(make: &impl AsyncFn(Vec<Document>) -> Arc<dyn Documents>) {
    let source = make(many("apis", 600).into_iter().chain(many("routes", 30)).collect()).await;
    let lists = (0..6).map(|number| {
        let source = Arc::clone(&source);
        async move { documents(&*source, if number % 2 == 0 { &["apis"] } else { &["routes"] }).await.len() }
    });
    assert_eq!(futures::future::join_all(lists).await, [600, 30, 600, 30, 600, 30]);
}
