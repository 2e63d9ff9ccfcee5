#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tools/checklist against results made by hand.

set -u
count=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/checklist.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/tools" "$dir/regress" "$dir/results/tap/a/b"
cp "$RELAYD_SRC/tools/checklist" "$dir/tools"

is()
{
	count=$((count + 1))
	if [ "$1" = "$2" ]; then
		echo "ok $count - $3"
	else
		echo "not ok $count - $3"
		echo "#   got $1"
		echo "#  want $2"
	fi
}

# The output's line of one contract; standard error is kept.
line()
{
	sh "$dir/tools/checklist" "$dir/results" 2>"$dir/err" | grep "^$1 "
}

cat >"$dir/regress/contracts" <<END
# a comment
tunnel		8
operator	12
pairing		2
END
cat >"$dir/results/tap/a/b/one.t" <<END
1..12
ok 1 - tunnel-1: said in full
ok 2 - tunnel-2(partial): half of it
ok 3 - tunnel-3 operator-10: two at once
not ok 4 - tunnel-4: broken
# tunnel-5: a comment proves nothing
ok 5 - tunnel-5: skipped # SKIP no network
ok 6 - a mention of tunnel-6: in mid sentence
not ok 7 - tunnel-7: not yet # TODO later
ok 8 - tunnel-8, operator-2(partial): with a comma
ok 9 - operator-3 without a colon
    ok 1 - operator-4: in a subtest
ok operator-5: without number and dash
ok 10 - tunnel-9: no such line
ok 11 - other-1: no such contract
END
cat >"$dir/results/tap/two.t" <<END
ok 1 - tunnel-1(partial): said again by half
ok 2 - tunnel-4: the same line, passed here
ok 3 - operator-2(partial): the other half
ok 4 - operator-10 operator-011: octal is decimal
1..4
END

is "$(line tunnel)" "tunnel 3/8 partial: 2 missing: 5 6 7 failing: 4" \
    "full, partial, missing and failing lines"
is "$(line operator)" \
    "operator 4/12 partial: 2 missing: 1 3 6 7 8 9 12" \
    "two contracts in one description"
is "$(line pairing)" "pairing 0/2 missing: 1 2" "nothing proved"
is "$(cat "$dir/err")" "checklist: no line tunnel-9" \
    "a line that does not exist is reported"

cat >"$dir/results/tap/three.t" <<END
ok 1 - pairing-1 pairing-2: all of it
END
is "$(line pairing)" "pairing 2/2" "everything proved"

rm -rf "$dir/results/tap"
sh "$dir/tools/checklist" "$dir/results" >"$dir/out" 2>&1
is "$?" 1 "no results: exit status"
is "$(cat "$dir/out")" \
    "checklist: no results in $dir/results; run tools/check first" \
    "no results: message"
mkdir -p "$dir/results/tap"
is "$(line pairing)" "pairing 0/2 missing: 1 2" "an empty run"

echo "1..$count"
