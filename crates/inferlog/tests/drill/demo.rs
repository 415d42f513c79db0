//! The demo, which serves on, and a model server in front of its own that answers with another model than it is asked for.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use super::support::World;

/// A running demo; killed when dropped.
pub struct Demo {
    child: Child,
    /// Its model server's URL.
    pub model: String,
    /// Its gateway's.
    pub gateway: String,
}

impl Demo {
    /// Starts it over the world's data, and waits until its tour is over.
    pub fn start(world: &World) -> Self {
        let mut command = world.command(&["demo", "--data", "data"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let line =
            lines.find(|line| line.contains(" in the Open Inference Protocol. The gateway at ")).unwrap();
        let mut urls = line.split_whitespace().filter(|word| word.starts_with("http://")).map(str::to_owned);
        let (model, gateway) = (urls.next().unwrap(), urls.next().unwrap());
        lines.find(|line| line.contains("It goes on serving")).expect("the tour comes to its end");
        // It must not wait for somebody to read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, model, gateway }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server that passes everything on to the model server at `model`, and asks it for version 2 of a model whoever asks for
/// version 1: as if somebody had retrained it and kept the name.
pub fn retrained(model: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let model = model.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let model = model.clone();
            std::thread::spawn(move || pass(stream, &model));
        }
    });
    url
}

fn pass(mut client: TcpStream, model: &str) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (mut head, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        if !lower.starts_with("connection:") {
            head.push(line);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let head = head.concat().replacen("/versions/1/", "/versions/2/", 1);
    let mut server = TcpStream::connect(model).ok()?;
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    // To the end: the server closes.
    std::io::copy(&mut server, &mut client).ok()?;
    client.shutdown(std::net::Shutdown::Both).ok()
}
