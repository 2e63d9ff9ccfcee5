#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The whole tree, tests included, compiles without a warning with clang too. The
# programs are not linked.

set -u
. "$RELAYD_SRC/regress/build/ok.sh"
command -v clang >/dev/null || { echo "1..0 # SKIP no clang"; exit 0; }
echo "1..2"
dir=$RELAYD_BUILD/clang
mkdir -p "$dir" && cd "$dir" || exit 1

[ -f config.mk ] || "$RELAYD_SRC/configure" CC=clang CFLAGS=-O0 \
    --enable-testing --enable-werror >out 2>&1
ok $? "configure takes clang" out
make all tests LINK=: >out 2>&1
ok $? "no warning from clang" out
