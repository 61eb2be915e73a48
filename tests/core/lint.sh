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

# wide file columns: lines that are wider
wide() {
    awk -v n="$2" 'length($0) > n { print NR ": " length($0) " columns" }' "$1" > "$tmp"
    judge "at most $2 columns" "$1"
}
# long file lines: more of them
long() {
    awk -v n="$2" 'END { if (NR > n) print NR ": " NR " lines" }' "$1" > "$tmp"
    judge "at most $2 lines in a file" "$1"
}
# Functions (from their head in the first column to a brace there) of more than 50 lines, or of a
# cyclomatic number above 20: 1 and one for each if, for, while, case, &&, || and ?.
functions() {
    bare "$1" | awk '
        /^[A-Za-z_]/ && !inside { start = NR; name = $0 }
        /^\{/ && !inside { inside = 1; paths = 1 }
        inside {
            line = " " $0
            while (match(line, /[^A-Za-z0-9_](if|for|while|case)[^A-Za-z0-9_]|&&|[|][|]|[?]/)) {
                paths++
                line = substr(line, RSTART + (RLENGTH > 2 ? RLENGTH - 1 : RLENGTH))
            }
        }
        /^\}/ && inside {
            inside = 0
            sub(/\(.*/, "", name)
            if (NR - start >= 50) print start ": " name " has " NR - start + 1 " lines"
            if (paths > 20) print start ": " name " has a cyclomatic number of " paths
        }' > "$tmp"
    judge 'at most 50 lines and 20 paths in a function' "$1"
}
# Files that call each other: A a function that B defines, and B one of A's.
circles() {
    for f in "$@"; do bare "$f" | sed "s|^|$(basename "$f") |"; done | awk '
        function names(text) { while (match(text, /[A-Za-z_][A-Za-z0-9_]*/)) {
            used[$1, substr(text, RSTART, RLENGTH)] = 1
            text = substr(text, RSTART + RLENGTH)
        } }
        { file = $1; files[file] = 1; text = substr($0, length(file) + 2) }
        text ~ /^[A-Za-z_]/ && text !~ /^(static|typedef|struct|enum|extern)[^A-Za-z0-9_]/ &&
            match(text, /[A-Za-z_][A-Za-z0-9_]*\(/) && text !~ /;[ ]*$|=/ {
            name = substr(text, RSTART, RLENGTH - 1)
            if (name !~ /^[A-Z_]+$/ && !(name in home)) home[name] = file
            if (name ~ /FOR_CPUS$/ && name !~ /LOCAL/) {
                text2 = substr(text, RSTART + RLENGTH)
                sub(/,.*/, "", text2)
                home[text2] = file
            }
        }
        { names(text) }
        END {
            for (key in used) {
                split(key, part, SUBSEP)
                if (part[2] in home && home[part[2]] != part[1]) calls[part[1], home[part[2]]] = part[2]
            }
            for (key in calls) {
                split(key, part, SUBSEP)
                if (part[1] < part[2] && (part[2], part[1]) in calls)
                    print part[1] " and " part[2] ": " calls[key] ", " calls[part[2], part[1]]
            }
        }' > "$tmp"
    judge 'files that call each other' src
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
    wide "$f" 100
    long "$f" 400
    functions "$f"
done
circles $(ls src/*.c | grep -v '^src/r_')
for f in tests/core/*.c tests/core/*.h; do
    wide "$f" 100
    long "$f" 400
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
