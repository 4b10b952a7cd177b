//! A real browser, driven over its DevTools protocol.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

/// A page waits for what a person would wait for; a test that waits longer has found that it never comes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page. It ends with the test.
pub struct Browser {
    child: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    next: u64,
    /// What the page complained about: exceptions, refused requests, policies.
    pub complaints: Vec<String>,
    _profile: tempfile::TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    /// Opens a page in a window of this size.
    pub fn open(address: &str, (width, height): (u32, u32), is_dark: bool) -> Browser {
        let profile = tempfile::tempdir().expect("a directory");
        let mut child = Command::new("chromium")
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-extensions",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("chromium is installed: .ci/run does it");
        let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let told = lines.find_map(|line| Some(line.ok()?.strip_prefix("DevTools listening on ")?.to_owned()));
        // What it says later is read and thrown away, so that it never waits for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        let (socket, _) = tungstenite::connect(told.expect("it tells where it listens")).expect("it listens");
        let mut browser = Browser {
            child,
            socket,
            session: String::new(),
            next: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser.command("Target.createTarget", &json!({"url": "about:blank"}));
        let target = target["targetId"].as_str().expect("a page").to_owned();
        let attached =
            browser.command("Target.attachToTarget", &json!({"targetId": target, "flatten": true}));
        attached["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        for domain in ["Page", "Runtime", "Log"] {
            browser.command(&format!("{domain}.enable"), &json!({}));
        }
        browser.look(width, height, is_dark);
        browser.visit(address);
        browser
    }

    /// The window's size and the system's colours.
    pub fn look(&mut self, width: u32, height: u32, is_dark: bool) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", &features);
    }

    /// Goes to a page of the debugger and waits until it is there.
    pub fn visit(&mut self, address: &str) {
        // From another page, so that it is loaded anew and not only scrolled.
        self.command("Page.navigate", &json!({"url": "about:blank"}));
        self.wait("location.href === 'about:blank'", "the page before is gone");
        self.command("Page.navigate", &json!({"url": address}));
        let shown =
            "document.documentElement?.dataset.ready === 'true' && document.documentElement.dataset.focus";
        self.wait(shown, "the page is ready and shows a moment");
    }

    /// Sends a command, and reads until its answer comes.
    pub fn command(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let mut told = json!({"id": self.next, "method": method, "params": params});
        if !self.session.is_empty() {
            told["sessionId"] = json!(self.session);
        }
        self.socket.send(Message::text(told.to_string())).expect("the browser listens");
        loop {
            let message = self.socket.read().expect("the browser answers");
            let Ok(text) = message.to_text() else { continue };
            let Ok(value) = serde_json::from_str::<Value>(text) else { continue };
            if value["id"] == self.next {
                assert!(value["error"].is_null(), "{method}: {}", value["error"]);
                return value["result"].clone();
            }
            self.hear(&value);
        }
    }

    fn hear(&mut self, event: &Value) {
        let params = &event["params"];
        let complaint = match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => &params["exceptionDetails"],
            Some("Log.entryAdded") if params["entry"]["level"] == "error" => &params["entry"],
            _ => return,
        };
        // What the server refuses is told to the person who asked.
        if complaint["text"].as_str().is_some_and(|text| text.contains("status of 400")) {
            return;
        }
        self.complaints.push(complaint.to_string());
    }

    /// What an expression comes to in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let told = self.command("Runtime.evaluate", &params);
        assert!(told["exceptionDetails"].is_null(), "{expression}: {}", told["exceptionDetails"]);
        told["result"]["value"].clone()
    }

    /// Waits until an expression holds.
    pub fn wait(&mut self, expression: &str, what: &str) {
        let begin = Instant::now();
        // Between two pages there is none that could be asked.
        let expression = format!("(() => {{ try {{ return {expression}; }} catch {{ return false; }} }})()");
        while self.evaluate(&format!("Boolean({expression})")) != json!(true) {
            let toast = "['toast', 'job-progress', 'predicate-error'].map(id => document.querySelector(`[data-testid=${id}]`)?.textContent ?? '')";
            assert!(
                begin.elapsed() < PATIENCE,
                "{what}: it never is so; the page says {}; complaints {:?}",
                self.evaluate(toast),
                self.complaints
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until what has this test id is seen.
    pub fn wait_seen(&mut self, id: &str) {
        self.wait(&format!("{}.checkVisibility()", found(id)), &format!("{id} is seen"));
    }

    /// Waits until the text of what has this test id is this one.
    pub fn wait_text(&mut self, id: &str, text: &str) {
        self.wait(&format!("{}.textContent === {}", found(id), json!(text)), &format!("{id} says {text}"));
    }

    /// Waits until the text of what has this test id has this in it.
    pub fn wait_words(&mut self, id: &str, words: &str) {
        self.wait(
            &format!("{}.textContent.includes({})", found(id), json!(words)),
            &format!("{id} says {words}"),
        );
    }

    /// Waits until the panes show a moment.
    pub fn wait_focus(&mut self, moment: u64) {
        let shown = format!("document.documentElement.dataset.focus === '{moment}'");
        self.wait(&shown, &format!("moment {moment} is shown"));
    }

    /// Goes to a moment by its number.
    pub fn go_to(&mut self, moment: u64) {
        self.write("goto", &moment.to_string());
        self.press("Enter");
        self.wait_focus(moment);
    }

    /// Waits until something with this test id is there and can be used, and clicks it.
    pub fn click(&mut self, id: &str) {
        let found = found(id);
        let usable = format!(
            "{found} && {found}.getAttribute('aria-disabled') !== 'true' && {found}.checkVisibility()"
        );
        self.wait(&usable, &format!("{id} can be clicked"));
        self.evaluate(&format!("{found}.scrollIntoView({{block: 'nearest'}})"));
        let place = self.evaluate(&format!(
            "(() => {{ const box = {found}.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        ));
        self.click_at(place[0].as_f64().expect("a place"), place[1].as_f64().expect("a place"));
    }

    /// Clicks a place of the window.
    pub fn click_at(&mut self, x: f64, y: f64) {
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1});
            self.command("Input.dispatchMouseEvent", &event);
        }
    }

    /// Replaces the text of a field.
    pub fn write(&mut self, id: &str, text: &str) {
        let found = found(id);
        self.wait(&format!("{found} && {found}.checkVisibility()"), &format!("{id} is there"));
        self.evaluate(&format!("{found}.focus(); {found}.select()"));
        self.command("Input.insertText", &json!({"text": text}));
    }

    /// Chooses what is called so from a list.
    pub fn choose(&mut self, id: &str, words: &str) {
        let chosen = self.evaluate(&format!(
            "(select => {{ select.selectedIndex = [...select.options].findIndex(option => option.textContent === {});
                select.dispatchEvent(new Event('change')); return select.selectedIndex; }})({})",
            json!(words),
            found(id)
        ));
        assert!(chosen.as_i64() >= Some(0), "{id} has no {words}");
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        let text = match key {
            "Enter" => "\r",
            key if key.chars().count() == 1 => key,
            _ => "",
        };
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowDown" => 40,
            "ArrowUp" => 38,
            _ => 0,
        };
        let event =
            |kind: &str| json!({"type": kind, "key": key, "text": text, "windowsVirtualKeyCode": code});
        self.command("Input.dispatchKeyEvent", &event("keyDown"));
        self.command("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key}));
    }

    /// The text of what has this test id, once it is there.
    pub fn text(&mut self, id: &str) -> String {
        let found = found(id);
        self.wait(&format!("{found} !== null"), &format!("{id} is there"));
        self.evaluate(&format!("{found}.textContent")).as_str().unwrap_or_default().to_owned()
    }

    /// The moment that the panes show.
    pub fn focus(&mut self) -> u64 {
        let told = self.evaluate("document.documentElement.dataset.focus ?? ''");
        told.as_str().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
    }

    /// Waits until the panes show another moment than this one, and returns it.
    pub fn focus_after(&mut self, before: u64) -> u64 {
        self.wait(
            &format!("document.documentElement.dataset.focus !== '{before}'"),
            "another moment is shown",
        );
        self.focus()
    }

    /// Writes what the window shows to a file.
    pub fn screenshot(&mut self, file: &Path) {
        use std::io::Write as _;
        // Two frames, so that what was changed last is painted.
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))");
        let shot = self.command("Page.captureScreenshot", &json!({"format": "png"}));
        let text = shot["data"].as_str().expect("a picture");
        let bytes = data_encoding::BASE64.decode(text.as_bytes()).expect("base64");
        std::fs::File::create(file).and_then(|mut file| file.write_all(&bytes)).expect("it can be written");
    }
}

/// The element with this test id, as an expression.
fn found(id: &str) -> String {
    format!("document.querySelector('[data-testid=\"{id}\"]')")
}
