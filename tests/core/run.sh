#!/bin/sh
# run.sh directory...: lint, then every program of every directory; `core: N passed, N failed` over all of them.
# A program that ends without its line, or not well, is one failure more.
cd "$(dirname "$0")" || exit 2
passed=0 failed=0
export OMP_WAIT_POLICY=passive UBSAN_OPTIONS=print_stacktrace=1

one() {                                   # one label command...
    label=$1; shift
    out=$("$@" 2>&1); status=$?
    line=$(printf '%s\n' "$out" | sed -n 's/^[a-z_]*: \([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' | tail -n 1)
    set -- $line
    if [ $# -ne 2 ]; then set -- 0 1; elif [ $status -ne 0 ] && [ "$2" -eq 0 ]; then set -- "$1" 1; fi
    if [ "$2" -ne 0 ]; then printf '%s\n' "$out"; echo "$label: status $status"; fi
    passed=$((passed + $1)); failed=$((failed + $2))
}

one lint sh lint.sh
echo "lint: $passed passed, $failed failed"
for dir in "$@"; do
    was=$passed bad=$failed
    for src in test_*.c fuzz_*.c; do
        one "$dir/${src%.c}" "$dir/${src%.c}"
    done
    echo "${dir#build/}: $((passed - was)) passed, $((failed - bad)) failed"
done
echo "core: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
