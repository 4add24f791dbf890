//! Puts a token on every request to the API server, and asks once more with a new one where it was
//! not accepted.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use ::kube::client::Body;
use http::{Request, Response, StatusCode};
use tower::util::ServiceExt as _;
use tower::{BoxError, Layer, Service};

use super::tokens::Tokens;

/// Adds [`Bearer`] to a stack of services.
#[derive(Debug, Clone)]
pub(super) struct BearerLayer {
    tokens: Tokens,
}

impl BearerLayer {
    pub(super) fn new(tokens: Tokens) -> Self {
        Self { tokens }
    }
}

impl<S> Layer<S> for BearerLayer {
    type Service = Bearer<S>;

    fn layer(&self, inner: S) -> Bearer<S> {
        Bearer { inner, tokens: self.tokens.clone() }
    }
}

/// Authenticates requests. The same request is sent a second time, at most, so a page asked for by
/// its continue token stays one of the same list.
#[derive(Debug, Clone)]
pub(super) struct Bearer<S> {
    inner: S,
    tokens: Tokens,
}

impl<S, B> Service<Request<Body>> for Bearer<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<B>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<B>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // The service below is waited for once there is a token.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (inner, tokens) = (self.inner.clone(), self.tokens.clone());
        Box::pin(async move {
            let (mut first, second) = twice(request);
            let token = tokens.token().await?;
            token.put_authorization(first.headers_mut());
            let response = inner.clone().oneshot(first).await?;
            let Some(mut second) = second.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
                return Ok(response);
            };
            drop(response);
            tracing::info!(path = second.uri().path(), "token not accepted, asked again with a new one");
            tokens.reject(&token);
            tokens.token().await?.put_authorization(second.headers_mut());
            inner.oneshot(second).await
        })
    }
}

/// A request and, where its body is at hand, the same again.
fn twice(request: Request<Body>) -> (Request<Body>, Option<Request<Body>>) {
    let second = request.body().try_clone().map(|body| {
        let mut second = Request::new(body);
        *second.method_mut() = request.method().clone();
        *second.uri_mut() = request.uri().clone();
        *second.headers_mut() = request.headers().clone();
        *second.extensions_mut() = request.extensions().clone();
        second
    });
    (request, second)
}
