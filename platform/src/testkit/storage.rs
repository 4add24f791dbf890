//! Buckets at a stand-in for Cloud Storage.

use google_cloud_auth::credentials::anonymous;
use google_cloud_storage::client::StorageControl;
use google_cloud_storage::model::Bucket;

/// Makes a bucket.
pub async fn create_bucket(endpoint: &str, name: &str) {
    let control = StorageControl::builder()
        .with_endpoint(endpoint)
        .with_credentials(anonymous::Builder::new().build())
        .build()
        .await
        .expect("anonymous credentials do");
    let bucket = Bucket::new().set_project("projects/test");
    let created = control.create_bucket().set_parent("projects/_").set_bucket_id(name).set_bucket(bucket).send().await;
    created.unwrap_or_else(|error| panic!("create bucket {name}: {error}"));
}
