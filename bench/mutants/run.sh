#!/usr/bin/env bash
# Whether `synod prove` finds mistakes of the product: builds it with one seeded mistake after the other, in a copy of this tree,
# and lets five seeds look for each. Ends with 0 if every mistake is found.
#
#   bench/mutants/run.sh                           # all of them; about an hour on two cores, most of it builds
#   bench/mutants/run.sh stale_leader_reads        # this one
#
# MINUTES (1) and SEEDS (5) say how long and how often each is looked for, WORK (target/mutants) where the copies are.
set -euo pipefail
cd "$(dirname "$0")/../.."
root="$PWD"
work="${WORK:-$root/target/mutants}"
minutes="${MINUTES:-1}"
seeds="${SEEDS:-5}"
patches="$root/bench/mutants"

# Only what a mistake shows itself by; without it a run would find the same, later.
faults_of() {
    case "$1" in
        journal_without_fsync) echo power-loss ;;
        votes_too_early) echo lost-disk,lost-disk-behind ;;
        *) echo all ;;
    esac
}

cargo build -p synod-synod
synod="$root/target/debug/synod"
if [ "$#" -eq 0 ]; then
    for patch in "$patches"/*.patch; do set -- "$@" "$(basename "$patch" .patch)"; done
fi
mkdir -p "$work/tree"
missed=0
for mutant in "$@"; do
    # The copy is the tree as it is, without what git ignores, with the times that files have here, so that cargo builds only what differs.
    git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --create --file=- | tar --extract --directory="$work/tree" --file=-
    # Restored files have their old times, and cargo must build them again.
    (cd "$work/tree" && sed -n 's,^+++ b/,,p' "$patches"/*.patch | xargs touch)
    patch --quiet --strip=1 --directory="$work/tree" <"$patches/$mutant.patch"
    (cd "$work/tree" && CARGO_TARGET_DIR="$work/target" cargo build --quiet -p synod-synod)
    cp "$work/target/debug/synod" "$work/$mutant"
    found=
    for seed in $(seq 1 "$seeds"); do
        code=0
        "$synod" prove --program "$work/$mutant" --seed "$seed" --minutes "$minutes" --faults "$(faults_of "$mutant")" \
            --page "$work/$mutant-$seed.html" >"$work/$mutant-$seed.txt" || code=$?
        if [ "$code" -eq 1 ]; then
            found="$seed"
            break
        fi
    done
    if [ -n "$found" ]; then
        echo "$mutant: found by seed $found: $(grep -m1 -A2 '^VIOLATED' "$work/$mutant-$found.txt" | tail -2 | tr '\n' ' ')"
    else
        echo "$mutant: NOT FOUND by $seeds seeds"
        missed=1
    fi
done
exit "$missed"
