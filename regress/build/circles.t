#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Files of one program look one way, and no name is there in two: what `make
# lint` says of it, which needs no tool that is not there anyway.

set -u
. "$RELAYD_SRC/regress/build/ok.sh"
out=$(mktemp "${TMPDIR:-/tmp}/circles.XXXXXX") || exit 1
trap 'rm -f "$out"' EXIT
make -s --no-print-directory -C "$RELAYD_FAST_BUILD" lint-circles >"$out" 2>&1
ok $? "no circle, no name twice" "$out"
echo "1..$count"
