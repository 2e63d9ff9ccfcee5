#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Every citation in code, tests and documents leads somewhere.

cd "$RELAYD_SRC" || exit 1
said=$(python3 tools/citations . 2>&1)
status=$?
if [ $status -eq 0 ] && [ -z "$said" ]; then
	echo "ok 1 - every citation leads somewhere"
else
	echo "not ok 1 - every citation leads somewhere"
	echo "$said" | sed 's/^/# /'
fi
# One that does not is found.
dir=$(mktemp -d "${TMPDIR:-/tmp}/citations.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/regress" "$dir/muxd"
cp -r doc "$dir"
cp regress/contracts "$dir/regress"
printf '/* %s, 5.77. */\n' tunnel-protocol.md >"$dir/muxd/x.c"
said=$(python3 tools/citations "$dir" 2>&1)
case $?$said in
1*muxd/x.c:1*) echo "ok 2 - one to a section that is not there is found" ;;
*) echo "not ok 2 - one to a section that is not there is found"
	echo "$said" | sed 's/^/# /' ;;
esac
# Each limit names a test that there is.
missing=
n=0
for name in $(sed -n '/^## 5\. /,/^## 6\. /s/.*|\([^|]*\)|$/\1/p' doc/messages.md |
    tr -d '`,'); do
	case $name in
	*.t) ls regress/*/"$name" ;;
	*_test) ls regress/*/"$name".c ;;
	*) continue ;;
	esac >/dev/null 2>&1 || missing="$missing $name"
	n=$((n + 1))
done
[ -z "$missing" ] && [ $n -gt 40 ] || printf 'not '
echo "ok 3 - each of the tests that limits name ($n) is there$missing"
echo "1..3"
