#!/bin/sh
# SPDX-License-Identifier: ISC
#
# make install into an empty directory, and again over what is there.

set -u
. "$RELAYD_SRC/regress/build/ok.sh"
dest=$(mktemp -d "${TMPDIR:-/tmp}/install.XXXXXX") || exit 1
trap 'rm -rf "$dest"' EXIT
cd "$RELAYD_FAST_BUILD" || exit 1

make -s install DESTDIR="$dest" >"$dest.out" 2>&1
r=$?
sed 's/^/# /' "$dest.out"
rm -f "$dest.out"
ok $r "make install"

prefix=$dest/usr/local
for f in sbin/relayd sbin/relayctl bin/tunnel-client libexec/relayd/control \
    libexec/relayd/authd libexec/relayd/muxd libexec/relayd/proxyd \
    libexec/relayd/termd libexec/relayd/tcpd libexec/relayd/metricd \
    libexec/relayd/rendd \
    libexec/relayd/tlsd libexec/relayd/keyd libexec/relayd/paird libexec/relayd/storecopy \
    libexec/relayd/doctor \
    bin/relay; do
	[ -x "$prefix/$f" ]
	ok $? "$f is there"
done
for f in man8/relayd.8 man7/relayd-metrics.7 man8/relayctl.8 man5/relayd.conf.5 \
    man1/tunnel-client.1 man1/relay.1 man3/librelay.3; do
	[ -s "$prefix/share/man/$f" ]
	ok $? "$f is there"
done
for f in bash-completion/completions/relayctl zsh/site-functions/_relayctl \
    fish/vendor_completions.d/relayctl.fish \
    bash-completion/completions/tunnel-client \
    zsh/site-functions/_tunnel_client \
    fish/vendor_completions.d/tunnel-client.fish \
    bash-completion/completions/relay zsh/site-functions/_relay \
    fish/vendor_completions.d/relay.fish; do
	grep -q comp "$prefix/share/$f"
	ok $? "$f is there"
done
for f in librelay.a librelay.so librelay.so.1; do
	[ -s "$prefix/lib/$f" ]
	ok $? "$f is there"
done
[ -s "$dest/etc/relayd.conf" ]
ok $? "a sample configuration is there"

# Where it is to be used at once, programs have to find the library.
cat >"$dest/ldconfig" <<EOF
#!/bin/sh
echo "ldconfig \$*" >>"$dest/told"
[ "\$*" = -p ] && cat "$dest/known"
exit 0
EOF
chmod 755 "$dest/ldconfig"
own="prefix=$dest/own sysconfdir=$dest/own/etc LDCONFIG=$dest/ldconfig"
: >"$dest/known"
# shellcheck disable=SC2086
make -s install $own >"$dest/said" 2>&1
ok $? "make install without DESTDIR"
[ "$(cat "$dest/told")" = "ldconfig 
ldconfig -p" ]
ok $? "runs ldconfig"
grep -q "do not look for librelay.so.1 in $dest/own/lib: add that to" \
    "$dest/said"
ok $? "which does not look there: that is said, and what to do"
echo "	librelay.so.1 (libc6,x86-64) => $dest/own/lib/librelay.so.1" \
    >"$dest/known"
# shellcheck disable=SC2086
make -s install $own >"$dest/said" 2>&1
ok $? "again"
! grep "do not look" "$dest/said"
ok $? "where it does, there is nothing to say"
rm "$dest/told"
make -s install DESTDIR="$dest/d" LDCONFIG="$dest/ldconfig" >/dev/null 2>&1
[ ! -e "$dest/told" ]
ok $? "with DESTDIR it is for the machine where it is unpacked"
rm -rf "$dest/d" "$dest/own" "$dest/ldconfig" "$dest/known" "$dest/said"

echo "# mine" >"$dest/etc/relayd.conf"
make -s install DESTDIR="$dest" >/dev/null 2>&1
ok $? "make install again"
[ "$(cat "$dest/etc/relayd.conf" 2>/dev/null)" = "# mine" ]
ok $? "an existing configuration is left alone"
[ -s "$prefix/share/doc/relayd/LICENSE" ]
ok $? "the licence is there"
[ -s "$prefix/share/doc/relayd/openapi.yaml" ]
ok $? "the description of the API is there"

# Texts that name paths name those that were asked for.
make -s install DESTDIR="$dest" prefix=/opt/r sysconfdir=/opt/etc \
    localstatedir=/opt/state runstatedir=/opt/run >/dev/null 2>&1
unit=$dest/opt/r/share/doc/relayd/examples/relayd.service
grep -q '^ExecStart=/opt/r/sbin/relayd -d' "$unit"
ok $? "the unit starts what was installed"
! grep -rn -e /usr/local -e /var/lib/relayd "$dest/opt/r/share/man" \
    "$dest/opt/r/share/doc/relayd/examples" >&2
ok $? "no text names another place"
! grep -n -e '"/var/lib' -e '"/etc/' -e '"/run/' \
    "$dest/opt/etc/relayd.conf" >&2
ok $? "nor does the sample configuration"

for p in "" "prefix=/opt/r sysconfdir=/opt/etc"; do
	# shellcheck disable=SC2086
	make -s uninstall DESTDIR="$dest" $p >/dev/null 2>&1
done
left=$(cd "$dest" && find . -type f | sort | tr '\n' ' ')
[ "$left" = "./etc/relayd.conf ./opt/etc/relayd.conf " ]
ok $? "after make uninstall the configurations are left: $left"
echo "1..$count"
