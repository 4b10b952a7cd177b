//! `synod debug` as a process, and its server asked without a browser.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A debugger that serves. It ends with the test.
pub struct Served {
    child: Child,
    /// The page's address, its token included.
    pub address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with these arguments.
pub fn synod(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_synod"));
    command.args(arguments);
    command
}

impl Served {
    /// `synod debug` with these arguments, once it tells its address.
    pub fn begin(arguments: &[&str]) -> Served {
        Served::of(synod(&[&["debug"], arguments].concat()))
    }

    /// A command that opens the debugger, once it tells the address.
    pub fn of(mut command: Command) -> Served {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let is_address = |line: String| line.trim().starts_with("http://").then(|| line.trim().to_owned());
        let address = lines.find_map(|line| is_address(line.ok()?)).expect("it tells its address");
        std::thread::spawn(move || lines.for_each(drop));
        Served { child, address }
    }

    /// Host and port.
    pub fn host(&self) -> &str {
        self.address.trim_start_matches("http://").split('/').next().expect("a host")
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.address.split("token=").nth(1).expect("a token")
    }

    /// Asks as the page does, with these headers besides; the status, the headers and the body.
    pub fn ask(&self, line: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
        let mut stream = TcpStream::connect(self.host()).expect("it listens");
        let mut request =
            format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).expect("it reads");
        let mut told = Vec::new();
        stream.read_to_end(&mut told).expect("it answers");
        let told = String::from_utf8_lossy(&told).into_owned();
        let (head, body) = told.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, head.to_lowercase(), body.to_owned())
    }

    /// Asks as the page does; the status and the body.
    pub fn told(&self, line: &str, body: &str) -> (u16, String) {
        let headers = [("Host", self.host()), ("X-Synod-Token", self.token())];
        let (status, _, told) = self.ask(line, &headers, body);
        (status, told)
    }

    /// Asks as the page does, for what is there.
    pub fn api(&self, line: &str, body: &str) -> Value {
        let (status, told) = self.told(line, body);
        assert_eq!(status, 200, "{line}: {told}");
        serde_json::from_str(&told).expect("JSON")
    }
}
