//! A run that is killed anywhere, before or after any effect, is completed by the next one.

use std::time::Duration;

use crate::breaker::{Breaker, Moment};
use crate::project::{Project, comparable, ended};

/// Longest a run may take until it is held or ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the program and kills it at its nth change. Says whether it came that far.
async fn killed_at(project: &Project, nth: usize, moment: Moment) -> bool {
    let (breaker, address) = Breaker::start(project.pubsub.url("rest"), nth, moment).await;
    let mut child = project.command_through(&address, &[]).spawn().unwrap();
    tokio::select! {
        () = breaker.held() => {
            child.kill().await.unwrap();
            true
        }
        status = child.wait() => {
            assert!(status.unwrap().success());
            false
        }
        () = tokio::time::sleep(PATIENCE) => panic!("neither held nor ended at change {nth}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_at_any_change_is_completed_by_the_next() {
    let Some(mut project) = Project::start("whole") else { return };
    project.run(&[]).await.with(0);
    let whole = comparable(&project.dump().await, "whole");
    let mut kills = 0;
    for moment in [Moment::Before, Moment::After] {
        for nth in 0.. {
            project.id = format!("killed-{kills}-{nth}");
            if !killed_at(&project, nth, moment).await {
                break;
            }
            kills += 1;
            let again = ended(project.command(&[])).await;
            assert!(again.err.is_empty(), "change {nth}: {again:?}");
            again.with(0);
            assert_eq!(comparable(&project.dump().await, &project.id), whole, "{moment:?} change {nth}");
            project.run(&["--check"]).await.with(0);
        }
    }
    // Seven schemas, nine topics and eleven subscriptions, before and after each.
    assert_eq!(kills, 2 * (7 + 9 + 11));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_between_a_revision_and_its_topic_is_completed_by_the_next() {
    let Some(mut project) = Project::start("revised") else { return };
    // As a program that knew no field `error` yet had left it.
    let prepared = async |project: &Project| {
        project.run(&[]).await.with(0);
        let mut definition = project.notification().await;
        assert_eq!(definition["fields"].as_array_mut().unwrap().pop().unwrap()["name"], "error");
        project.with_notifications_of(&definition).await;
    };
    prepared(&project).await;
    project.run(&[]).await.with(0);
    let whole = comparable(&project.dump().await, "revised");
    let mut kills = 0;
    for moment in [Moment::Before, Moment::After] {
        for nth in 0.. {
            project.id = format!("revised-{kills}-{nth}");
            prepared(&project).await;
            if !killed_at(&project, nth, moment).await {
                break;
            }
            kills += 1;
            project.run(&[]).await.with(0);
            assert_eq!(comparable(&project.dump().await, &project.id), whole, "{moment:?} change {nth}");
        }
    }
    // The revision, the topic that takes it, and the subscription, before and after each.
    assert_eq!(kills, 2 * 3);
}
