# SPDX-License-Identifier: ISC
#
# usage: . ok.sh; ok STATUS TEXT [FILE]
#
# A line of TAP: what has just been done, its status, and what it said when it
# went wrong. `count` is how many there were.

count=0

ok()
{
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
		return
	fi
	echo "not ok $count - $2"
	if [ $# -gt 2 ]; then
		tail -n 40 "$3" | sed 's/^/# /'
	fi
}
