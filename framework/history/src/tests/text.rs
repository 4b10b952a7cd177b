//! Logs as text.

use crate::{Fault, Parsed, Verdict, check_history_text, parse};

fn verdict(text: &str) -> Verdict {
    check_history_text(text).unwrap_or_else(|error| panic!("{error}"))
}

fn fault(text: &str) -> (usize, Fault) {
    let error = parse(text).expect_err("the text is wrong");
    (error.line, error.fault)
}

#[test]
fn lines_of_a_jepsen_log_are_a_register() {
    let text = "\
2015-01-01 INFO  jepsen.core - Worker 3 starting
INFO  jepsen.util - 3\t:invoke\t:write\t2
INFO  jepsen.util - 3\t:ok\t:write\t2
INFO  jepsen.util - 1 :invoke :cas [2 1]
INFO  jepsen.util - :nemesis :info :start \"Cut off {n1\"
INFO  jepsen.util - 4 :invoke :read nil
INFO  jepsen.util - 1 :ok :cas [2 1]
INFO  jepsen.util - 4 :ok :read 1
INFO  jepsen.util - 4 :invoke :read nil
INFO  jepsen.util - 4 :fail :read :timed-out
INFO  jepsen.util - 4 :invoke :write 9
INFO  jepsen.util - 4 :info :write :timed-out
INFO  jepsen.util - 5 :invoke :read nil
INFO  jepsen.util - 5 :ok :read 9
";
    assert!(matches!(parse(text), Ok(Parsed::Register(history)) if history.len() == 6));
    assert_eq!(verdict(text).to_string(), "linearizable: 6 operations");
    assert!(!verdict(&text.replace(":ok :read 1", ":ok :read nil")).is_linearizable());
    assert!(verdict(&text.replace(":ok :read 9", ":ok :read 1")).is_linearizable());
}

#[test]
fn maps_stand_one_a_line_or_in_one_vector() {
    let maps = "{:process 0, :type :invoke, :f :write, :value 2, :time 1000, :index 0}
        ; a comment
        #jepsen.history.Op{:process 0 :type :ok :f :write :value 2 :time 2500000 :extra {:a [1 #{2}]}}
        {:process :nemesis, :type :info, :f :start, :value \"[\"}
        {:process 1, :type :invoke, :f :read, :value nil}
        {:process 1, :type :ok, :f :read, :value nil}";
    let stale = verdict(maps);
    assert!(!stale.is_linearizable());
    assert!(stale.to_string().contains("2500us"), "{stale}");
    assert_eq!(verdict(&format!("[{maps}]")), stale);
    assert_eq!(verdict(&format!("({maps}\n)")), stale);
    assert!(verdict(&maps.replace(":f :read, :value nil}", ":f :read, :value 2}")).is_linearizable());
}

#[test]
fn a_store_has_keys() {
    let text = r#"{:process 0, :type :invoke, :f :put, :key "6", :value "x"}
{:process 1, :type :invoke, :f :get, :key "6", :value nil}
{:process 0, :type :ok, :f :put, :key "6", :value "x"}
{:process 1, :type :ok, :f :get, :key "6", :value ""}
{:process 0, :type :invoke, :f :append, :key "6", :value "\"y"}
{:process 0, :type :ok, :f :append, :key "6", :value "\"y"}
{:process 1, :type :invoke, :f :get, :key "6", :value nil}
{:process 1, :type :ok, :f :get, :key "6", :value "x\"y"}
{:process 1, :type :invoke, :f :get, :key "7", :value nil}
{:process 1, :type :ok, :f :get, :key "7", :value ""}"#;
    assert_eq!(verdict(text).to_string(), "linearizable: 5 operations on 2 keys");
    assert!(!verdict(&text.replace(r#""x\"y"}"#, r#""x"}"#)).is_linearizable());
}

#[test]
fn independent_keys_and_counters_are_understood() {
    let pairs = "{:process 0 :type :invoke :f :write :value [k 1]}
        {:process 0 :type :ok :f :write :value [k 1]}
        {:process 0 :type :invoke :f :cas :value [k [1 2]]}
        {:process 0 :type :ok :f :cas :value [k [1 2]]}
        {:process 0 :type :invoke :f :read :value #jepsen.independent/tuple [j nil]}
        {:process 0 :type :ok :f :read :value [j nil]}";
    assert_eq!(verdict(pairs).to_string(), "linearizable: 3 operations on 2 keys");
    let counter = "{:process 0 :type :invoke :f :incr :key n}
        {:process 0 :type :ok :f :incr :key n :value 1}
        {:process 0 :type :invoke :f :del :key n}
        {:process 0 :type :ok :f :del :key n :value 1}
        {:process 0 :type :invoke :f :incr :key n :value 5}
        {:process 0 :type :ok :f :incr :key n :value 5}";
    assert!(verdict(counter).is_linearizable());
    assert!(
        !verdict(&counter.replace(":value 5}", ":value 6}").replacen(":value 6}", ":value 5}", 1))
            .is_linearizable()
    );
}

#[test]
fn every_fault_names_its_line() {
    let good = "{:process 0, :type :invoke, :f :write, :value 1}\n";
    assert_eq!(fault(""), (1, Fault::Empty));
    assert_eq!(fault("; nothing\n"), (1, Fault::Empty));
    assert_eq!(fault(&format!("{good}hello\n")), (2, Fault::NotAnOperation));
    assert_eq!(fault(&format!("{good}INFO  jepsen.util - hello\n")), (2, Fault::NotAnOperation));
    assert_eq!(fault(&format!("{good}{{:process 1, :type\n")), (3, Fault::CutShort));
    assert_eq!(fault(&format!("[{good}")), (2, Fault::CutShort));
    assert_eq!(fault(&format!("[{good} 7]")), (2, Fault::Stray('7')));
    assert_eq!(fault(&format!("{good}{{:process 1 :type}}")), (2, Fault::OddMap));
    assert_eq!(fault(&format!("{good}{}", "[".repeat(3))), (2, Fault::Stray('[')));
    assert_eq!(fault(&format!("{{:a {}", "[".repeat(100_000))), (1, Fault::TooDeep));
    assert_eq!(fault("{:type :ok, :f :read}"), (1, Fault::Missing(":process")));
    assert_eq!(fault("{:process 1, :f :read}"), (1, Fault::Missing(":type")));
    assert_eq!(fault("INFO jepsen.util - 1 :invoke"), (1, Fault::Missing(":f")));
    assert_eq!(fault("{:process 1, :type :done, :f :read}"), (1, Fault::UnknownType(":done".to_owned())));
    assert_eq!(
        fault("\n{:process 1, :type :invoke, :f :enqueue}"),
        (2, Fault::UnknownFunction(":enqueue".to_owned()))
    );
    assert_eq!(fault("{:process -1, :type :invoke, :f :read}"), (1, Fault::BadProcess("-1".to_owned())));
    assert_eq!(fault("INFO jepsen.util - 1 :invoke :cas [2]"), (1, Fault::BadValue("a pair [old new]")));
    assert_eq!(fault("{:process 1, :type :invoke, :f :write}"), (1, Fault::BadValue("the value to write")));
    assert_eq!(fault(&format!("{good}{good}")), (2, Fault::Busy(0)));
    assert_eq!(fault("INFO jepsen.util - 1 :ok :read 1"), (1, Fault::NothingInvoked(1)));
    assert_eq!(
        fault(&format!("{good}{{:process 0 :type :ok :f :read :value 1}}")),
        (2, Fault::NothingInvoked(0))
    );
    assert_eq!(
        check_history_text("{:process x}").unwrap_err().to_string(),
        "line 1: process x is no whole number from 0: number it"
    );
}

#[test]
fn no_cut_or_changed_byte_panics() {
    let text = "[#tag{:process 0, :type :invoke, :f :put, :key \"a\\n\", :value [1 nil]}\n\
        INFO  jepsen.util - 3\t:invoke\t:cas\t[2 1]\n]";
    for at in 0..text.len() {
        let _ = parse(&text[..at]);
        for byte in [b'"', b'{', b']', b':', b'\n', b'#', b'\\', b';'] {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = byte;
            let _ = parse(std::str::from_utf8(&changed).unwrap());
        }
    }
}

#[test]
fn a_number_is_not_its_text_in_a_register_and_is_in_a_store() {
    let register = |read: &str| {
        format!(
            "{{:process 0 :type :invoke :f :write :value 1}} {{:process 0 :type :ok :f :write :value 1}}\n\
             {{:process 0 :type :invoke :f :read :value nil}} {{:process 0 :type :ok :f :read :value {read}}}"
        )
    };
    assert!(verdict(&register("1")).is_linearizable());
    assert!(!verdict(&register("\"1\"")).is_linearizable());
    let store = register("\"1\"").replace(":f :", ":key \"k\" :f :");
    assert!(verdict(&store).is_linearizable());
}

#[test]
fn an_end_names_what_was_invoked_or_nothing() {
    let ends = [
        ("{:f :write :value 1}", "{:f :write :value 2}", false),
        ("{:f :write :value 1}", "{:f :write :value nil}", true),
        ("{:f :write :value 1}", "{:f :write :value 1}", true),
        ("{:f :cas :value [1 2]}", "{:f :cas :value [1 3]}", false),
        ("{:f :cas :value [1 2]}", "{:f :cas :value [1 2]}", true),
        ("{:f :write :value [x 1]}", "{:f :write :value [y 1]}", false),
        ("{:f :read :value [x nil]}", "{:f :read :value [y nil]}", false),
        ("{:f :read :value [x nil]}", "{:f :read :value [x nil]}", true),
    ];
    for (invoked, ended, fits) in ends {
        let event = |event: &str, kind: &str| event.replacen('{', &format!("{{:process 4 :type :{kind} "), 1);
        let text = format!("{}\n{}", event(invoked, "invoke"), event(ended, "ok"));
        match parse(&text) {
            Ok(_) => assert!(fits, "{text}"),
            Err(error) => assert!(!fits && error.fault == Fault::OtherValue(4), "{text}: {error}"),
        }
    }
}
