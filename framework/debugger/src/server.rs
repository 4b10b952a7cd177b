//! The server: the page's files, and answers to whoever knows the token.

use crate::desk::{Answer, Ask, Desk};
use crate::page::{INDEX, SCRIPT, STYLE};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Map, Value, json};
use std::fmt;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// Traces that are loaded have at most so many bytes.
const BODY_BYTES_MAX: usize = 256 << 20;
/// What the page may do: nothing but use its own files and ask its own server.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where a session is served.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// The port, on 127.0.0.1.
    pub port: u16,
    /// What whoever asks must know.
    pub token: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://127.0.0.1:{}/?token={}", self.port, self.token)
    }
}

struct Shop {
    desk: Arc<dyn Desk>,
    address: Address,
}

/// Serves a session on 127.0.0.1 until the program ends or `until` is done. Port 0 is any that is free; `on_ready` is told
/// the address.
///
/// # Errors
/// If the port cannot be had, or the system has no random numbers.
pub fn serve(
    desk: Arc<dyn Desk>,
    port: u16,
    on_ready: impl FnOnce(&Address),
    until: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let address = Address { port: listener.local_addr()?.port(), token: token()? };
        on_ready(&address);
        let shop = Arc::new(Shop { desk, address });
        let router = Router::new()
            .route("/", get(|| async { text("text/html; charset=utf-8", INDEX) }))
            .route("/page/{name}", get(file))
            .route("/api/{what}", any(answer))
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .layer(from_fn_with_state(Arc::clone(&shop), guard))
            .with_state(shop);
        // A browser keeps connections: whoever ends the server does not wait for them.
        tokio::select! {
            served = axum::serve(listener, router) => served,
            () = until => Ok(()),
        }
    });
    // A job that is at work is not waited for.
    runtime.shutdown_background();
    served
}

fn token() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Lets pass only what comes from the server's own page: a page of another site has another origin, and a name that
/// somebody made lead to this machine is another host.
async fn guard(State(shop): State<Arc<Shop>>, request: Request, next: Next) -> Response {
    let port = shop.address.port;
    let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let told = request.headers().get("x-synod-token").and_then(|token| token.to_str().ok());
    let is_known = told == Some(shop.address.token.as_str()) || !request.uri().path().starts_with("/api/");
    let mut response = if !is_own(request.headers(), &hosts) {
        refused(StatusCode::FORBIDDEN, "this server answers its own page alone", None)
    } else if !is_known {
        let words = "the token is missing or wrong: open the address that `synod debug` printed";
        refused(StatusCode::UNAUTHORIZED, words, None)
    } else {
        next.run(request).await
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in headers {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

fn is_own(headers: &HeaderMap, hosts: &[String]) -> bool {
    let told = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or(""));
    let is_host = told(header::HOST).is_some_and(|host| hosts.iter().any(|own| own == host));
    let is_origin = |origin: &str| hosts.iter().any(|own| origin.strip_prefix("http://") == Some(own));
    is_host && told(header::ORIGIN).is_none_or(is_origin)
}

async fn file(Path(name): Path<String>) -> Response {
    match name.as_str() {
        "style.css" => text("text/css; charset=utf-8", STYLE),
        "main.js" => text("text/javascript; charset=utf-8", &SCRIPT),
        _ => refused(StatusCode::NOT_FOUND, &format!("there is no file {name}"), None),
    }
}

async fn answer(
    State(shop): State<Arc<Shop>>,
    Path(what): Path<String>,
    method: Method,
    Query(query): Query<Vec<(String, String)>>,
    body: Bytes,
) -> Response {
    let ask = match wish(&what, &method, query, &body) {
        Ok(ask) => ask,
        Err(words) => return refused(StatusCode::BAD_REQUEST, &words, None),
    };
    let desk = Arc::clone(&shop.desk);
    match tokio::task::spawn_blocking(move || desk.ask(ask)).await {
        Ok(Ok(Answer::Json(value))) => text("application/json", &value.to_string()),
        Ok(Ok(Answer::Bytes(bytes))) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], Body::from(bytes)).into_response()
        }
        Ok(Ok(Answer::File(name, kind, contents))) => {
            let disposition = format!("attachment; filename=\"{name}\"");
            let headers =
                [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)];
            (headers, contents).into_response()
        }
        Ok(Err(refusal)) => refused(StatusCode::BAD_REQUEST, &refusal.words, refusal.column),
        Err(panic) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, &format!("the debugger has a bug: {panic}"), None)
        }
    }
}

/// What is asked, from an address and a body.
fn wish(what: &str, method: &Method, query: Vec<(String, String)>, body: &[u8]) -> Result<Ask, String> {
    let is_post = method == Method::POST;
    let mut parts = match (is_post, what) {
        (true, "load") => {
            let trace = std::str::from_utf8(body).map_err(|_| "a trace is a text".to_owned())?;
            Map::from_iter([("trace".to_owned(), json!(trace))])
        }
        (true, _) => match serde_json::from_slice(body) {
            Ok(Value::Object(parts)) => parts,
            Ok(_) => return Err("the body must be an object".to_owned()),
            Err(error) => return Err(format!("the body is no JSON: {error}")),
        },
        (false, _) => read_query(query),
    };
    let is_query = matches!(
        what,
        "session" | "columns" | "moment" | "tree" | "why" | "compare" | "find" | "save" | "share" | "export"
    );
    let name = match (what, is_post) {
        ("job", true) => "start",
        ("start", _) => return Err("there is no /api/start".to_owned()),
        ("job", false) => "job",
        (_, true) if is_query => return Err(format!("/api/{what} is asked by GET")),
        (_, false) if !is_query => return Err(format!("there is no /api/{what}, or it is asked by POST")),
        (what, _) => what,
    };
    parts.insert("ask".to_owned(), json!(name));
    serde_json::from_value(Value::Object(parts)).map_err(|error| format!("/api/{what}: {error}"))
}

/// The parts of a query; those that are numbers everywhere are numbers.
fn read_query(query: Vec<(String, String)>) -> Map<String, Value> {
    let read = |(name, value): (String, String)| {
        let is_number = matches!(name.as_str(), "m" | "base" | "from" | "id" | "limit" | "a" | "b");
        let number = value.parse::<u64>().ok().filter(|_| is_number);
        (name, number.map_or_else(|| json!(value), |number| json!(number)))
    };
    query.into_iter().map(read).collect()
}

fn text(kind: &'static str, contents: &str) -> Response {
    ([(header::CONTENT_TYPE, kind)], contents.to_owned()).into_response()
}

fn refused(status: StatusCode, words: &str, column: Option<usize>) -> Response {
    let told = json!({"error": words, "column": column}).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], told).into_response()
}
