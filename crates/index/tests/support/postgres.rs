//! A PostgreSQL server of a test's own, from the binaries that Debian installs: in a temporary folder, on a Unix socket and a port
//! of the loopback interface, with fsync on. It can be killed, stopped, hung and started again, and ends with the test.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// The role of the index's followers, and its password over TCP: one that a URL must escape.
pub const USER: &str = "follower";
pub const PASSWORD: &str = "p@ss/w%rd?";
pub const PASSWORD_IN_URL: &str = "p%40ss%2Fw%25rd%3F";

/// A server; ended when dropped.
pub struct Server {
    dir: TempDir,
    bin: PathBuf,
    port: u16,
    child: Option<Child>,
    tls: bool,
}

impl Server {
    pub fn start() -> Self {
        Self::make(None)
    }

    /// A server that offers TLS with this certificate and key, in PEM.
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        Self::make(Some((certificate, key)))
    }

    fn make(tls: Option<(&str, &str)>) -> Self {
        let bin = find_binaries();
        let dir = tempfile::Builder::new().prefix("inferlog-postgres-").tempdir().unwrap();
        let data = dir.path().join("data");
        give(dir.path());
        let mut initdb = unprivileged(&bin.join("initdb"));
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync"]);
        initdb.args(["--auth-local=trust", "--auth-host=scram-sha-256"]);
        let output = initdb.current_dir("/").output().unwrap();
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        if let Some((certificate, key)) = tls {
            for (name, pem) in [("server.crt", certificate), ("server.key", key)] {
                std::fs::write(data.join(name), pem).unwrap();
                std::fs::set_permissions(
                    data.join(name),
                    std::os::unix::fs::PermissionsExt::from_mode(0o600),
                )
                .unwrap();
                give(&data.join(name));
            }
        }
        let mut server = Self { dir, bin, port: free_port(), child: None, tls: tls.is_some() };
        server.restart();
        server.psql("postgres", &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'"));
        server
    }

    /// Makes a database that belongs to [`USER`], and returns its URL over the Unix socket.
    pub fn database(&self, name: &str) -> String {
        self.psql("postgres", &format!("CREATE DATABASE {name} OWNER {USER}"));
        let folder = self.dir.path().to_str().unwrap().replace('/', "%2F");
        format!("postgres://{USER}@{folder}:{}/{name}", self.port)
    }

    /// The URL of a database over TCP, with the password.
    pub fn tcp_url(&self, host: &str, name: &str, parameters: &str) -> String {
        format!("postgres://{USER}:{PASSWORD_IN_URL}@{host}:{}/{name}{parameters}", self.port)
    }

    /// Where its files are.
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Runs SQL as the superuser; rows are lines, columns are separated by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.arg("-h").arg(self.dir.path()).arg("-p").arg(self.port.to_string());
        psql.args([
            "-U",
            "postgres",
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            "-c",
            sql,
        ]);
        let output = psql.output().unwrap();
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// SIGKILL for the postmaster; its children notice and end, until when they may do what they are asked for.
    pub fn kill(&mut self) {
        let children = self.children();
        self.signal(Signal::KILL);
        self.wait();
        let began = Instant::now();
        while children.iter().any(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            assert!(began.elapsed() < Duration::from_secs(30), "children of a killed postmaster go on");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `pg_ctl stop -m immediate`: no checkpoint; the next start recovers.
    pub fn stop_immediately(&mut self) {
        self.signal(Signal::QUIT);
        self.wait();
    }

    /// `pg_ctl stop -m fast`.
    pub fn stop(&mut self) {
        self.signal(Signal::INT);
        self.wait();
    }

    /// SIGKILL for one process that serves a connection, if there is one: the server throws all others out and recovers.
    pub fn kill_backend(&self) {
        let is_backend = |pid: &i32| {
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            line.contains(USER)
        };
        if let Some(pid) = self.children().into_iter().find(is_backend) {
            send(pid, Signal::KILL);
        }
    }

    /// SIGSTOP for all of it: sockets stay open and nothing answers.
    pub fn hang(&self) {
        self.signal(Signal::STOP);
        self.children().into_iter().for_each(|pid| send(pid, Signal::STOP));
    }

    /// Ends a [`Server::hang`].
    pub fn go_on(&self) {
        self.children().into_iter().for_each(|pid| send(pid, Signal::CONT));
        self.signal(Signal::CONT);
    }

    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// Starts it where it does not run, and waits until it takes connections. What a killed postmaster left behind may need
    /// a moment to end, until when a new one refuses to start.
    pub fn restart(&mut self) {
        let began = Instant::now();
        loop {
            let ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            if ended {
                self.child = Some(self.spawn());
            }
            if self.is_ready() {
                return;
            }
            let log = || std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut postgres = unprivileged(&self.bin.join("postgres"));
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-k")
            .arg(self.dir.path())
            .arg("-p")
            .arg(self.port.to_string());
        let settings = [
            "fsync=on",
            "listen_addresses=127.0.0.1",
            "shared_buffers=32MB",
            "max_wal_size=128MB",
            "max_connections=40",
            // A test waits for no machine that is gone.
            "authentication_timeout=10s",
            if self.tls { "ssl=on" } else { "ssl=off" },
        ];
        settings.iter().for_each(|setting| _ = postgres.args(["-c", setting]));
        postgres.current_dir("/").stdin(Stdio::null());
        postgres.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap()
    }

    fn is_ready(&self) -> bool {
        let mut ready = Command::new(self.bin.join("pg_isready"));
        ready.arg("-q").arg("-h").arg(self.dir.path()).arg("-p").arg(self.port.to_string());
        ready.status().unwrap().success()
    }

    fn children(&self) -> Vec<i32> {
        let Some(child) = &self.child else { return Vec::new() };
        let pid = child.id();
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        children.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            send(child.id() as i32, signal);
        }
    }

    fn wait(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It removes its shared memory, which SIGKILL would leave behind.
        self.go_on();
        self.signal(Signal::QUIT);
        let Some(mut child) = self.child.take() else { return };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) {
            if child.try_wait().is_ok_and(|status| status.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The newest version that is installed, or one on the search path.
fn find_binaries() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let mut folders: Vec<PathBuf> =
        installed.map(|entry| entry.path()).filter(|path| version(path).is_some()).collect();
    folders.sort_by_key(version);
    let on_path: Vec<PathBuf> =
        std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let candidates = folders.iter().rev().map(|folder| folder.join("bin")).chain(on_path);
    let mut whole =
        candidates.filter(|bin| ["initdb", "postgres", "psql"].iter().all(|name| bin.join(name).is_file()));
    whole
        .next()
        .expect("PostgreSQL is not installed: `apt-get install postgresql` (or run `cargo xtask test`)")
}

/// PostgreSQL refuses to run as root; then it runs as the user that its package made. And it ends with us: the signal comes
/// when the thread that started it ends.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program);
    command
}

/// Gives a file to whom the server runs as.
fn give(path: &Path) {
    if geteuid().is_root() {
        let status = Command::new("chown").arg("postgres:postgres").arg(path).status().unwrap();
        assert!(status.success(), "chown {}", path.display());
    }
}

fn send(pid: i32, signal: Signal) {
    // It may have ended meanwhile.
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
