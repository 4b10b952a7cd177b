//! Reads the workspace and objects to what breaks a rule of the house.

mod arrows;
mod exceptions;
mod house;
mod rust;
mod sources;

use house::House;

/// Fails with every objection that no exception covers, and with every exception that covers nothing.
fn assert_tidy(rule: &str, objections: &[Objection]) {
    let mut complaints = Vec::new();
    let granted: Vec<_> = exceptions::GRANTED.iter().filter(|granted| granted.rule == rule).collect();
    for Objection { place, what } in objections {
        if !granted.iter().any(|granted| granted.place == place) {
            complaints.push(format!("{place}: {what}"));
        }
    }
    for granted in granted {
        if !objections.iter().any(|objection| objection.place == granted.place) {
            complaints.push(format!("{}: needs its exception no more: delete it", granted.place));
        }
    }
    assert!(complaints.is_empty(), "{rule}:\n{}", complaints.join("\n"));
}

/// What breaks a rule, and where: a path from the root, or a name.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Objection {
    place: String,
    what: String,
}

fn objection(place: impl Into<String>, what: impl Into<String>) -> Objection {
    Objection { place: place.into(), what: what.into() }
}

#[test]
fn the_house_is_found() {
    let house = House::read();
    for name in ["stdx", "node", "world", "simulator", "paxos", "synod"] {
        assert!(house.crates.iter().any(|member| member.name == name), "no crate {name}");
    }
    assert!(house.crates.iter().all(|member| !member.files.is_empty()), "a crate without sources");
}
