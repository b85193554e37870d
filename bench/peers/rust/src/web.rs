// web.rs - hyper on Tokio: a word, and the files of a folder.
// SPDX-License-Identifier: MIT
use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::Args;
use crate::files::folder;
use crate::tasks::runtime;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    if path == "/hello" {
        let body = Full::new(Bytes::from_static(b"hello, world\n"));
        return Ok(Response::new(body));
    }
    let name = path.trim_start_matches('/');
    let found = match name.contains("..") {
        true => Err(std::io::ErrorKind::NotFound.into()),
        false => tokio::fs::read(folder().join(name)).await,
    };
    let mut response = Response::new(Full::default());
    match found {
        Ok(bytes) => *response.body_mut() = Full::new(bytes.into()),
        Err(_) => *response.status_mut() = StatusCode::NOT_FOUND,
    }
    Ok(response)
}

pub fn http(args: Args) {
    runtime(args.workers).block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        println!("port {}", listener.local_addr().unwrap().port());
        loop {
            let (connection, _) = listener.accept().await.expect("accept");
            connection.set_nodelay(true).unwrap();
            tokio::spawn(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(connection), service_fn(answer)),
            );
        }
    });
}
