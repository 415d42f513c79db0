//! The plain proxy over real sockets: what it passes on, what it keeps back, and how upstreams fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails, fails here")]

mod support;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use inferlog_capture::forward::forward;
use inferlog_capture::route::Route;
use inferlog_capture::upstream::{Client, TlsError, UpstreamError, whole};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use support::{RawServer, Then, exchange};
use tokio::net::TcpListener;

fn route(upstream: &str, more: &str) -> Route {
    let text = format!("[[route]]\nname = \"a\"\nsystem = \"s\"\nupstream = \"{upstream}\"\n{more}");
    inferlog_capture::config::routes(&text, &|_| None).unwrap().remove(0)
}

/// A proxy on a port of its own; a failure is answered 502 with its words.
async fn proxy(route: Route) -> SocketAddr {
    let client = Client::new(&route.upstream, route.limits.connect_time_max).unwrap();
    let route = Arc::new(route);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, peer)) = listener.accept().await {
            let (client, route) = (client.clone(), route.clone());
            let service = service_fn(move |request: Request<Incoming>| {
                let (client, route) = (client.clone(), route.clone());
                async move { Ok::<_, Infallible>(answer(&client, &route, request, peer).await) }
            });
            let serve = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(serve);
        }
    });
    address
}

async fn answer(
    client: &Client,
    route: &Route,
    request: Request<Incoming>,
    peer: SocketAddr,
) -> Response<Either<Full<Bytes>, Incoming>> {
    match forward(client, route, request, peer.ip()).await {
        Ok(answer) => answer.map(Either::Right),
        Err(error) => {
            let mut answer = Response::new(Either::Left(error.to_string().into()));
            *answer.status_mut() = StatusCode::BAD_GATEWAY;
            answer
        }
    }
}

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=5\r\nConnection: x-secret, close\r\nX-Secret: 1\r\nX-Kept: a\r\n\r\nok";

#[tokio::test]
async fn headers_of_one_connection_stay_on_it() {
    let mut upstream = RawServer::answering(OK, Then::Close).await;
    let proxy = proxy(route(&upstream.url(), "")).await;
    let answer = exchange(
        proxy,
        "POST /v2/models/m/infer?a=b HTTP/1.1\r\nHost: example.org\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n\
         Proxy-Authorization: Basic eDp5\r\nAuthorization: Bearer t\r\nAccept-Encoding: gzip, br\r\nX-Forwarded-For: 192.0.2.1\r\n\
         traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\nContent-Length: 4\r\n\r\nbody",
    )
    .await;
    let seen = upstream.requests.recv().await.unwrap().to_ascii_lowercase();
    for gone in ["x-hop", "te:", "proxy-authorization", "connection:", "gzip"] {
        assert!(!seen.contains(gone), "{gone} in\n{seen}");
    }
    let kept = [
        "post /v2/models/m/infer?a=b http/1.1\r\n".to_owned(),
        format!("\r\nhost: {}\r\n", upstream.address),
        "\r\nauthorization: bearer t\r\n".into(),
        "\r\naccept-encoding: identity\r\n".into(),
        "\r\nx-forwarded-for: 192.0.2.1, 127.0.0.1\r\n".into(),
        "\r\nx-forwarded-host: example.org\r\n".into(),
        "\r\nx-forwarded-proto: http\r\n".into(),
        "\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n".into(),
        "\r\ncontent-length: 4\r\n".into(),
        "\r\n\r\nbody".into(),
    ];
    for kept in kept {
        assert!(seen.contains(&kept), "no {kept:?} in\n{seen}");
    }
    let answer = answer.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 200 ok\r\n") && answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(
        answer.contains("x-kept: a") && !answer.contains("x-secret") && !answer.contains("keep-alive"),
        "{answer}"
    );
}

#[tokio::test]
async fn upstreams_fail_in_ways_that_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let answers = [
        (format!("http://{nobody}"), "the upstream cannot be reached: "),
        (RawServer::answering(b"", Then::Close).await.url(), "the upstream broke off: "),
        (RawServer::answering(b"", Then::Reset).await.url(), "the upstream broke off: "),
        (RawServer::answering(b"SSH-2.0-x\r\n", Then::Close).await.url(), "the upstream broke off: "),
        (RawServer::answering(b"", Then::Stall).await.url(), "the upstream did not answer in time"),
    ];
    for (upstream, expected) in answers {
        let proxy = proxy(route(&upstream, "answer_ms_max = 300\nconnect_ms_max = 300")).await;
        let answer = exchange(proxy, "GET /v2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.contains(expected), "{upstream}: {answer}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_and_streamed() {
    let mut upstream =
        RawServer::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", Then::Close).await;
    let proxy = proxy(route(&upstream.url(), "request_bytes_max = 10")).await;
    let answer = exchange(proxy, "POST /v2/repository/index HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n").await;
    assert!(answer.ends_with("\r\n\r\n12345"), "{answer}");
    assert!(upstream.requests.recv().await.unwrap().ends_with("4\r\nabcd\r\n0\r\n\r\n"));
    let long = "POST /v2/repository/index HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 11\r\n\r\n01234567890";
    let answer = exchange(proxy, long).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
}

/// A certificate authority, and a server's certificate and key that it signed.
struct Authority {
    ca_pem: String,
    server: rustls::ServerConfig,
}

fn authority(name: &str) -> Authority {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let issuer = rcgen::CertifiedIssuer::self_signed(params, key).unwrap();
    let server_key = rcgen::KeyPair::generate().unwrap();
    let server = rcgen::CertificateParams::new(vec![name.to_owned()])
        .unwrap()
        .signed_by(&server_key, &issuer)
        .unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(server_key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], key.into())
            .unwrap();
    Authority { ca_pem: issuer.pem(), server: config }
}

/// Answers with the version that it was asked in.
async fn tls_server(config: rustls::ServerConfig) -> SocketAddr {
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service = service_fn(|request: Request<Incoming>| async move {
                    let answer = format!("{:?} over TLS", request.version());
                    Ok::<_, Infallible>(Response::new(whole(answer.into())))
                });
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

async fn get(route: Route) -> Result<Bytes, UpstreamError> {
    let client = Client::new(&route.upstream, route.limits.connect_time_max).unwrap();
    let uri = route.target(&"/v2".parse().unwrap()).unwrap();
    let mut request = Request::new(whole(Default::default()));
    *request.uri_mut() = uri;
    let answer = client.send(request).await?;
    Ok(answer.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn tls_agrees_on_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    for (offered, keys, expected) in [
        (vec!["h2", "http/1.1"], "", "HTTP/2.0 over TLS"),
        (vec!["http/1.1"], "", "HTTP/1.1 over TLS"),
        (vec![], "", "HTTP/1.1 over TLS"),
        (vec!["h2", "http/1.1"], "http2 = true", "HTTP/2.0 over TLS"),
        (vec![], "wire = \"oip-grpc\"", "HTTP/2.0 over TLS"),
    ] {
        let mut authority = authority("127.0.0.1");
        std::fs::write(&path, &authority.ca_pem).unwrap();
        authority.server.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let url = format!("https://{}", tls_server(authority.server).await);
        let keys = format!("ca_file = {:?}\n{keys}", path.to_str().unwrap());
        assert_eq!(get(route(&url, &keys)).await.unwrap(), expected, "{offered:?}");
    }
}

#[tokio::test]
async fn tls_trusts_the_private_authority_and_no_other() {
    let (right, wrong) = (authority("127.0.0.1"), authority("127.0.0.1"));
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        format!("ca_file = {:?}", path.to_str().unwrap())
    };
    let address = tls_server(right.server).await;
    let url = format!("https://{address}");
    assert_eq!(get(route(&url, &file("right.pem", &right.ca_pem))).await.unwrap(), "HTTP/1.1 over TLS");
    let error = get(route(&url, &file("wrong.pem", &wrong.ca_pem))).await.unwrap_err();
    assert!(matches!(&error, UpstreamError::Unreachable(why) if why.contains("certificate")), "{error}");

    let unusable = route(&url, &file("empty.pem", "nothing here"));
    let error = Client::new(&unusable.upstream, unusable.limits.connect_time_max).unwrap_err();
    assert!(matches!(&error, TlsError::CaFile { .. }) && error.to_string().contains("empty.pem"), "{error}");
}
