//! What an explanation says, and that it costs little beside the verdict that it explains.

use super::{Mix, legal_store, mutated};
use crate::check::{EXPLANATION, check_explained};
use crate::history::{Call, calls};
use crate::search::{Found, search};
use crate::{Budget, Contradiction, History, KeyValue, KvOp, KvRet, Verdict, check};
use synod_stdx::Rng;

const NOTHING: Budget = Budget { steps_max: 0, memo_bytes_max: 0 };

fn bad(seed: u64, mix: Mix) -> History<KvOp, KvRet> {
    let legal = legal_store(&mut Rng::new(seed), mix);
    mutated(&mut Rng::new(seed + 100), &legal)
}

fn contradiction(verdict: Verdict) -> Option<Box<Contradiction>> {
    match verdict {
        Verdict::NotLinearizable(contradiction) => Some(contradiction),
        Verdict::Linearizable { .. } | Verdict::GaveUp { .. } => None,
    }
}

/// How many answers can be explained one after the other, told by looking at each.
fn explained(calls: &[Call<'_, KvOp, KvRet>]) -> usize {
    let mut ends: Vec<u64> = calls.iter().filter_map(Call::returned).collect();
    ends.sort_unstable();
    let fits = |end: &u64| {
        let mut known: Vec<Call<'_, KvOp, KvRet>> =
            calls.iter().take_while(|call| call.invoked <= *end).copied().collect();
        known.iter_mut().for_each(|call| call.answer = call.answer.filter(|(_, at)| at <= end));
        matches!(search::<KeyValue>(&known, &mut Budget::default()), Found::Order(_))
    };
    ends.iter().take_while(|end| fits(end)).count()
}

#[test]
fn the_first_answer_that_is_wrong_is_found_by_halves() {
    let mix = Mix { clients: 5, operations: 60, unique: false, keys: 1, lost_permille: 10 };
    let (mut found, mut were_cut) = (0, 0);
    for seed in 0..200 {
        let history = bad(seed, mix);
        let Some(whole) = contradiction(check::<KeyValue>(&history, Budget::default())) else { continue };
        found += 1;
        assert!(!whole.is_cut, "seed {seed}");
        assert_eq!(whole.answered_before, explained(&calls(&history)), "seed {seed}: {whole}");
        // The verdict is the same without an explanation, which says so.
        let cut = check_explained::<KeyValue>(&history, Budget::default(), NOTHING);
        let cut = contradiction(cut).expect("it is certain all the same");
        assert!(cut.answered_before <= whole.answered_before, "seed {seed}: {cut}\n{whole}");
        let words = cut.to_string();
        let says = words.contains("was cut short") && words.contains("that one or a later one cannot");
        assert_eq!(cut.is_cut, says, "{words}");
        were_cut += usize::from(cut.is_cut);
    }
    assert!(found > 50 && were_cut > 20, "{found} {were_cut}");
}

/// Fifty clients at once: to say why costs about as much as to say that.
#[test]
fn a_wrong_answer_among_fifty_clients_is_explained_in_few_steps() {
    let mix = Mix { clients: 50, operations: 2_000, unique: false, keys: 4, lost_permille: 0 };
    let history = bad(0, mix);
    let budget = Budget { steps_max: 1_000_000, memo_bytes_max: 8 << 20 };
    let contradiction = contradiction(check::<KeyValue>(&history, budget)).expect("one answer is wrong");
    assert!(!contradiction.is_cut, "{contradiction}");
    const { assert!(EXPLANATION.steps_max <= 300_000 && EXPLANATION.memo_bytes_max <= 64 << 20) };
}
