#!/bin/bash
# Everything about data larger than memory, 1.3 million cells among it: hours. bash bench/scale.sh [data folder]
# SCALE_FOLDER: a folder with 30 GB, else R's temporary one. Figures go to bench/results/scale.md.
set -eu
cd "$(dirname "$0")/.."
for part in sample models file million; do Rscript bench/scale.R $part "${1:-../shared/data}"; done
bash tests/cluster/run 10
