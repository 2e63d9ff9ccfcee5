#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What the linker made of the programs, read from their ELF headers; the build
# without sanitizers is looked at, as it is the one that is installed.

set -u
. "$RELAYD_SRC/regress/build/ok.sh"

has()
{
	readelf -W "$1" "$2" 2>/dev/null | grep -q "$3"
}

command -v readelf >/dev/null || { echo "1..0 # SKIP no readelf"; exit 0; }
cd "$RELAYD_FAST_BUILD" || exit 1
if grep -q '^SANITIZERS =.*yes' config.mk; then
	echo "1..0 # SKIP no build without sanitizers"
	exit 0
fi

for p in bin/relayd bin/relayctl bin/tunnel-client libexec/control \
    libexec/authd libexec/proxyd libexec/muxd libexec/termd libexec/tcpd libexec/rendd \
    libexec/metricd libexec/tlsd libexec/keyd libexec/paird libexec/storecopy \
    libexec/doctor; do
	[ -x $p ]
	ok $? "$p is built"
	has -h $p 'Type:.*DYN'
	ok $? "$p is position independent"
	has -l $p GNU_RELRO && has -d $p 'FLAGS.*NOW'
	ok $? "$p has full RELRO"
	readelf -W -l $p | grep 'GNU_STACK' | grep -qv 'RWE'
	ok $? "$p has no executable stack"
	has -s $p __stack_chk_fail
	ok $? "$p has stack protectors"
done
for p in libexec/muxd libexec/termd libexec/tcpd libexec/rendd libexec/metricd; do
	[ -x $p ] && ! has -l $p INTERP && ! has -d $p NEEDED
	ok $? "$p is static"
	[ -x $p ] && ! grep -q 'OpenSSL [0-9]' $p
	ok $? "$p contains no OpenSSL"
	[ -x $p ] && ! has -s $p '__nss_database\|__res_context\|argon2_\|curve25519'
	ok $? "$p looks up no name and derives no key"
done
# With half of them it starts in half the time; TLS has them loaded.
! has -d bin/tunnel-client 'NEEDED.*lib\(ssl\|crypto\)'
ok $? "bin/tunnel-client starts without OpenSSL"
! has -d libexec/proxyd 'NEEDED.*lib\(ssl\|crypto\)'
ok $? "libexec/proxyd has no OpenSSL"
echo "1..$count"
