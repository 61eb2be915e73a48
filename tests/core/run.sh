#!/bin/sh
# run.sh directory...: lint, then every program of every directory, JOBS at a time; `core: N passed, N failed` over all of
# them. A program that ends without its line, or not well, is one failure more.
cd "$(dirname "$0")" || exit 2
export OMP_WAIT_POLICY=passive UBSAN_OPTIONS=print_stacktrace=1
# what a program said, how it ended, how long it took
if [ "$1" = --one ]; then
    begun=$(date +%s)
    if [ "$3" = lint ]; then sh lint.sh; else "$3"; fi >"$2/said-$4" 2>&1
    echo "$? $(($(date +%s) - begun))" >"$2/ended-$4"
    exit 0
fi
logs=$(mktemp -d) || exit 2
trap 'rm -rf "$logs"' EXIT
passed=0 failed=0 slowest=

n=0
list() { n=$((n + 1)); echo "$1 $n"; }
{
    list lint
    for dir in "$@"; do for src in test_*.c fuzz_*.c; do list "$dir/${src%.c}"; done; done
} >"$logs/list"
xargs -n 2 -P "${JOBS:-$(nproc 2>/dev/null || echo 2)}" sh run.sh --one "$logs" <"$logs/list"

was=0 bad=0 in=
told() { [ -z "$in" ] || echo "${in#build/}: $((passed - was)) passed, $((failed - bad)) failed"; was=$passed bad=$failed in=$1; }
while read -r program k; do
    case $program in lint) dir=lint ;; *) dir=${program%/*} ;; esac
    [ "$dir" = "$in" ] || told "$dir"
    status=99 took=0
    [ ! -e "$logs/ended-$k" ] || read -r status took <"$logs/ended-$k"
    line=$(sed -n 's/^[a-z_]*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$logs/said-$k" | tail -n 1)
    # shellcheck disable=SC2086
    set -- $line
    if [ $# -ne 2 ]; then set -- 0 1; elif [ "$status" -ne 0 ] && [ "$2" -eq 0 ]; then set -- "$1" 1; fi
    if [ "$2" -ne 0 ]; then cat "$logs/said-$k"; echo "$program: status $status"; fi
    passed=$((passed + $1)) failed=$((failed + $2))
    [ "$took" -lt 10 ] || slowest="$slowest ${program#build/} $took s,"
done <"$logs/list"
told ""
[ -z "$slowest" ] || echo "ten seconds and more:${slowest%,}"
echo "core: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
