//! The bench itself: failures are found, reported and reproducible.

use crate::{Failed, Kind, Outcome, Scenario, Stage, Verdict, play_all, play_one};
use synod_simulator::Failure;

fn fails_from_seed_five(stage: &Stage) -> Result<Outcome, Box<Failed>> {
    if stage.seed < 5 {
        return Ok(Outcome { steps: 1, virtual_us: 2, digest: stage.seed, trace: None, reel: None });
    }
    let options = format!("{:?}", stage.options());
    let failure = Failure { seed: stage.seed, at_us: 7, what: "broken".into(), options, last: Vec::new() };
    Err(Box::new(Failed { failure, trace: None, reel: None }))
}

fn scenario(play: fn(&Stage) -> Result<Outcome, Box<Failed>>) -> Scenario {
    Scenario { module: "m", number: "1", name: "a_claim", kind: Kind::Unreliable(200), seeds: 4, play }
}

#[test]
fn the_lowest_failing_seed_is_reported_with_the_command_that_reproduces_it() {
    let played = play_all(&scenario(fails_from_seed_five), 1, 20, 1, &|| ());
    let Verdict::Failed(report) = played.verdict else { panic!("it fails from seed 5 on") };
    assert!(report.contains("seed 5 failed after 0.007 ms: broken"), "{report}");
    assert!(report.contains("loss_permille: 200"), "{report}");
    assert!(report.contains("test --module m --test a_claim --seed 5"), "{report}");
    assert_eq!((played.seeds, played.steps, played.virtual_us), (4, 4, 8));
}

#[test]
fn what_holds_under_every_seed_held() {
    assert_eq!(play_all(&scenario(fails_from_seed_five), 1, 4, 2, &|| ()).verdict, Verdict::Held);
}

#[test]
fn a_play_that_panics_fails() {
    let failed = play_one(&scenario(|_| panic!("oh {}", 3)), 9, false).unwrap_err();
    assert_eq!((failed.failure.seed, failed.failure.what.as_str()), (9, "the play panicked: oh 3"));
}

#[test]
fn the_weather_changes_with_the_seed_and_only_with_it() {
    let stage = |seed| Stage { seed, kind: Kind::Run, record: false }.options();
    assert_eq!(stage(1), stage(1));
    assert!((2..20).any(|seed| stage(seed) != stage(1)));
}
