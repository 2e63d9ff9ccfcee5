#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Every manual is clean under mandoc -Tlint. That a page it refers to is not
# installed on this machine, or not in its index, is no fault of the page.

set -u
command -v mandoc >/dev/null || { echo "1..0 # SKIP no mandoc"; exit 0; }
count=0
for page in "$RELAYD_SRC"/man/*.[1-9]; do
	[ -f "$page" ] || continue
	count=$((count + 1))
	said=$(mandoc -Tlint "$page" 2>&1 |
	    grep -v -e 'referenced manual not found' -e 'mandoc.db lacks')
	if [ -z "$said" ]; then
		echo "ok $count - ${page##*/}"
	else
		echo "not ok $count - ${page##*/}"
		echo "$said" | sed 's/^/# /'
	fi
done
[ $count -gt 0 ] || { echo "1..0 # SKIP no manuals"; exit 0; }
echo "1..$count"
