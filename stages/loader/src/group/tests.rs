use futures::future::join_all;
use tokio::sync::Semaphore;

use super::*;

/// Commits when permitted, notes what it wrote, refuses negative numbers, panics on 0.
#[derive(Clone)]
struct Numbers {
    permits: Arc<Semaphore>,
    written: Arc<Mutex<Vec<Vec<i64>>>>,
}

#[async_trait]
impl Commit<i64> for Numbers {
    async fn commit(&self, items: &[i64]) -> Vec<Result<(), Refused>> {
        self.permits.acquire().await.unwrap().forget();
        assert!(!items.contains(&0), "zero");
        self.written.lock().unwrap().push(items.to_vec());
        items.iter().map(|item| if *item < 0 { Err(Refused::poison(anyhow!("{item}"))) } else { Ok(()) }).collect()
    }
}

fn group(permits: usize, most: usize) -> (Arc<Group<i64>>, Numbers) {
    let numbers = Numbers { permits: Arc::new(Semaphore::new(permits)), written: Arc::default() };
    (Arc::new(Group::new(Gathering { wait: Duration::ZERO, most }, numbers.clone())), numbers)
}

#[tokio::test]
async fn those_who_arrive_together_share_a_write_and_each_hears_of_its_own_item() {
    let (group, numbers) = group(1, 10);
    let outcomes = join_all([1, -2, 3].map(|item| group.submit(item))).await;
    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(*numbers.written.lock().unwrap(), [vec![1, -2, 3]]);
}

#[tokio::test]
async fn a_group_is_bounded_and_the_rest_is_written_next() {
    let (group, numbers) = group(9, 2);
    let outcomes = join_all((1..=5).map(|item| group.submit(item))).await;
    assert!(outcomes.iter().all(Result::is_ok));
    assert_eq!(*numbers.written.lock().unwrap(), [vec![1, 2], vec![3, 4], vec![5]]);
    assert!(group.submit(6).await.is_ok());
}

#[tokio::test]
async fn nobody_hears_of_success_before_the_write_and_a_handler_that_leaves_harms_no_other() {
    let (group, numbers) = group(0, 10);
    let mut leaves = Box::pin(group.submit(1));
    let mut stays = Box::pin(group.submit(2));
    assert!(futures::poll!(leaves.as_mut()).is_pending());
    assert!(futures::poll!(stays.as_mut()).is_pending());
    tokio::task::yield_now().await;
    assert!(futures::poll!(stays.as_mut()).is_pending());
    drop(leaves);
    numbers.permits.add_permits(1);
    assert!(stays.await.is_ok());
    assert_eq!(*numbers.written.lock().unwrap(), [vec![1, 2]]);
}

#[tokio::test]
async fn a_panic_is_an_outage_for_its_own_group_only() {
    let (group, _) = group(9, 10);
    assert!(matches!(group.submit(0).await, Err(Refused::Outage(_))));
    assert!(group.submit(1).await.is_ok());
}
