#!/bin/sh
# lint.sh: what a compiler does not ask of the core's source. One check per rule and file; words in comments do not
# count.
cd "$(dirname "$0")/../.." || exit 2
passed=0 failed=0
tmp=$(mktemp) || exit 2
trap 'rm -f "$tmp"' EXIT

# the source with its comments blanked, line by line; strings stay
bare() {
    awk '{
        out = ""; n = length($0)
        for (i = 1; i <= n; i++) {
            two = substr($0, i, 2); one = substr($0, i, 1)
            if (inside) { if (two == "*/") { inside = 0; i++ } continue }
            if (quote != "") {
                out = out one
                if (one == "\\") { i++; out = out substr($0, i, 1) } else if (one == quote) quote = ""
                continue
            }
            if (two == "/*") { inside = 1; i++; out = out " "; continue }
            if (two == "//") break
            if (one == "\"" || one == "\047") quote = one
            out = out one
        }
        quote = ""
        print out
    }' "$1"
}

# say what file: $tmp holds the offending lines
judge() {
    if [ -s "$tmp" ]; then
        failed=$((failed + 1))
        sed "s|^|$2:|; s|\$|      <- $1|" "$tmp"
    else
        passed=$((passed + 1))
    fi
}
none() {                                  # what file extended-regexp: in the code
    bare "$2" | grep -nE "$3" > "$tmp"
    judge "$1" "$2"
}

for f in src/*.c src/*.h; do
    case $f in
    src/r_*) ;;
    *)
        none 'R header outside r_*' "$f" '#[[:space:]]*include[[:space:]]*([<"]R|.*Rinternals|.*r_glue\.h)'
        none 'call that the core must not make' "$f" \
            '(^|[^A-Za-z0-9_.>])(malloc|calloc|realloc|free|f?printf|puts|exit|abort|s?rand|assert)[[:space:]]*\('
        ;;
    esac
    [ "$f" = src/threads.h ] || none 'pragma outside threads.h' "$f" '#[[:space:]]*pragma|_Pragma'
    none 'omp_set_num_threads' "$f" 'omp_set_num_threads'
    none 'reduction' "$f" 'reduction[[:space:]]*\('
    awk 'length($0) > 130 { print NR ": " length($0) " columns" }' "$f" > "$tmp"
    judge 'at most 130 columns' "$f"
done

tab=$(printf '\t')
for f in src/*.c src/*.h R/*.R; do
    [ -f "$f" ] || continue
    grep -n "$tab" "$f" > "$tmp"
    judge 'tab' "$f"
done

# paths of somebody's machine, comments included
for f in $(find src R tests man vignettes inst bench .ci -type f \( -name '*.[chR]' -o -name '*.sh' -o -name '*.Rd' \
           -o -name '*.Rmd' -o -name '*.md' -o -name 'Makevars*' -o -name 'GNUmakefile' -o -path '.ci/*' \) \
           ! -path 'tests/core/build/*' 2>/dev/null); do
    [ "$f" = tests/core/lint.sh ] && continue
    grep -nE '(^|[^A-Za-z0-9_./}])/(work|tmp|home|root)(/|[^A-Za-z0-9_]|$)' "$f" > "$tmp"
    judge 'absolute path' "$f"
done

echo "lint: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
