#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tools/analyze itself, on a file with one fault that gcc finds and one of
# clang-tidy's: refused without a line in the list, not with one, and a line that
# nothing is found for is refused. What it says of the tree takes too long here:
# make analyze.

set -u
. "$RELAYD_SRC/regress/build/ok.sh"
command -v clang-tidy >/dev/null && command -v gcc >/dev/null ||
    { echo "1..0 # SKIP no gcc or clang-tidy"; exit 0; }
dir=$(mktemp -d "${TMPDIR:-/tmp}/analyze.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/tools"
cp "$RELAYD_SRC/tools/analyze" "$dir/tools"
cp "$RELAYD_SRC/.clang-tidy" "$dir"

cat >"$dir/twice.c" <<'EOF'
#include <stdlib.h>

void	twice(char *);
int	number(const char *);

void
twice(char *p)
{
	free(p);
	free(p);
}

int
number(const char *s)
{
	return (atoi(s));
}
EOF
made="# made with gcc $(gcc --version | sed -n '1s/.* \([0-9]*\)\.[0-9.]*$/\1/p'),"
made="$made clang-tidy $(clang-tidy --version | sed -n 's/.*version \([0-9]*\).*/\1/p')"
free="twice.c twice gcc-double-free: meant"
atoi="twice.c number cert-err34-c: meant"

# The lines of the list -> what it says, its exit in $said
look()
{
	printf '%s\n' "$made" "$@" >"$dir/list"
	python3 "$dir/tools/analyze" -l "$dir/list" -o "$dir/cache" \
	    -E "gcc -E" --gcc "gcc -O2" --tidy "clang-tidy -- -std=c11" \
	    "$dir/twice.c" >"$dir/out" 2>&1
	said=$?
}

look
[ $said -eq 1 ] && grep -q '^twice.c:10: twice gcc-double-free: ' "$dir/out" &&
    grep -q '^twice.c:16: number cert-err34-c: ' "$dir/out"
ok $? "what is not in the list is refused, with its place" "$dir/out"
look "$free"
[ $said -eq 1 ] && ! grep -q gcc-double-free "$dir/out" &&
    grep -q cert-err34-c "$dir/out"
ok $? "each for itself" "$dir/out"
look "$free" "$atoi"
[ $said -eq 0 ] && [ ! -s "$dir/out" ]
ok $? "what is in the list is not" "$dir/out"
look "$free" "$free" "$atoi"
[ $said -eq 1 ] && grep -q "nothing is found any more for: twice.c twice" \
    "$dir/out"
ok $? "a line more than there are findings is" "$dir/out"
sed '10d' "$dir/twice.c" >"$dir/once.c" && mv "$dir/once.c" "$dir/twice.c"
look "$free" "$atoi"
[ $said -eq 1 ] && grep -q "nothing is found any more for: twice.c twice" \
    "$dir/out"
ok $? "when the fault is mended its line has to go" "$dir/out"
look "twice.c twice"
[ $said -eq 1 ] && grep -q "not file, function, check: why" "$dir/out"
ok $? "a line without a reason is none" "$dir/out"
echo "1..$count"
