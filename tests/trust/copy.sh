#!/bin/bash
# copy.sh root to library [flags]: the package under `root`, copied to `to`, with a .Call() that says what it calls,
# installed into `library` and compiled with `flags` (none: as usual).
set -eu
root=$1 to=$2 library=$3 flags=${4:-}
mkdir -p "$to" "$library"
(cd "$root" && tar cf - DESCRIPTION NAMESPACE R src inst man) | tar xf - -C "$to"
rm -f "$to"/src/*.o "$to"/src/*.so
cat >"$to/R/zzz-said.R" <<'EOF'
.Call <- function(.NAME, ...) {
    said <- getOption("infill.trust")
    if (is.function(said)) said(.NAME, ...)
    base::.Call(.NAME, ...)
}
EOF
sed -i "s/^Collate:.*/&\n    'zzz-said.R'/" "$to/DESCRIPTION"
if [ -n "$flags" ]; then
    printf 'CFLAGS = %s\nLDFLAGS = %s\n' "$flags" "$flags" >"$to.makevars"
    export R_MAKEVARS_USER=$to.makevars
fi
R CMD INSTALL --no-docs --no-test-load --library="$library" "$to" >"$to.log" 2>&1 || { tail -n 20 "$to.log"; exit 1; }
