//! The client against a server that does as it is told.

use crate::{Client, Error, Options, Reply};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;
use synod_resp::ReplyParser;

/// What the server does about one request.
#[derive(Clone, Copy)]
enum Act {
    Answer(&'static str),
    /// Takes the request and closes.
    Close,
    /// Takes the request and says nothing.
    Silence,
}
use Act::{Answer, Close, Silence};

/// Plays `acts` for one request after the other, over as many connections as it takes, and returns the requests.
fn play(listener: &TcpListener, acts: &[Act]) -> Vec<String> {
    let mut acts = acts.iter();
    let mut requests = Vec::new();
    while acts.len() > 0 {
        let (stream, _) = listener.accept().unwrap();
        converse(stream, &mut acts, &mut requests);
    }
    requests
}

fn converse(mut stream: TcpStream, acts: &mut std::slice::Iter<'_, Act>, requests: &mut Vec<String>) {
    let (mut parser, mut input) = (ReplyParser::default(), Vec::new());
    let mut piece = [0; 4096];
    while acts.len() > 0 {
        // A request has the form of a reply that is an array.
        let Some(request) = parser.advance(&input).unwrap() else {
            match stream.read(&mut piece) {
                Ok(0) | Err(_) => return,
                Ok(read) => input.extend_from_slice(&piece[..read]),
            }
            continue;
        };
        parser.release_from(&mut input);
        let Reply::Array(words) = request else { panic!("{request:?}") };
        let word = |word: &Reply| match word {
            Reply::Bulk(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => panic!("{other:?}"),
        };
        requests.push(words.iter().map(word).collect::<Vec<_>>().join(" "));
        match acts.next() {
            Some(Answer(text)) => stream.write_all(format!("{text}\r\n").as_bytes()).unwrap(),
            Some(Close) | None => return,
            Some(Silence) => while stream.read(&mut piece).is_ok_and(|read| read > 0) {},
        }
    }
}

fn server(acts: &'static [Act]) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (address, std::thread::spawn(move || play(&listener, acts)))
}

fn options() -> Options {
    Options {
        client: Some(7),
        attempt_max: Duration::from_millis(200),
        patience: Duration::from_secs(5),
        pause_first: Duration::from_millis(1),
        pause_max: Duration::from_millis(10),
        ..Options::default()
    }
}

/// A client of a server that answers the greeting and then plays `acts`; `ask` asks it. Returns what was asked.
fn check(acts: &'static [Act], ask: impl FnOnce(&mut Client)) -> Vec<String> {
    let (address, requests) = server(acts);
    let mut client = Client::connect(&[address], options()).unwrap();
    ask(&mut client);
    drop(client);
    requests.join().unwrap()
}

const PONG: Act = Answer("+PONG");

#[test]
fn commands_are_numbered_from_one() {
    let asked = check(&[PONG, Answer("+OK"), Answer(":5"), Answer(":1"), Answer("$1\r\nv")], |client| {
        client.set(b"k", b"v").unwrap();
        assert_eq!(client.incr(b"n"), Ok(5));
        assert_eq!(client.del(b"k"), Ok(true));
        assert_eq!(client.get(b"k"), Ok(Some(b"v".to_vec())));
        assert_eq!(client.number(), 7);
    });
    assert_eq!(asked, ["PING", "ONCE 7 1 SET k v", "ONCE 7 2 INCR n", "ONCE 7 3 DEL k", "GET k"]);
}

#[test]
fn what_is_not_answered_is_sent_again_under_the_same_number() {
    let acts = &[
        PONG,
        Close,
        Silence,
        Answer("-TRYAGAIN did not happen: busy"),
        Answer("-CLUSTERDOWN did not happen: no leader"),
        Answer("-MAYBE may have happened: no answer in time"),
        Answer("-ERR max number of clients reached"),
        Answer(":1"),
        Answer(":2"),
    ];
    let asked = check(acts, |client| {
        assert_eq!(client.incr(b"n"), Ok(1));
        assert_eq!(client.incr(b"n"), Ok(2));
    });
    assert_eq!(asked[1..8], ["ONCE 7 1 INCR n"; 7].map(str::to_owned));
    assert_eq!(asked[8], "ONCE 7 2 INCR n");
}

#[test]
fn a_node_that_is_away_is_passed_over() {
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (address, requests) = server(&[PONG, Answer(":1")]);
    let mut client = Client::connect(&[away, address, away], options()).unwrap();
    assert_eq!(client.incr(b"n"), Ok(1));
    drop(client);
    assert_eq!(requests.join().unwrap(), ["PING", "ONCE 7 1 INCR n"]);
    assert_eq!(Client::connect(&[], options()).err(), Some(Error::NoAddress));
}

#[test]
fn a_forgotten_client_begins_anew_only_if_nothing_of_the_command_is_out() {
    let acts = &[PONG, Answer(":1"), Answer("-ONCEUNKNOWN may have happened: not known"), Answer(":9")];
    let asked = check(acts, |client| {
        assert_eq!(client.incr(b"n"), Ok(1));
        assert_eq!(client.incr(b"n"), Ok(9));
        assert_ne!(client.number(), 7);
    });
    assert_eq!(asked[2], "ONCE 7 2 INCR n");
    assert!(asked[3].ends_with(" 1 INCR n") && !asked[3].starts_with("ONCE 7 "), "{}", asked[3]);

    let acts =
        &[PONG, Answer(":1"), Close, Answer("-ONCEUNKNOWN may have happened: not known"), Answer(":3")];
    let asked = check(acts, |client| {
        assert_eq!(client.incr(b"n"), Ok(1));
        let error = client.incr(b"n").unwrap_err();
        assert!(matches!(error, Error::MayHaveHappened(_)) && !error.did_not_happen(), "{error}");
        assert_eq!(client.incr(b"n"), Ok(3));
    });
    assert!(asked[4].ends_with(" 1 INCR n") && !asked[4].starts_with("ONCE 7 "), "{}", asked[4]);
}

#[test]
fn a_refused_command_leaves_a_number_that_a_read_settles() {
    let acts = &[PONG, Answer("-ERR value is not an integer or out of range"), Answer(":0"), Answer(":1")];
    let asked = check(acts, |client| {
        let error = client.incr(b"s").unwrap_err();
        assert_eq!(error, Error::Refused("ERR value is not an integer or out of range".to_owned()));
        assert!(error.did_not_happen());
        assert_eq!(client.incr(b"n"), Ok(1));
    });
    assert_eq!(asked, ["PING", "ONCE 7 1 INCR s", "ONCE 7 1 EXISTS ", "ONCE 7 2 INCR n"]);
}

#[test]
fn out_of_time_says_whether_it_may_have_happened() {
    let (address, requests) = server(&[PONG, Silence, Answer(":0"), Answer(":1")]);
    let brief = Options { patience: Duration::from_millis(150), ..options() };
    let mut client = Client::connect(&[address], brief).unwrap();
    let error = client.incr(b"n").unwrap_err();
    assert!(matches!(error, Error::MayHaveHappened(_)), "{error}");
    // The number is taken by a read before anything else is sent: the lost command cannot run after that.
    assert_eq!(client.incr(b"n"), Ok(1));
    let asked = requests.join().unwrap();
    assert_eq!(asked, ["PING", "ONCE 7 1 INCR n", "ONCE 7 1 EXISTS ", "ONCE 7 2 INCR n"]);
    // The server has ended: nothing can be sent, so nothing happened.
    drop(client.query(&[b"PING"]));
    let error = client.incr(b"n").unwrap_err();
    assert!(error.did_not_happen(), "{error}");
}

#[test]
fn connections_authenticate_and_a_wrong_password_is_not_tried_for_long() {
    let (address, requests) = server(&[Answer("+OK"), PONG, Close, Answer("+OK"), Answer(":1")]);
    let with = |password: &str| Options { password: Some(password.into()), ..options() };
    let mut client = Client::connect(&[address], with("secret")).unwrap();
    assert_eq!(client.incr(b"n"), Ok(1));
    drop(client);
    let once = "ONCE 7 1 INCR n";
    assert_eq!(requests.join().unwrap(), ["AUTH secret", "PING", once, "AUTH secret", once]);
    let (address, requests) = server(&[Answer("-WRONGPASS invalid username-password pair")]);
    let error = Client::connect(&[address], with("guess")).unwrap_err();
    assert!(matches!(&error, Error::Refused(words) if words.starts_with("WRONGPASS")), "{error}");
    requests.join().unwrap();
    assert!(!format!("{:?}", with("secret")).contains("secret"));
}

#[test]
fn answers_of_another_kind_are_not_taken_for_good_ones() {
    let acts = &[PONG, Answer("+odd"), Answer("-ONCEGONE happened before"), Answer(":1")];
    check(acts, |client| {
        assert_eq!(client.incr(b"n"), Err(Error::Unexpected(Reply::simple("odd"))));
        assert_eq!(client.incr(b"n"), Err(Error::AnswerIsGone));
        assert_eq!(client.incr(b"n"), Ok(1));
    });
}
