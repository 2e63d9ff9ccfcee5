#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The whole tree, tests included, compiles without a warning with clang too.

set -u
command -v clang >/dev/null || { echo "1..0 # SKIP no clang"; exit 0; }
echo "1..2"
dir=$RELAYD_BUILD/clang
mkdir -p "$dir" && cd "$dir" || exit 1

report()
{
	if [ "$1" -eq 0 ]; then
		echo "ok $2"
	else
		echo "not ok $2"
		tail -n 40 out | sed 's/^/# /'
	fi
}

[ -f config.mk ] || "$RELAYD_SRC/configure" CC=clang CFLAGS="-O1 -g" \
    --enable-testing --enable-werror >out 2>&1
report $? "1 - configure takes clang"
make all tests >out 2>&1
report $? "2 - no warning from clang"
