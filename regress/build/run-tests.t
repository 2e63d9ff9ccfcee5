#!/bin/sh
# SPDX-License-Identifier: ISC
#
# tools/run-tests with tests made by hand: exit status, last line, what is kept,
# and that no sanitizer report goes unseen.

set -u
count=0
dir=$(mktemp -d "${TMPDIR:-/tmp}/run-tests.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/build"
# What the run that we are part of has set is not for the runs below.
unset PERL_TEST_HARNESS_DUMP_TAP RELAYD_TEST_SECONDS

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

# fake NAME: a test whose body is read from standard input.
fake()
{
	{ echo '#!/bin/sh'; cat; } >"$dir/$1"
	chmod +x "$dir/$1"
}

run()
{
	sh "$RELAYD_SRC/tools/run-tests" -b "$dir/build" "$@" >"$dir/out" 2>&1
	status=$?
}

last()
{
	tail -n 1 "$dir/out"
}

fake good.t <<'END'
echo "ok 1 - build $RELAYD_BUILD"
echo "ok 2 - source $RELAYD_SRC"
echo 1..2
END
fake bad.t <<'END'
echo "not ok 1 - bad"
echo 1..1
END
fake bails.t <<'END'
echo "Bail out! no more"
exit 1
END
fake bails_once.t <<'END'
[ -e "$RELAYD_BUILD/tried" ] || {
	: >"$RELAYD_BUILD/tried"
	echo "Bail out! no more"
	exit 1
}
echo "ok 1 - at the second try"
echo 1..1
END
fake once.t <<'END'
[ -e "$RELAYD_BUILD/tried" ] || { : >"$RELAYD_BUILD/tried"; exit 1; }
echo "ok 1 - at the second try"
echo 1..1
END
fake report.t <<'END'
echo "it leaked" >"$RELAYD_SANITIZE_LOG.1"
echo "ok 1 - passed all the same"
echo 1..1
END
fake quiet.t <<'END'
: >"$RELAYD_SANITIZE_LOG.2"
echo "ok 1 - an empty report is none"
echo 1..1
END
fake slow.t <<'END'
echo "ok 1 - started"
sleep 60
echo 1..1
END

run "$dir/good.t" "$dir/quiet.t"
is "$status" 0 "all passed: exit status"
is "$(last)" "Result: PASS" "all passed: prove's line is the last"
is "$(cat "$dir/build/results/tap$dir/good.t" | head -n 1)" \
    "ok 1 - build $(cd "$dir/build" && pwd -P)" "the TAP is kept"

run "$dir/bad.t" "$dir/good.t"
is "$status" 1 "one failed: exit status"
is "$(last)" "Result: FAIL" "one failed: last line"

run "$dir/once.t" "$dir/good.t"
is "$status $(last)" "0 Result: PASS" "one more try for what failed"

is "$(grep -c "/good\.t \.* ok .* ms " "$dir/out")" 1 "what each takes is shown"
for n in 12 13; do
	rm -f "$dir/build/tried".*
	set --
	for i in $(seq "$n"); do
		fake "once$i.t" <<END
[ -e "\$RELAYD_BUILD/tried.$i" ] || { : >"\$RELAYD_BUILD/tried.$i"; exit 1; }
echo "ok 1 - at the second try"
echo 1..1
END
		set -- "$@" "$dir/once$i.t"
	done
	run "$@"
	is "$status $(last)" "$([ "$n" = 12 ] && echo "0 Result: PASS" ||
	    echo "1 Result: FAIL")" "$n failed: at most twelve are tried again"
done

run "$dir/bails.t" "$dir/good.t"
is "$((status != 0)) $(last)" "1 Result: FAIL" \
    "one bailed out, twice: exit status, last line"
is "$(grep -c '^once more' "$dir/out")" 1 "it has had its second try"
is "$(grep -c 'good.t \.* *ok' "$dir/out")" 1 "and the rest has run"

rm -f "$dir/build/tried"
run "$dir/bails_once.t" "$dir/good.t"
is "$status $(last)" "0 Result: PASS" "one bailed out once: exit status, last line"

run "$dir/report.t" "$dir/good.t"
is "$status" 1 "a sanitizer report: exit status"
is "$(last)" "Result: FAIL" "a sanitizer report: last line"
is "$(grep -c 'it leaked' "$dir/out")" 1 "a sanitizer report: shown"

run "$dir/good.t"
is "$status" 0 "an old report is forgotten"

fake told.t <<'END'
printf 'a ticket\tABCDEFGHIJKLMNOP\na short one\tshort\n' >"$RELAYD_LOGS/a.secrets"
echo "authd[1] 2: short" >"$RELAYD_LOGS/a.log"
echo "ok 1 - passed"
echo 1..1
END
fake tells.t <<'END'
echo '{"message":"x ABCDEFGHIJKLMNOP y"}' >"$RELAYD_LOGS/b.log"
echo "ok 1 - passed all the same"
echo 1..1
END
fake silent.t <<'END'
echo "a line" >"$RELAYD_LOGS/c.log"
echo "ok 1 - passed all the same"
echo 1..1
END
run "$dir/told.t"
is "$status" 0 "no secret in a log"
is "$(grep -c 'logged: 1 secrets of 1 kinds in none of 1 logs' "$dir/out")" 1 \
    "what was looked for is said"
run "$dir/told.t" "$dir/tells.t"
is "$status" 1 "operator-63: a secret in a log, of another test: exit status"
is "$(grep -c 'a secret in a log: a ticket in b.log' "$dir/out")" 1 "which"
is "$(grep -c ABCDEFGH "$dir/out")" 0 "and not the secret itself"
is "$(last)" "Result: FAIL" "a secret in a log: last line"
run "$dir/silent.t"
is "$(grep -c 'and no secret was named' "$dir/out")" 1 \
    "that nobody named one is said"

RELAYD_TEST_SECONDS=1
export RELAYD_TEST_SECONDS
run "$dir/slow.t"
is "$(last)" "Result: FAIL" "a test that hangs is ended and fails"

echo "1..$count"
