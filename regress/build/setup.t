#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What relayd(8) says under SETUP, word for word, twice: with programs that say
# what they are asked and refuse what is there already.

set -eu
dir=$(mktemp -d "${TMPDIR:-/tmp}/setup.XXXXXX")
[ -n "$dir" ] && [ -d "$dir" ]
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/bin" "$dir/known" "$dir/etc"
. "$RELAYD_SRC/regress/build/ok.sh"

# All of them are one program. The last word of useradd is a name: who is there
# already is an error.
cat >"$dir/bin/stub" <<'END'
#!/bin/sh
what=${0##*/}
for name; do :; done
case $what in
useradd|groupadd)
	[ ! -e "$KNOWN/$what-$name" ] || { echo "$name exists" >&2; exit 9; }
	echo "$what $name" >>"$KNOWN/said"
	: >"$KNOWN/$what-$name"
	;;
getent)
	[ -e "$KNOWN/useradd-$name" ] || [ -e "$KNOWN/groupadd-$name" ]
	;;
esac
END
chmod +x "$dir/bin/stub"
for f in useradd groupadd getent vi relayd cp systemctl usermod; do
	ln "$dir/bin/stub" "$dir/bin/$f"
done

# The displays of the section: a line of "#" begins a command.
sed -n '/^\.Sh SETUP/,/^\.Sh CERTIFICATES/p' "$RELAYD_SRC/man/relayd.8" |
    awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on' |
    sed -e 's/^# //' -e 's/\\e$/\\/' -e "s|/etc/|$dir/etc/|g" >"$dir/setup"
set +e
[ "$(grep -c . "$dir/setup")" -gt 10 ]
ok $? "there are commands"

try()
{
	KNOWN=$dir/known PATH=$dir/bin:$PATH sh -eu "$dir/setup" >"$dir/out" 2>&1
	r=$?
	[ $r -eq 0 ] && [ ! -s "$dir/out" ]
	ok $? "$1"
	sed 's/^/# /' "$dir/out"
}

try "SETUP"
users=$(sed -n 's/^R(.*"\(_[a-z]*\)".*/\1/p' \
    "$RELAYD_SRC/common/proc/roles.def" | sort)
made=$(sed -n 's/^useradd //p' "$dir/known/said" | sort)
[ -n "$users" ] && [ "$users" = "$made" ]
ok $? "makes the users of all roles"
[ "$(stat -c %a "$dir/etc/relayd/jwt.secret")" = 600 ]
ok $? "and a key that nobody else can read"
cp "$dir/etc/relayd/jwt.secret" "$dir/secret"
adds=$(grep -c add "$dir/known/said")
try "SETUP again"
cmp -s "$dir/etc/relayd/jwt.secret" "$dir/secret"
ok $? "the key has stayed"
[ "$(grep -c add "$dir/known/said")" -eq "$adds" ]
ok $? "and nobody was made twice"
echo "1..$count"
