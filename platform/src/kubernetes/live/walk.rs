//! One listing: pages by continue token, each split while it streams in.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use futures::Stream;
use http::StatusCode;
use http_body_util::BodyExt as _;

use ::kube::Client;
use ::kube::client::Body;

use super::KubeSettings;
use super::refusal::{self, Asked};
use super::resource::ResourcePath;
use crate::kubernetes::head;
use crate::kubernetes::listing::Pager;
use crate::kubernetes::splitter::{Item, ListHead, Piece, Shape, Splitter};
use crate::ports::{ClusterError, Kind, KindPage, RawObject};

/// How much of a first page is read in search of its metadata; the API server writes that first.
const HEAD_SEARCH_BOUND_BYTES: usize = 64 * 1024 * 1024;
/// Largest error answer that is read, in bytes.
const REFUSAL_BOUND_BYTES: usize = 64 * 1024;

/// Why a listing did not begin or go on.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server does not know this API version.
    NotServed(ClusterError),
    /// Anything else.
    Other(ClusterError),
}

impl From<Failure> for ClusterError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotServed(error) | Failure::Other(error) => error,
        }
    }
}

/// The walk through one list.
pub(super) struct ListWalk {
    client: Client,
    settings: Arc<KubeSettings>,
    kind: Kind,
    path: ResourcePath,
    splitter: Splitter,
    pieces: Vec<Piece>,
    response: Response,
    /// Where to go when the open response has ended; known once its list has. It is read to its
    /// very end, so that the connection serves the next request.
    following: Option<Response>,
    api_version: Option<String>,
    resource_version: Option<String>,
    pager: Pager,
    listed: u64,
}

/// Where the walk stands between and within responses.
enum Response {
    /// The next page is to be asked for; without token the first.
    Next(Option<String>),
    /// A response is being read; the token that asked for it.
    Open { body: Body, asked_with: Option<String> },
    /// The last one was read.
    Last,
}

impl ListWalk {
    pub(super) fn new(client: Client, settings: Arc<KubeSettings>, kind: Kind, path: ResourcePath) -> Self {
        Self {
            client,
            splitter: Splitter::new(settings.object_bound_bytes),
            settings,
            kind,
            path,
            pieces: Vec::new(),
            response: Response::Next(None),
            following: None,
            api_version: None,
            resource_version: None,
            pager: Pager::default(),
            listed: 0,
        }
    }

    /// API version of the list; known once the head was read.
    pub(super) fn api_version(&self) -> &str {
        self.api_version.as_deref().unwrap_or_default()
    }

    /// Resource version of the list; known once the head was read.
    pub(super) fn resource_version(&self) -> &str {
        self.resource_version.as_deref().unwrap_or_default()
    }

    /// Reads the first response until the list has said its versions.
    pub(super) async fn read_head(&mut self) -> Result<(), Failure> {
        self.open(None).await?;
        while self.resource_version.is_none() || self.api_version.is_none() {
            if self.pager.bytes() > HEAD_SEARCH_BOUND_BYTES {
                return Err(Failure::Other(self.refused(format!(
                    "the list does not say its version in its first {HEAD_SEARCH_BOUND_BYTES} bytes"
                ))));
            }
            self.read_chunk().await.map_err(Failure::Other)?;
        }
        Ok(())
    }

    /// The pages from here on. Nothing is read before a page is asked for.
    pub(super) fn into_pages(self) -> impl Stream<Item = Result<KindPage, ClusterError>> + Send {
        futures::stream::unfold(Some(self), |walk| async move {
            let mut walk = walk?;
            match walk.next_page().await {
                Ok(Some(page)) => Some((Ok(page), Some(walk))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }

    async fn next_page(&mut self) -> Result<Option<KindPage>, ClusterError> {
        loop {
            if let Some(page) = self.pager.full() {
                return Ok(Some(page));
            }
            match &mut self.response {
                Response::Open { .. } => self.read_chunk().await?,
                Response::Next(token) => {
                    // What one response gave goes out before the next one is asked for.
                    if let Some(page) = self.pager.any() {
                        return Ok(Some(page));
                    }
                    let token = token.take();
                    self.open(token).await?;
                }
                Response::Last => return Ok(self.pager.any()),
            }
        }
    }

    /// Asks for a page.
    async fn open(&mut self, token: Option<String>) -> Result<(), Failure> {
        let uri = self.path.page(self.settings.page_limit, &self.settings.excluded_namespaces, token.as_deref());
        let body = get(&self.client, &self.settings, self.kind, Asked::List(self.path), uri).await?;
        self.splitter = Splitter::new(self.settings.object_bound_bytes);
        self.response = Response::Open { body, asked_with: token };
        Ok(())
    }

    /// Reads one piece of the open response.
    async fn read_chunk(&mut self) -> Result<(), ClusterError> {
        let Response::Open { body, .. } = &mut self.response else {
            return Err(self.refused("the list does not say its version".to_owned()));
        };
        match next_chunk(body, &self.settings, self.kind).await? {
            Some(chunk) => {
                let fed = self.splitter.feed(&chunk, &mut self.pieces);
                self.sort_pieces()?;
                fed.map_err(|fault| self.unavailable(anyhow!("the response is not a list: {fault}")))
            }
            None => {
                let ended = self.splitter.finish(&mut self.pieces);
                self.sort_pieces()?;
                ended.map_err(|fault| self.unavailable(anyhow!("the response is cut off: {fault}")))?;
                match self.following.take() {
                    Some(following) => self.response = following,
                    None => return Err(self.unavailable(anyhow!("the response is empty"))),
                }
                Ok(())
            }
        }
    }

    /// Takes over what the splitter completed.
    fn sort_pieces(&mut self) -> Result<(), ClusterError> {
        let mut pieces = std::mem::take(&mut self.pieces);
        for piece in pieces.drain(..) {
            match piece {
                Piece::Begin { head } => self.look_at_head(head)?,
                Piece::Item(item) => self.take_item(item),
                Piece::End { shape: Shape::List | Shape::EmptyList, head } => self.end_response(head)?,
                Piece::End { head, .. } => {
                    let kind = head.kind.as_deref().unwrap_or("no kind").to_owned();
                    return Err(self.refused(format!("the response is not a list but of {kind:?}")));
                }
            }
        }
        self.pieces = pieces;
        Ok(())
    }

    fn take_item(&mut self, item: Item) {
        // Its list has told the kind, so nothing within is of interest here, and the grammar is checked
        // by the pass that redacts: two passes would be a fifth of a snapshot's time.
        let checked = item.bytes.and_then(|bytes| {
            head::begun(&bytes)?;
            Ok(bytes)
        });
        self.pager.push(checked.map_or_else(
            |reason| RawObject::Unreadable { place: format!("{} list, item {}", self.kind, self.listed), reason },
            RawObject::Json,
        ));
        self.listed += 1;
    }

    /// Notes the versions; a page of another version than the first is no part of the same list.
    fn look_at_head(&mut self, head: ListHead) -> Result<(), ClusterError> {
        if self.api_version.is_none() {
            self.api_version = head.api_version;
        }
        match (&self.resource_version, head.resource_version) {
            (None, found) => self.resource_version = found,
            (Some(first), Some(found)) if *first != found => return Err(ClusterError::Expired { kind: self.kind }),
            _ => {}
        }
        Ok(())
    }

    fn end_response(&mut self, head: ListHead) -> Result<(), ClusterError> {
        if let Some(fault) = &head.metadata_fault {
            return Err(self.unavailable(anyhow!("the list's metadata cannot be read: {fault}")));
        }
        let token = head.continue_token.clone();
        self.look_at_head(head)?;
        if self.following.is_some() {
            // Items of a second list belong to nothing that was asked for.
            return Err(self.refused("the response holds more than one list".to_owned()));
        }
        if let Response::Open { asked_with: Some(asked_with), .. } = &self.response
            && token.as_ref() == Some(asked_with)
        {
            return Err(self.unavailable(anyhow!("the continue token does not move on")));
        }
        self.following = Some(token.map_or(Response::Last, |token| Response::Next(Some(token))));
        Ok(())
    }

    fn refused(&self, reason: String) -> ClusterError {
        ClusterError::Refused { kind: self.kind, reason }
    }

    fn unavailable(&self, source: anyhow::Error) -> ClusterError {
        ClusterError::Unavailable { kind: self.kind, source }
    }
}

/// Sends a GET; the body of a 200.
async fn get(client: &Client, settings: &KubeSettings, kind: Kind, asked: Asked, uri: String) -> Result<Body, Failure> {
    let failed = |source: anyhow::Error| Failure::Other(ClusterError::Unavailable { kind, source });
    let request = http::Request::get(&uri)
        .header(http::header::ACCEPT, "application/json")
        .body(Body::empty())
        .map_err(|error| Failure::Other(ClusterError::Refused { kind, reason: format!("GET {uri}: {error}") }))?;
    let response = tokio::time::timeout(settings.response_timeout, client.send(request))
        .await
        .map_err(|_| failed(anyhow!("no answer within {:?}", settings.response_timeout)))?
        .map_err(|error| failed(anyhow::Error::from(error).context("ask the API server")))?;
    let status = response.status();
    let mut body = response.into_body();
    if status == StatusCode::OK {
        return Ok(body);
    }
    let text = read_bounded(&mut body, settings, kind, REFUSAL_BOUND_BYTES).await.unwrap_or_default();
    let error = refusal::of_status(kind, asked, status, &text);
    Err(if status == StatusCode::NOT_FOUND { Failure::NotServed(error) } else { Failure::Other(error) })
}

/// The next data of a body; none at its end.
async fn next_chunk(body: &mut Body, settings: &KubeSettings, kind: Kind) -> Result<Option<Bytes>, ClusterError> {
    let failed = |source: anyhow::Error| ClusterError::Unavailable { kind, source };
    loop {
        let frame = tokio::time::timeout(settings.read_timeout, body.frame())
            .await
            .map_err(|_| failed(anyhow!("the response stood still for {:?}", settings.read_timeout)))?;
        match frame.transpose().context("read the response").map_err(failed)? {
            None => return Ok(None),
            Some(frame) => {
                // Trailers say nothing here.
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// Reads at most that much of a body.
async fn read_bounded(
    body: &mut Body,
    settings: &KubeSettings,
    kind: Kind,
    bound: usize,
) -> Result<Vec<u8>, ClusterError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = next_chunk(body, settings, kind).await? {
        let room = bound.saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() > room {
            break;
        }
    }
    Ok(bytes)
}

/// Reads a small answer that is no list.
pub(super) async fn read_small(
    client: &Client,
    settings: &KubeSettings,
    kind: Kind,
    path: &'static str,
    bound: usize,
) -> Result<Vec<u8>, ClusterError> {
    let mut body = get(client, settings, kind, Asked::Path(path), path.to_owned()).await?;
    read_bounded(&mut body, settings, kind, bound).await
}
