#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Whatever is built after a change, for the daemon or for the tests: all of its
# programs are, or the parent refuses the others as of another build.

set -u
. "$RELAYD_SRC/regress/build/ok.sh"
out=$(mktemp "${TMPDIR:-/tmp}/one-build.XXXXXX") || exit 1
trap 'rm -f "$out"' EXIT
for file in muxd/exit.c common/imsg/msg.def; do
	for goal in all tests check; do
		# -n -W: what make would do if the file were new.
		make -n --no-print-directory -C "$RELAYD_FAST_BUILD" \
		    -W "$RELAYD_SRC/$file" -W "../../$file" "$goal" \
		    >"$out" 2>&1
		# Those of relayctl run while the daemon does not, or beside it.
		for program in bin/relayd $(cd "$RELAYD_FAST_BUILD" &&
		    ls -d libexec/* | grep -v -e storecopy -e doctor); do
			grep -q "LINK  $program\"\\?\$" "$out"
			ok $? "$file is new: make $goal links $program" "$out"
		done
	done
done
echo "1..$count"
