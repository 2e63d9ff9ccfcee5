/* SPDX-License-Identifier: ISC */
/* Which targets are refused. tunnel-protocol.md, 4.3. */
#include <sys/socket.h>
#include <netinet/in.h>
#include <arpa/inet.h>

#include <string.h>

#include "regress/lib/tap.h"
#include "base/target.h"

static const struct {
	const char	*target;
	int		 result;
} cases[] = {
	/* allowed */
	{ "127.0.0.1:9090", TARGET_OK },
	{ "[::1]:80", TARGET_OK },
	{ "10.0.0.1:1", TARGET_OK },
	{ "192.168.1.100:65535", TARGET_OK },
	{ "8.8.8.8:53", TARGET_OK },
	{ "[fd12::1]:443", TARGET_OK },
	{ "[::ffff:10.0.0.1]:443", TARGET_OK },
	{ "[2002:0a00:0001::1]:443", TARGET_OK },
	{ "[64:ff9b::a00:1]:443", TARGET_OK },
	{ "nas.lan:80", TARGET_OK },
	{ "nas_1.lan.:80", TARGET_OK },
	{ "localhost:80", TARGET_OK },
	{ "metadata.example.org:80", TARGET_OK },
	{ "169.255.0.1:80", TARGET_OK },
	{ "223.255.255.255:80", TARGET_OK },
	{ "100.100.100.201:80", TARGET_OK },
	{ "[fec0::1]:80", TARGET_OK },
	{ "192.0.0.193:80", TARGET_OK },
	{ "[fd20:ce::253]:80", TARGET_OK },
	{ "[fd00:42::43]:80", TARGET_OK },
	{ "[64:ff9b:1::a00:1]:443", TARGET_OK },
	{ "[64:ff9b:1:a00:0:100::]:443", TARGET_OK },
	{ "[64:ff9b:2::a9fe:a9fe]:443", TARGET_OK },
	{ "[::ffff:0:a00:1]:443", TARGET_OK },
	{ "[2001:0:1:2:3:4:f5ff:fffe]:443", TARGET_OK },
	{ "[2001:1::5601:5601]:443", TARGET_OK },
	/* form */
	{ "", TARGET_E_EMPTY },
	{ ":80", TARGET_E_EMPTY },
	{ "[]:80", TARGET_E_EMPTY },
	{ "host", TARGET_E_PORT },
	{ "host:", TARGET_E_PORT },
	{ "host:0", TARGET_E_PORT },
	{ "host:65536", TARGET_E_PORT },
	{ "host:99999999999", TARGET_E_PORT },
	{ "host:-1", TARGET_E_PORT },
	{ "host:+80", TARGET_E_PORT },
	{ "host: 80", TARGET_E_PORT },
	{ "host:80 ", TARGET_E_PORT },
	{ "host:8a", TARGET_E_PORT },
	{ "host:http", TARGET_E_PORT },
	{ "[::1]", TARGET_E_PORT },
	{ "[::1]80", TARGET_E_FORM },
	{ "[::1:80", TARGET_E_FORM },
	{ "::1:80", TARGET_E_FORM },
	{ "fe80::1:80", TARGET_E_FORM },
	{ "[127.0.0.1]:80", TARGET_E_FORM },
	{ "[name]:80", TARGET_E_FORM },
	{ "[fe80::1%eth0]:80", TARGET_E_FORM },
	{ "a b:80", TARGET_E_FORM },
	{ "a\n:80", TARGET_E_FORM },
	{ "a/b:80", TARGET_E_FORM },
	{ "a@b:80", TARGET_E_FORM },
	{ "a..b:80", TARGET_E_FORM },
	{ ".a:80", TARGET_E_FORM },
	{ ".:80", TARGET_E_FORM },
	{ "h\xc3\xb6st:80", TARGET_E_FORM },
	/* names */
	{ "metadata:80", TARGET_E_NAME },
	{ "METADATA:80", TARGET_E_NAME },
	{ "metadata.:80", TARGET_E_NAME },
	{ "metadata.google.internal:80", TARGET_E_NAME },
	{ "Metadata.Google.Internal.:80", TARGET_E_NAME },
	{ "metadata.azure.internal:80", TARGET_E_NAME },
	{ "instance-data:80", TARGET_E_NAME },
	{ "metadata.platformequinix.com:80", TARGET_E_NAME },
	{ "metadata.goog:80", TARGET_E_NAME },
	{ "instance-data.ec2.internal:80", TARGET_E_NAME },
	{ "metadata.packet.net:80", TARGET_E_NAME },
	{ "metadata.tencentyun.com.:80", TARGET_E_NAME },
	{ "api.metadata.cloud.ibm.com:80", TARGET_E_NAME },
	/* addresses */
	{ "0.0.0.0:80", TARGET_E_ADDRESS },
	{ "[::]:80", TARGET_E_ADDRESS },
	{ "169.254.169.254:80", TARGET_E_ADDRESS },
	{ "169.254.0.0:80", TARGET_E_ADDRESS },
	{ "169.254.255.255:80", TARGET_E_ADDRESS },
	{ "224.0.0.1:80", TARGET_E_ADDRESS },
	{ "239.255.255.255:80", TARGET_E_ADDRESS },
	{ "240.0.0.1:80", TARGET_E_ADDRESS },
	{ "255.255.255.255:80", TARGET_E_ADDRESS },
	{ "100.100.100.200:80", TARGET_E_ADDRESS },
	{ "168.63.129.16:80", TARGET_E_ADDRESS },
	{ "[fe80::1]:80", TARGET_E_ADDRESS },
	{ "[febf::1]:80", TARGET_E_ADDRESS },
	{ "[ff02::1]:80", TARGET_E_ADDRESS },
	{ "[fd00:ec2::254]:80", TARGET_E_ADDRESS },
	{ "[fd00:ec2::23]:80", TARGET_E_ADDRESS },
	{ "[fd20:ce::254]:80", TARGET_E_ADDRESS },
	{ "[fd00:42::42]:80", TARGET_E_ADDRESS },
	{ "192.0.0.192:80", TARGET_E_ADDRESS },
	/* the same, dressed up */
	{ "[::ffff:169.254.169.254]:80", TARGET_E_ADDRESS },
	{ "[::ffff:a9fe:a9fe]:80", TARGET_E_ADDRESS },
	{ "[::ffff:0.0.0.0]:80", TARGET_E_ADDRESS },
	{ "[::ffff:224.0.0.1]:80", TARGET_E_ADDRESS },
	{ "[::169.254.169.254]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b::169.254.169.254]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b::a83f:8110]:80", TARGET_E_ADDRESS },
	{ "[2002:a9fe:a9fe::1]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b:1::a9fe:a9fe]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b:1:a9fe:a9:fe00::]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b:1:a9fe:a9:fe00:1:2]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b:1:a9:fe:a9fe::]:80", TARGET_E_ADDRESS },
	{ "[64:ff9b:1:0:a9:fea9:fe00:0]:80", TARGET_E_ADDRESS },
	{ "[::ffff:0:a9fe:a9fe]:80", TARGET_E_ADDRESS },
	{ "[::ffff:c000:c0]:80", TARGET_E_ADDRESS },
	{ "[2001:0:1:2:3:4:5601:5601]:80", TARGET_E_ADDRESS },
	{ "[2002:6464:64c8:1::]:80", TARGET_E_ADDRESS },
	{ "2852039166:80", TARGET_E_ADDRESS },
	{ "0xa9fea9fe:80", TARGET_E_ADDRESS },
	{ "0251.0376.0251.0376:80", TARGET_E_ADDRESS },
	{ "169.254.43518:80", TARGET_E_ADDRESS },
	{ "169.16689662:80", TARGET_E_ADDRESS },
	{ "0xA9.0xFE.169.254:80", TARGET_E_ADDRESS },
	{ "169.254.169.254.:80", TARGET_E_ADDRESS },
	{ "0:80", TARGET_E_ADDRESS },
	{ "0x0:80", TARGET_E_ADDRESS },
};

static const struct {
	const char	*target;
	int		 loopback;
} loops[] = {
	{ "127.0.0.1:80", 1 }, { "127.255.0.1:80", 1 }, { "[::1]:80", 1 },
	{ "[::ffff:127.0.0.1]:80", 1 }, { "localhost:80", 1 },
	{ "LOCALHOST.:80", 1 }, { "a.localhost:80", 1 }, { "127.1:80", 1 },
	{ "0x7f000001:80", 1 }, { "[64:ff9b::7f00:1]:80", 1 },
	{ "128.0.0.1:80", 0 }, { "notlocalhost:80", 0 }, { "nas.lan:80", 0 },
	{ "[::2]:80", 0 }, { "[64:ff9b:1::7f00:1]:80", 1 },
	{ "[::ffff:0:7f00:1]:80", 1 },
};

/* What a name was resolved to. */
static const struct {
	const char	*addr;
	int		 local;
} locals[] = {
	{ "127.0.0.1", 1 }, { "127.255.255.255", 1 }, { "0.0.0.0", 1 },
	{ "0.255.255.255", 1 }, { "::", 1 }, { "::1", 1 },
	{ "::ffff:127.0.0.1", 1 }, { "::ffff:127.9.9.9", 1 },
	{ "::ffff:0.0.0.1", 1 }, { "64:ff9b::7f00:1", 1 },
	{ "64:ff9b:1::7f00:1", 1 }, { "2002:7f00:1::", 1 },
	{ "126.255.255.255", 0 }, { "128.0.0.1", 0 }, { "1.0.0.0", 0 },
	{ "10.0.0.1", 0 }, { "192.168.1.1", 0 }, { "::ffff:10.0.0.1", 0 },
	{ "fd12::1", 0 }, { "2001:db8::1", 0 }, { "64:ff9b:1::a00:1", 0 },
};

static const struct {
	const char	*text;
	int		 service, host;
} words[] = {
	{ "web", 1, 1 }, { "a", 1, 1 }, { "", 0, 1 }, { "9.a_b-", 1, 0 },
	{ ".a", 0, 0 }, { "-a", 0, 0 }, { "a b", 0, 0 }, { "a/b", 0, 0 },
	{ "a:1", 0, 1 }, { "h\xc3\xb6", 0, 0 }, { "terminal", 1, 1 },
	{ "panel.example.org:8443", 0, 1 },
};

int
main(void)
{
	struct target	t;
	struct in6_addr	a6;
	int		family;
	char		longest[300];
	size_t		i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int(target_parse(cases[i].target, &t), cases[i].result,
		    "tunnel-30(partial): \"%s\" is %s", cases[i].target[0] > ' '
		    && strpbrk(cases[i].target, "\n\xc3") == NULL ?
		    cases[i].target : "odd", target_strerror(cases[i].result));
	for (i = 0; i < sizeof(loops) / sizeof(loops[0]); i++) {
		(void)target_parse(loops[i].target, &t);
		is_int(target_is_loopback(&t), loops[i].loopback,
		    "%s: loopback %d", loops[i].target, loops[i].loopback);
	}
	for (i = 0; i < sizeof(locals) / sizeof(locals[0]); i++) {
		family = strchr(locals[i].addr, ':') == NULL ? AF_INET :
		    AF_INET6;
		ok(inet_pton(family, locals[i].addr, &a6) == 1 &&
		    target_addr_is_local(family, &a6) == locals[i].local,
		    "%s: of this machine %d", locals[i].addr, locals[i].local);
	}
	ok(target_addr_is_local(AF_UNIX, ""), "an unknown family is local");
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		ok(target_service_ok(words[i].text, strlen(words[i].text)) ==
		    words[i].service && target_host_ok(words[i].text,
		    strlen(words[i].text)) == words[i].host,
		    "word %zu: a service %d, a host %d", i, words[i].service,
		    words[i].host);
	ok(!target_service_ok("a\0b", 3) && !target_host_ok("a\0b", 3),
	    "no NUL within");
	memset(longest, 'a', sizeof(longest));
	ok(target_service_ok(longest, TARGET_SERVICE_MAX) &&
	    !target_service_ok(longest, TARGET_SERVICE_MAX + 1),
	    "a name of %d bytes, and no more", TARGET_SERVICE_MAX);
	ok(target_parse("[fd12::1]:8443", &t) == 0 && t.family == AF_INET6 &&
	    t.port == 8443 && strcmp(t.host, "fd12::1") == 0 &&
	    inet_pton(AF_INET6, "fd12::1", &a6) == 1 &&
	    memcmp(t.addr, &a6, 16) == 0, "the parts of an IPv6 target");
	ok(target_parse("nas.lan:80", &t) == 0 && t.family == 0 &&
	    t.port == 80 && strcmp(t.host, "nas.lan") == 0,
	    "the parts of a name");
	ok(target_check_addr(AF_UNIX, "") == TARGET_E_ADDRESS,
	    "an unknown family is refused");
	/* The limit of a host, below and at. */
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 255, ":80", 4);
	is_int(target_parse(longest, &t), TARGET_OK, "a host of 255 bytes");
	memset(longest, 'a', sizeof(longest));
	memcpy(longest + 256, ":80", 4);
	is_int(target_parse(longest, &t), TARGET_E_FORM, "256 are too many");
	is_int(target_parse("127.0.0.1:80", NULL), 0, "nobody needs the parts");
	return (done_testing());
}
