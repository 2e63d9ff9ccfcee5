#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The tests that drive authd, once more, over a store that answers every
# question in a later turn of the loop, as a server's does.

set -u
build=${RELAYD_BUILD:-.}
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT
RELAYD_STORE_LATE=1
export RELAYD_STORE_LATE

n=0
for t in "$build"/regress/proc/authd_*_test; do
	n=$((n + 1))
	name=${t##*/}
	if "$t" >"$out/$name" 2>&1 && ! grep -q '^not ok' "$out/$name"; then
		cases=$(grep -c '^ok ' "$out/$name")
		echo "ok $n - $name: $cases cases with answers that come later"
	else
		echo "not ok $n - $name with answers that come later"
		grep -v '^ok ' "$out/$name" | sed 's/^/# /' | tail -40
	fi
done
echo "1..$n"
