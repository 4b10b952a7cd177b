//! Every row of the protocol page's table of bad input, over a live socket: the answer, whether the connection closes,
//! and that the server goes on serving others.

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use cluster::Cluster;
use std::net::SocketAddr;
use std::time::Duration;
use support::{Client, Running};
use synod_resp::{Reply, write_request};
use synod_stdx::Rng;
use synod_store::{Password, Settings};
use synod_synod::server::Limits;

/// A wait that is long enough for an answer and short enough for a table.
const PATIENCE: Duration = Duration::from_millis(300);

/// Sends `input`; the server must answer exactly `answer`, and close if `closes`.
fn check(server: SocketAddr, input: &[u8], (answer, closes): (&str, bool)) {
    let mut client = Client::connect(server);
    client.send(input);
    let (bytes, closed) = client.everything(if closes { Duration::from_secs(10) } else { PATIENCE });
    let shown = format!("{}", input[..input.len().min(60)].escape_ascii());
    assert_eq!(String::from_utf8_lossy(&bytes), answer, "the answer to {shown}");
    assert_eq!(closed, closes, "whether {shown} closes");
    let pong = Client::connect(server).ask(&["PING"]);
    assert_eq!(pong, Reply::simple("PONG"), "others are served after {shown}");
}

#[test]
fn every_row_of_bad_input_is_answered_as_written() {
    check_rows(Running::start().address);
}

#[test]
fn every_row_of_bad_input_is_answered_so_by_a_node_of_a_cluster() {
    let mut cluster = Cluster::start(3);
    let node = cluster.follower();
    let address = cluster.client_address(node);
    check_rows(address);
    let mut announcers: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
    for client in &mut announcers {
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n");
        client.send(&[b'x'; 100_000]);
    }
    send_noise(address);
    let process = cluster.node(node).process.as_ref().expect("it runs");
    let peak = status_bytes(&process.id().to_string(), "VmHWM:");
    assert!(peak < 200 << 20, "{peak} bytes");
    drop(announcers);
}

fn check_rows(server: SocketAddr) {
    let long_inline = vec![b'x'; 70_000];
    let long_count = [b"*".as_slice(), &[b'1'; 70_000]].concat();
    let protocol_error = |what: &str| format!("-ERR Protocol error: {what}\r\n");
    let closing: &[(&[u8], &str)] = &[
        (b"set \"k\r\n", "unbalanced quotes in request"),
        (&long_inline, "too big inline request"),
        (b"*-2\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*01\r\n", "invalid multibulk length"),
        (&long_count, "too big mbulk count string"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$-2\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$abc\r\n", "invalid bulk length"),
        (b"*1\r\n:4\r\n", "expected '$', got ':'"),
        (b"*1\r\n*1\r\n", "expected '$', got '*'"),
        (b"*1\r\n$3\r\nPING\r\n", "bulk is not followed by CRLF, its length is wrong"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "this port does not speak TLS, connect without it"),
    ];
    for (input, what) in closing {
        check(server, input, (&protocol_error(what), true));
    }
    let silent: &[&[u8]] =
        &[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /x HTTP/1.1\r\n\r\n", b"*1\r\n$4\r\nPOST\r\n"];
    for input in silent {
        check(server, input, ("", true));
    }
    let open: &[(&[u8], &str)] = &[
        (b"PING\r\n", "+PONG\r\n"),
        (b"PING\n", "+PONG\r\n"),
        (b"\r\n\n", ""),
        (b"*0\r\n*-1\r\nPING\r\n", "+PONG\r\n"),
        (b"*1\r\n$8\r\nFO\r\nOB!!\r\n", "-ERR unknown command 'FO  OB!!', with args beginning with: \r\n"),
        (b"GET\r\n", "-ERR wrong number of arguments for 'get' command\r\n"),
        (b"SET k v EX 0\r\n", "-ERR invalid expire time in 'set' command\r\n"),
        (b"SET k v FOO\r\n", "-ERR syntax error\r\n"),
        (b"SETRANGE k 600000000 x\r\n", "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n"),
        (b"SET \"\\x00\\xff\" \"\\r\\n\"\r\nGET \"\\x00\\xff\"\r\n", "+OK\r\n$2\r\n\r\n\r\n"),
        (b"SET \"\" x\r\nGET \"\"\r\n", "+OK\r\n$1\r\nx\r\n"),
        (b"HELLO 9\r\n", "-NOPROTO unsupported protocol version\r\n"),
    ];
    for (input, answer) in open {
        check(server, input, (answer, false));
    }
    check(server, b"QUIT\r\nPING\r\n", ("+OK\r\n", true));
}

#[test]
fn requests_may_come_byte_by_byte_and_end_with_half_a_close() {
    let server = Running::start();
    let mut client = server.connect();
    for byte in b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n" {
        client.send(&[*byte]);
    }
    assert_eq!(client.reply(), Some(Reply::bulk("hi")));
    for (input, answer) in [("PING\r\n", "+PONG\r\n"), ("PING\r\n*1\r\n$4\r\nPI", "+PONG\r\n")] {
        let mut client = server.connect();
        client.send(input.as_bytes());
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(client.everything(Duration::from_secs(10)), (answer.as_bytes().to_vec(), true));
    }
}

#[test]
fn without_the_password_little_is_taken_and_wrong_guesses_take_time() {
    let settings = Settings { password: Some(Password::new("secret")), ..Settings::default() };
    let limits = Limits { password_delay_ms_max: 400, ..Limits::default() };
    let server = Running::with(settings, limits);
    let open: &[(&[u8], &str)] = &[
        (b"PING\r\n", "-NOAUTH Authentication required.\r\n"),
        (b"GET k\r\n", "-NOAUTH Authentication required.\r\n"),
        (b"AUTH secret\r\nPING\r\n", "+OK\r\n+PONG\r\n"),
    ];
    for (input, answer) in open {
        let mut client = server.connect();
        client.send(input);
        assert_eq!(String::from_utf8(client.everything(PATIENCE).0).unwrap(), *answer);
    }
    for (input, what) in [
        (b"*11\r\n".as_slice(), "unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
    ] {
        let mut client = server.connect();
        client.send(input);
        let expected = format!("-ERR Protocol error: {what}\r\n");
        assert_eq!(client.everything(Duration::from_secs(10)), (expected.into_bytes(), true));
    }
    let started = std::time::Instant::now();
    let mut client = server.connect();
    for _ in 0..3 {
        assert!(format!("{:?}", client.ask(&["AUTH", "guess"])).starts_with("-WRONGPASS"));
    }
    assert!(started.elapsed() > Duration::from_millis(500), "{:?}", started.elapsed());
    // The limits of an authenticated client hold afterwards.
    assert_eq!(client.ask(&["AUTH", "secret"]), Reply::OK);
    assert_eq!(client.ask(&["SET", "k", &"v".repeat(100_000)]), Reply::OK);
}

#[test]
fn a_request_that_never_ends_is_ended() {
    let limits = Limits { request_ms_max: 300, ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let (mut idle, mut begun) = (server.connect(), server.connect());
    begun.send(b"*2\r\n$3\r\nGET\r\n");
    assert_eq!(begun.everything(Duration::from_secs(10)), (Vec::new(), true));
    assert_eq!(idle.ask(&["PING"]), Reply::simple("PONG"), "who has begun nothing may wait");
}

#[test]
fn clients_over_the_limit_are_refused_and_places_come_back() {
    let limits = Limits { clients_max: 3, ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let mut clients: Vec<Client> = (0..3).map(|_| server.connect()).collect();
    assert!(clients.iter_mut().all(|client| client.ask(&["PING"]) == Reply::simple("PONG")));
    let mut refused = server.connect();
    assert_eq!(refused.reply(), Some(Reply::error("ERR max number of clients reached")));
    assert_eq!(refused.reply(), None);
    clients.pop();
    // The server sees the close a moment later.
    let is_admitted = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        let mut client = server.connect();
        client.send(b"PING\r\n");
        client.reply() == Some(Reply::simple("PONG"))
    });
    assert!(is_admitted);
}

#[test]
fn a_million_pings_in_a_row_are_answered_in_order_beside_others() {
    let server = Running::start();
    let mut flood = server.connect();
    let mut writer = flood.stream.try_clone().unwrap();
    let count = 1_000_000;
    let sender = std::thread::spawn(move || {
        use std::io::Write as _;
        let batch = b"PING\r\n".repeat(10_000);
        for _ in 0..count / 10_000 {
            writer.write_all(&batch).unwrap();
        }
        writer.write_all(b"ECHO end\r\n").unwrap();
    });
    let mut other = server.connect();
    for index in 0..200 {
        assert_eq!(other.ask(&["INCR", "n"]), Reply::Integer(index + 1));
    }
    let mut pongs = 0;
    loop {
        match flood.reply() {
            Some(Reply::Simple(_)) => pongs += 1,
            last => {
                assert_eq!(last, Some(Reply::bulk("end")));
                break;
            }
        }
    }
    assert_eq!(pongs, count);
    sender.join().unwrap();
}

#[test]
fn a_client_that_asks_for_much_and_never_reads_costs_bounded_memory() {
    let limits = Limits { output_bytes_max: 8 << 20, output_stall_ms: 1_000, ..Limits::default() };
    let server = Running::with(Settings::default(), limits);
    let mut client = server.connect();
    let value = "v".repeat(1 << 20);
    assert_eq!(client.ask(&["SET", "big", &value]), Reply::OK);
    let mut request = Vec::new();
    write_request(&mut request, &["GET", "big"]);
    // More replies than may wait behind the one in front cut their connection off.
    client.send(&request.repeat(100));
    std::thread::sleep(Duration::from_millis(500));
    assert!(client.everything(Duration::from_secs(10)).1);
    // So does taking nothing of what is within it.
    let mut silent = server.connect();
    (0..6).for_each(|_| silent.send(&request));
    let mut watcher = server.connect();
    let is_cut_off = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        let Reply::Bulk(info) = watcher.ask(&["INFO", "stats"]) else { panic!() };
        String::from_utf8_lossy(&info).contains("client_output_buffer_limit_disconnections:2\r\n")
    });
    assert!(is_cut_off);
    assert!(peak_memory_bytes() < 400 << 20, "{} bytes", peak_memory_bytes());
}

#[test]
fn announced_lengths_take_no_memory_and_large_values_are_skipped() {
    let server = Running::start();
    let before = memory_bytes();
    let mut announcers: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    for client in &mut announcers {
        client.send(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\n");
        client.send(&[b'x'; 100_000]);
    }
    let mut client = server.connect();
    let too_long = "v".repeat((16 << 20) + 1);
    let reply = client.ask(&["SET", "k", &too_long]);
    let text = "-ERR a string of 16777217 bytes is longer than this server's limit of 16777216 bytes";
    assert_eq!(format!("{reply:?}"), text);
    assert_eq!(client.ask(&["GET", "k"]), Reply::Null, "the connection goes on");
    assert_eq!(client.ask(&["SET", "k", &too_long[1..]]), Reply::OK);
    let reply = client.ask(&["SET", &"k".repeat((64 << 10) + 1), "v"]);
    let text = "-ERR a key of 65537 bytes is longer than this server's limit of 65536 bytes";
    assert_eq!(format!("{reply:?}"), text);
    assert!(memory_bytes() < before + (300 << 20), "{} bytes", memory_bytes());
}

#[test]
fn random_bytes_harm_nobody() {
    send_noise(Running::start().address);
}

fn send_noise(server: SocketAddr) {
    let mut rng = Rng::new(11);
    let pieces: &[&[u8]] = &[
        b"*3\r\n",
        b"$3\r\n",
        b"SET",
        b"\r\n",
        b"\x00\xff",
        b"GET k\r\n",
        b"\"",
        b"$-1",
        b"*1048576\r\n",
        b" ",
    ];
    for round in 0..300 {
        let mut client = Client::connect(server);
        let mut noise = Vec::new();
        for _ in 0..rng.below(30) {
            if rng.chance(700) {
                noise.extend_from_slice(rng.pick(pieces).unwrap());
            } else {
                noise.extend_from_slice(&rng.next_u64().to_le_bytes());
            }
        }
        use std::io::Write as _;
        // The server may close before it has read everything.
        let _ = client.stream.write_all(&noise);
        if round % 10 == 0 {
            let pong = Client::connect(server).ask(&["PING"]);
            assert_eq!(pong, Reply::simple("PONG"), "{}", noise.escape_ascii());
        }
    }
}

/// A field of a process's status, in bytes.
fn status_bytes(process: &str, field: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn memory_bytes() -> u64 {
    status_bytes("self", "VmRSS:")
}

fn peak_memory_bytes() -> u64 {
    status_bytes("self", "VmHWM:")
}
