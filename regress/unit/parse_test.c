/* SPDX-License-Identifier: ISC */
/*
 * The grammar of relayd.conf(5): what it takes, what it says, what it prints.
 */
#include <stdlib.h>
#include <unistd.h>

#include "base/compat.h"
#include "relayd/cfg.h"
#include "regress/lib/tap.h"

#define LISTEN_LINE	"listen on 127.0.0.1 port 1\n"
#define MEMBER(more)							\
	"store postgresql \"host=::1 dbname=r user=r\"\n"		\
	"redis \"redis://127.0.0.1\"\n"				\
	"cluster {\nname \"a\"\nsecret file \"/s\"\n"			\
	"peer address ::1 port 9\n" more "}\n"

static char	said[8192];	/* errors, one a line */

static void
note(void *arg, int error, const char *text)
{
	size_t	len = strlen(said);

	(void)arg;
	ok(!error == (strstr(text, ": warning: ") != NULL), "%s", text);
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

static int
parse(struct conf *c, const char *text)
{
	said[0] = '\0';
	return (cfg_parse_text(c, "t", text, strlen(text), note, NULL));
}

/* Every error of a text, in order. */
static void
errors(void)
{
	static const struct {
		const char	*text, *said;
	} t[] = {
		{ "", "t: no \"listen on ... port ...\"\n" },
		{ "bogus\n", "t:1: unknown word \"bogus\"\n" },
		{ "record terminals maybe\n", "t:1: unexpected \"maybe\"; "
		    "expected no, yes or end of line\n" },
		{ "tunnel { allow loopback targets maybe }\n", "t:1: unexpected "
		    "\"maybe\"; expected yes or no\n" },
		{ "operator {\n path proxy 7\n script cookies off\n}\n",
		    "t:2: unexpected \"7\"; expected yes or no\n"
		    "t:3: unexpected \"off\"; expected yes or no\n" },
		{ "bogus 1 2 \"x\"\nlisten on\n", "t:1: unknown word "
		    "\"bogus\"\nt:2: unexpected end of line; expected a string "
		    "or a word\n" },
		{ LISTEN_LINE "control socket /run/a read only\n"
		    "control socket /run/a\n", "t: control socket ... read "
		    "only: needs a path of its own\n" },
		{ LISTEN_LINE "oidc issuer \"http://a.test\" { audience b }\n",
		    "t:2: oidc issuer: \"http://a.test\" is not an https URL "
		    "without \"?\" and \"#\"\n" },
		{ LISTEN_LINE "oidc issuer \"https://a.test?x\" { audience b "
		    "}\n", "t:2: oidc issuer: \"https://a.test?x\" is not an "
		    "https URL without \"?\" and \"#\"\n" },
		{ LISTEN_LINE "oidc issuer \"https://a.test\" { prefix x }\n",
		    "t:2: oidc issuer: no audience, so that a token for any "
		    "other program would do\n" },
		{ LISTEN_LINE "oidc issuer \"https://a.test\" {\naudience b\n"
		    "claim email \"x\"\nfixed user \"y\"\nmap name a to b\n"
		    "keys \"https://a.test:x/\"\nkeys \"https://b.test/\"\n"
		    "keys \"https://c.test/\"\n}\n",
		    "t:4: claim: \"email\" is not user, name, organization, "
		    "role or permission\n"
		    "t:5: fixed: \"user\" is not organization or role\n"
		    "t:6: map: \"name\" is not organization, role or "
		    "permission\n"
		    "t:7: keys: \"https://a.test:x/\" is not an https URL "
		    "without \"?\" and \"#\"\n"
		    "t:9: keys: given twice\n" },
		{ LISTEN_LINE "oidc issuer \"https://a.test\" { audience \"\" "
		    "audience b }\n", "t:2: audience: empty, or with a tab in "
		    "it\n" },
		{ LISTEN_LINE "oidc issuer \"https://a.test\" { audience b }\n"
		    "oidc issuer \"https://a.test\" { audience b }\n",
		    "t:3: oidc issuer: \"https://a.test\" is given twice\n" },
		{ LISTEN_LINE "oidc issuer https://a { audience b\n"
		    "console client c }\noidc issuer https://b { audience b\n"
		    "console client d scope e }\n",
		    "t:5: console client was set before, in line 3\n" },
		{ LISTEN_LINE "oidc issuer https://a { audience b }\n"
		    "oidc issuer https://b { audience b }\n"
		    "oidc issuer https://c { audience b }\n"
		    "oidc issuer https://d { audience b }\n"
		    "oidc issuer https://e { audience b }\n",
		    "t:6: oidc issuer: more than 4\n" },
		{ LISTEN_LINE "oidc refresh 1s\noidc unknown key 2h\n"
		    "oidc keep keys 1s\noidc timeout 2m\noidc clock skew 11m\n"
		    "ca file x\n",
		    "t:2: oidc refresh: 1s is out of range 10s to 1d\n"
		    "t:3: oidc unknown key: 2h is out of range 1s to 1h\n"
		    "t:4: oidc keep keys: 1s is out of range 1m to 30d\n"
		    "t:5: oidc timeout: 2m is out of range 1s to 1m\n"
		    "t:6: oidc clock skew: 11m is out of range 0s to 10m\n"
		    "t:7: ca file: \"x\" is not an absolute path\n" },
		{ LISTEN_LINE "penalty min 20m\n",
		    "t: penalty min is longer than penalty max\n" },
		{ LISTEN_LINE "recording directory \"r\" each 2M max 1M\n",
		    "t: recording directory: each is more than max\n" },
		{ "port\n", "t:1: \"port\" cannot stand here\n" },
		{ "}\n", "t:1: \"}\" cannot stand here\n" },
		{ "tunnel {\n\n\tgrace 30\n}\n" LISTEN_LINE, "t:3: unexpected "
		    "\"30\"; expected a duration such as 30s\n" },
		{ "tunnel { grace 0s }\n" LISTEN_LINE, "t:1: grace: 0s is "
		    "out of range 1s to 1d\n" },
		{ "tunnel { grace 1s grace 2s }\n", "t:1: grace was set "
		    "before, in line 1\n" },
		{ "tunnel { bogus 1\nbogus 2\ngrace 1s }\nbogus\n",
		    "t:1: unknown word \"bogus\"\n"
		    "t:2: unknown word \"bogus\"\n"
		    "t:4: unknown word \"bogus\"\n" },
		{ "tunnel { bogus }\nproxyd 65\n", "t:1: unknown word "
		    "\"bogus\"\nt:2: proxyd: 65 is out of range 0 to 64\n" },
		{ "tunnel {\n", "t:1: this \"{\" is not closed\n" },
		{ LISTEN_LINE "tunnel {\n grace 1s\nproxyd 2\n", "t:4: "
		    "\"proxyd\" belongs outside of tunnel { }, operator { } and "
		    "relay { }\nt:2: this \"{\" is not closed\n" },
		{ "operator { grace 1s }\n", "t:1: \"grace\" belongs into "
		    "tunnel { }\n" },
		{ LISTEN_LINE "log format xml\n", "t:2: log format: expected "
		    "\"text\" or \"json\"\n" },
		{ LISTEN_LINE "missing users root\n", "t:2: missing: expected "
		    "\"missing users nobody\"\n" },
		{ "jwt issuer \"x\"\n", "t:1: \"jwt\" belongs into "
		    "operator { }\n" },
		{ LISTEN_LINE "proxyd = 2\n", "t:2: \"proxyd = ...\" is a "
		    "macro that nothing uses; a setting has no \"=\"\n" },
		{ "operator { proxy domain localhost }\n", "t:1: proxy "
		    "domain: \"localhost\" has one label, and browsers keep "
		    "no cookies for such a domain\n" },
		{ "trusted proxy 10.0.0.1/8\n", "t:1: trusted proxy: "
		    "\"10.0.0.1/8\" has bits behind /8; a network is meant, "
		    "or the address without /8?\n" },
		{ "penalty exempt 10.0.0.1/8\n", "t:1: penalty exempt: "
		    "\"10.0.0.1/8\" has bits behind /8; a network is meant, "
		    "or the address without /8?\n" },
		{ "trusted proxy fd00::1:0/111\n", "t:1: trusted proxy: "
		    "\"fd00::1:0/111\" has bits behind /111; a network is "
		    "meant, or the address without /111?\n" },
		{ "tunnel bogus {\n grace 0s\n}\nbogus\n", "t:1: unexpected "
		    "\"bogus\"; expected {\nt:4: unknown word \"bogus\"\n" },
		{ "tunnel { rate limit none 1 per 1s }\n", "t:1: unexpected "
		    "\"none\"; expected address, key or slot\n" },
		{ "proxyd 99999999999999999999\n", "t:1: "
		    "\"99999999999999999999\": the number is too large\n" },
		{ "store sqlite \"/x\" max 99999999999T\n", "t:1: "
		    "\"99999999999T\": the number is too large\n" },
		{ "store sqlite \"x\"\n", "t:1: store sqlite: \"x\" is not an "
		    "absolute path\n" },
		{ "store sqlite \"\n", "t:1: the string is not closed\n" },
		{ "store sqlite \"/a\001b\"\n", "t:1: control character in a "
		    "string\n" },
		{ "\001\n", "t:1: byte 0x01 cannot stand here\n" },
		{ "store sqlite $x\n", "t:1: \"$x\": no such macro\n" },
		{ "include \"/etc/passwd\"\n" LISTEN_LINE, "t:1: "
		    "\"/etc/passwd\": files cannot be included here\n" },
		{ "listen on localhost port 1\n", "t:1: listen: \"localhost\" "
		    "is not an IPv4 or IPv6 address\n" },
		{ "listen on ::1 port 65536\n", "t:1: listen: port 65536 is "
		    "out of range 0 to 65535\n" },
		{ LISTEN_LINE LISTEN_LINE, "t:2: listen: 127.0.0.1 port 1 is "
		    "given twice\n" },
		{ "max startups 1:2\n", "t:1: max startups: \"1:2\" is not "
		    "begin:rate:full\n" },
		{ "max startups 1:2:3:4\n", "t:1: max startups: \"1:2:3:4\" is "
		    "not begin:rate:full\n" },
		{ "max startups 9:2:3\n", "t:1: max startups: begin is larger "
		    "than full\n" },
		{ "max startups 1:101:3\n", "t:1: max startups: 101 is out of "
		    "range 1 to 100\n" },
		{ "trusted proxy 10.0.0.0/33\n", "t:1: trusted proxy: "
		    "\"10.0.0.0/33\" is not an address or network\n" },
		{ "tunnel { path \"x\" }\n", "t:1: path: \"x\" is not the path "
		    "of a URL\n" },
		{ "tunnel { path \"/x?y\" }\n", "t:1: path: \"/x?y\" is not "
		    "the path of a URL\n" },
		{ "operator { proxy domain \"a..b\" }\n", "t:1: proxy domain: "
		    "\"a..b\" is not a domain\n" },
		{ "operator { console origin \"https://a/\" }\n", "t:1: "
		    "console origin: \"https://a/\" is not an origin\n" },
		{ "store postgresql \"host=db dbname=r user=r\"\n" LISTEN_LINE,
		    "t:1: store postgresql: the host has to be an address, "
		    "such as 127.0.0.1, or to have one: hostaddr=...\n" },
		{ "store postgresql \"host=a_b hostaddr=::1 dbname=r user=r\"\n"
		    LISTEN_LINE, "t:1: store postgresql: the host is neither "
		    "an address nor a name\n" },
		{ "store postgresql \"host=a hostaddr=b dbname=r user=r\"\n"
		    LISTEN_LINE, "t:1: store postgresql: hostaddr has to be "
		    "an address, such as 127.0.0.1\n" },
		{ "store postgresql \"host=/run hostaddr=::1 dbname=r user=r\"\n"
		    LISTEN_LINE, "t:1: store postgresql: a socket has no "
		    "address\n" },
		{ "store postgresql \"host=::1 sslmode=disable\"\n" LISTEN_LINE,
		    "t:1: store postgresql: TLS is said by: ca file "
		    "\"...\"\n" },
		{ "store postgresql \"host=/run/postgresql dbname=r user=r\"\n"
		    LISTEN_LINE, "t: store postgresql: the socket has to be "
		    "in a directory in the store's\n" },
		{ "store postgresql \"host=/s/pg dbname=r user=r\" directory "
		    "\"/s\" ca file \"/c\"\n" LISTEN_LINE, "t: store "
		    "postgresql: a socket has no TLS\n" },
		{ "store postgresql \"host=::1 dbname=r\"\n" LISTEN_LINE,
		    "t:1: store postgresql: host, dbname and user are "
		    "needed\n" },
		{ "store postgresql \"host=::1 password=geheim\"\n" LISTEN_LINE,
		    "t:1: store postgresql: a password is kept in a file: "
		    "password file \"...\"\n" },
		{ "store postgresql \"host=::1 dbname='a' user=r\"\n"
		    LISTEN_LINE, "t:1: store postgresql: a word is too long, "
		    "or quoted\n" },
		{ "store postgresql \"host=::1 port=0\"\n" LISTEN_LINE,
		    "t:1: store postgresql: the port is no number\n" },
		{ "store postgresql \"host=::1 service=x\"\n" LISTEN_LINE,
		    "t:1: store postgresql: only host, hostaddr, port, "
		    "dbname and user can be said\n" },
		{ "store postgresql \"host=::1 dbname=r user=r\" directory "
		    "\"x\"\n" LISTEN_LINE, "t:1: store ... directory: "
		    "\"x/relayd.db\" is not an absolute path\n" },
		{ "store postgresql \"host=::1 dbname=r user=r\" connections "
		    "1\n" LISTEN_LINE, "t:1: store ... connections: 1 is out "
		    "of range 2 to 16\n" },
		/* Words of a later version. */
		{ "redis \"redis://x\"\n" LISTEN_LINE, "t:1: redis: "
		    "\"redis://x\": an address is needed, and no name\n" },
		{ "redis \"redis://:p@127.0.0.1\"\n" LISTEN_LINE, "t:1: "
		    "redis: \"redis://:p@127.0.0.1\": a password belongs "
		    "into a file of its own\n" },
		{ "redis \"redis://a b@127.0.0.1\"\n" LISTEN_LINE, "t:1: "
		    "redis: \"redis://a b@127.0.0.1\": its user is none\n" },
		{ "redis \"redis://@127.0.0.1\"\n" LISTEN_LINE, "t:1: "
		    "redis: \"redis://@127.0.0.1\": its user is none\n" },
		{ "redis \"redis://127.0.0.1:0\"\n" LISTEN_LINE, "t:1: "
		    "redis: \"redis://127.0.0.1:0\": its port is 1 to "
		    "65535\n" },
		{ "redis \"redis://[::1]:6379/1024\"\n" LISTEN_LINE, "t:1: "
		    "redis: \"redis://[::1]:6379/1024\": the number of its "
		    "database is 0 to 1023\n" },
		{ "relay { session lifetime 1h\n peer wait 2m }\n" LISTEN_LINE,
		    "t: relay: \"oidc issuer\" is needed, or \"no auth\"\n" },
		{ LISTEN_LINE "listen on 10.1.2.3 port 2\n"
		    "relay { no auth }\n", "t: relay: no auth: whoever "
		    "reaches 10.1.2.3 could make sessions; \"no auth\" twice "
		    "says that this is meant\n" },
		{ LISTEN_LINE "relay { no auth allow origin \"[a\" }\n",
		    "t:2: allow origin: \"[a\" is no pattern\n" },
		{ LISTEN_LINE "relay { no auth allow origin \"a\\\\\" }\n",
		    "t:2: allow origin: \"a\\\" is no pattern\n" },
		{ "pair { paired lifetime 149s }\n" LISTEN_LINE, "t:1: paired "
		    "lifetime: 149s is out of range 150s to 1d\n" },
		{ "listen on ::1 port 1 pair tunnel\n", "t:1: listen: nobody "
		    "pairs or meets on an internal or tunnel listener\n" },
		{ "listen on ::1 port 1 relay\n", "t:1: listen: relay sessions "
		    "are on each front listener; \"relay only\" has nothing "
		    "else\n" },
		{ "listen on ::1 port 1 internal relay only\n", "t:1: listen: "
		    "nobody pairs or meets on an internal or tunnel listener\n" },
		{ "listen on ::1 port 1 proxy protocol\n", "t: listen: proxy "
		    "protocol is taken from a \"trusted proxy\", and there is "
		    "none\n" },
		{ LISTEN_LINE "listen on ::1 port 2 peer\n", "t: listen: peer: "
		    "there is no cluster\n" },
		{ LISTEN_LINE MEMBER("") "listen on ::1 port 2 peer tls {\n"
		    "cert \"/a\" key \"/b\" }\n", "t: listen: peer: tls needs "
		    "\"peer tls ca file\" in cluster { }\n" },
		{ LISTEN_LINE MEMBER("peer tls ca file \"/c\"\n") "listen on "
		    "::1 port 2 peer\n", "t: listen: peer: with \"peer tls\" it "
		    "needs \"tls { cert ... key ... }\"\n" },
		{ LISTEN_LINE MEMBER("peer tls ca file \"/c\"\n") "listen on "
		    "::1 port 2 tls { cert \"/a\" key \"/b\" }\n", "t: cluster: "
		    "peer tls: there is no \"listen on ... peer tls { ... }\"\n" },
		{ MEMBER("peer tls ca file \"c\"\n") LISTEN_LINE, "t:7: peer "
		    "tls ca file: \"c\" is not an absolute path\n" },
		{ LISTEN_LINE "listen on ::1 port 2 peer tunnel\n", "t:2: "
		    "listen: a listener for peers is for nothing else\n" },
		{ LISTEN_LINE "listen on ::1 port 2 metrics proxy protocol\n"
		    "trusted proxy ::1\n", "t:2: listen: metrics know no proxy "
		    "protocol\n" },
		{ LISTEN_LINE "listen on ::1 port 2 only\n", "t:2: listen: "
		    "only what? \"pair only\"\n" },
		{ "tls { x }\n" LISTEN_LINE, "t:1: \"tls\" cannot stand "
		    "here\n" },
		{ "listen on ::1 port 1 tls\n", "t:1: unexpected end of line; "
		    "expected {\n" },
		{ "listen on ::1 port 1 tls {\n}\n", "t:2: tls: no "
		    "\"cert ... key ...\"\n" },
		{ "listen on ::1 port 1 internal tls { cert \"/a\" key "
		    "\"/b\" }\n", "t:1: listen: tls is for the front, for "
		    "tunnels and for peers\n" },
		{ LISTEN_LINE "listen on ::1 port 1 metrics tls { cert \"/a\" "
		    "key \"/b\" }\n", "t:2: listen: tls is for the front, "
		    "for tunnels and for peers\n" },
		{ "listen on ::1 port 1 tls { cert \"a\" key \"/b\" }\n",
		    "t:1: cert: \"a\" is not an absolute path\n" },
		{ "listen on ::1 port 1 tls { cert \"/a\" key \"b\" }\n",
		    "t:1: cert: \"b\" is not an absolute path\n" },
		{ "listen on ::1 port 1 tls { cert \"/a\" key \"/b\"\n"
		    "cert \"/a\" key \"/b\" }\n",
		    "t:2: cert: \"/a\" is given twice\n" },
		{ "listen on ::1 port 1 tls { cert \"/a\" key \"/b\" }\n"
		    "listen on ::1 port 2 tls { cert \"/a\" key \"/c\" }\n",
		    "t:2: cert: \"/a\" is given twice\n" },
		{ LISTEN_LINE "listen on 10.0.0.1 port 2 metrics\n", "t:2: "
		    "listen: metrics ask for no password, and 10.0.0.1 is not "
		    "of this machine alone; \"metrics public\" says that this "
		    "is meant\n" },
		{ LISTEN_LINE "listen on :: port 2 metrics\n", "t:2: "
		    "listen: metrics ask for no password, and :: is not "
		    "of this machine alone; \"metrics public\" says that this "
		    "is meant\n" },
		{ LISTEN_LINE "listen on 127.0.0.1 port 2 metrics tunnel\n",
		    "t:2: listen: a listener for metrics is for nothing "
		    "else\n" },
		{ LISTEN_LINE "listen on 127.0.0.1 port 2 public\n",
		    "t:2: listen: only metrics are public or not\n" },
		{ LISTEN_LINE "listen on 127.0.0.1 port 1 metrics\n",
		    "t:2: listen: 127.0.0.1 port 1 is given twice\n" },
		{ "listen on 127.0.0.1 port 1 metrics\n",
		    "t: no \"listen on ... port ...\"\n" },
	};
	struct conf	c;
	size_t		i;
	int		n;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		n = parse(&c, t[i].text);
		is_str(said, t[i].said, "errors of text %zu", i);
		ok(n > 0, "and their number is not 0");
	}
}

static void
limits(void)
{
	struct conf	c;
	char		text[65536];
	size_t		len = 0;
	int		i;

	for (i = 0; i < 3 * CFG_ERRORS_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "bogus\n");
	ok(parse(&c, text) >= CFG_ERRORS_MAX, "many errors end the parsing");
	for (len = 0, i = 0; i < CONF_LISTEN_MAX; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "listen on ::1 port %d\n", i + 1);
	is_int(parse(&c, text), 0, "%d listeners fit", CONF_LISTEN_MAX);
	strlcat(text, "listen on ::1 port 99\n", sizeof(text));
	is_int(parse(&c, text), 1, "one more does not");
	memset(text, 'a', 2000);
	strlcpy(text + 2000, "\n", 8);
	ok(parse(&c, text) > 0, "a word that is too long");
	memset(text, 'a', 2000);
	memcpy(text, "store sqlite \"/", 15);
	strlcpy(text + 2000, "\"\n", 8);
	ok(parse(&c, text) > 0, "a string that is too long");
}

static void
values(void)
{
	static const char	text[] =
	    "# comment\n"
	    "port = 8080 # and its use\n"
	    "host = \"127.0.0.1\"\n"
	    "life = 2h\n"
	    "store sqlite \"/a \\\"b\\\" \\\\ c.db\" max 5G\n"
	    "listen on $host port $port internal tunnel\n"
	    "listen on :: \\\n"
	    "    port 0 proxy protocol\n"
	    "listen on ::1 port 9464 metrics\n"
	    "listen on 10.1.2.3 port 9464 metrics public\n"
	    "trusted proxy 10.0.0.0/8\ntrusted proxy ::1\n"
	    "max startups 1:2:3\n"
	    "penalty authfail 7s\npenalty noauth 0s\npenalty crash 2m\npenalty min 1m\n"
	    "penalty max 1h\npenalty exempt 10.0.0.0/8\n"
	    "ca file \"/etc/ca.pem\"\noidc refresh 20s\noidc unknown key 5s\n"
	    "oidc keep keys 2d\noidc timeout 3s\noidc clock skew 0s\n"
	    "oidc issuer \"https://idp.example:8443/a\" {\n"
	    "audience \"re \\\"layd\"\naudience b\nprefix \"x:\"\n"
	    "claim role a.b claim user \"sub\"\nfixed organization \"o 1\"\n"
	    "map role lead to owner }\n"
	    "oidc issuer \"https://other.example/\" {\n"
	    "console client web scope \"openid x\" resource r\n"
	    "keys \"https://keys.example/certs\" audience c }\n"
	    "keep sessions 7d max 20\n"
	    "keep log 90d\nkeep audit 30d max 5000\nkeep refusals 1d\n"
	    "keep recordings 30d\n"
	    "record terminals\n"
	    "recording directory rec-1 max 2G each 1M free 3G\n"
	    "control socket /run/x.sock\n"
	    "control socket /run/y.sock read only group \"monitor\"\n"
	    "tunnel { path \"/a\" path /b\n grace 90s start-up grace 24h "
	    "max tunnels 5 require reconnect token replace live tunnel no\n"
	    "allow loopback targets "
	    "rate limit slot 7 per 5m credit per tunnel 2M }\n"
	    "tunnel { max streams per tunnel 9 }\n"
	    "operator { proxy domain \"Support.Example\" scheme http\n"
	    "jwt issuer \"i\" audience \"a\" proxy token lifetime $life\n"
	    "console origin \"https://c.example:8443\" }\n"
	    "relay { no auth no auth peer wait 3m allow origin \"*.x\"\n"
	    "max message 1M base url \"wss://r\" }";
	struct conf	c;

	is_int(parse(&c, text), 0, "a good text has no errors: %s", said);
	is_str(c.store_path, "/a \"b\" \\ c.db", "string with escapes");
	is_int(c.store_max, 5368709120LL, "size");
	is_int(c.n_listen, 2, "listeners");
	is_int(c.n_metrics, 2, "listeners for metrics");
	is_int(c.listen[0].port, 8080, "macro with a keyword's name");
	is_str(c.listen[0].address, "127.0.0.1", "macro from a string");
	is_int(c.listen[0].flags, LISTEN_INTERNAL | LISTEN_TUNNEL, "flags");
	is_str(c.listen[1].address, "::", "a line that goes on");
	is_int(c.listen[1].flags, LISTEN_PROXY, "and its flag");
	is_int(c.n_trusted_proxy, 2, "networks");
	is_int(c.startups_full, 3, "startups");
	ok(c.n_issuer == 2 && c.n_issuer_keys == 2 && c.n_issuer_rule == 8,
	    "identity providers, and what is said of them");
	is_str(c.issuer[0], "https://idp.example:8443/a", "the first");
	is_str(c.console_issuer, "https://other.example/", "the console's");
	ok(strcmp(c.console_client, "web") == 0 && strcmp(c.console_scope,
	    "openid x") == 0 && strcmp(c.console_resource, "r") == 0,
	    "how it signs in there");
	is_str(c.issuer_keys[0], "", "its keys are to be found");
	is_str(c.issuer_keys[1], "https://keys.example/certs", "the other's");
	is_str(c.issuer_rule[0], "0\taudience\t\tre \"layd\t", "an audience");
	is_str(c.issuer_rule[3], "0\tclaim\trole\ta.b\t", "a claim");
	is_str(c.issuer_rule[6], "0\tmap\trole\tlead\towner", "a word");
	is_str(c.issuer_rule[7], "1\taudience\t\tc\t", "the other's");
	ok(c.keys_refresh == 20 && c.keys_floor == 5 && c.keys_keep == 172800
	    && c.keys_timeout == 3 && c.clock_skew == 0, "their times");
	is_int(c.penalty_authfail, 7, "a penalty");
	is_int(c.penalty_noauth, 0, "none");
	is_int(c.penalty_crash, 120, "a crash's");
	is_int(c.penalty_min, 60, "from when on");
	is_int(c.penalty_max, 3600, "and how long");
	is_str(c.penalty_exempt[0], "10.0.0.0/8", "and for whom not");
	is_int(c.keep_sessions, 604800, "how long sessions are kept");
	is_int(c.keep_sessions_max, 20, "and how many");
	is_int(c.keep_log, 7776000, "and the log");
	is_int(c.keep_log_max, 5000000, "of which there may be many");
	ok(c.keep_audit == 2592000 && c.keep_audit_max == 5000,
	    "and what was done");
	ok(c.keep_refusals == 86400 && c.keep_refusals_max == 1000000,
	    "and refused");
	is_int(c.keep_recordings, 2592000, "and recordings");
	ok(c.record_terminals && strcmp(c.recording_dir, "rec-1") == 0 &&
	    c.recording_max == 2147483648U && c.recording_each == 1048576 &&
	    c.recording_free == 3221225472U,
	    "terminals are recorded, where, and how much");
	is_str(c.control_path, "/run/x.sock", "control socket");
	is_str(c.looking_path, "/run/y.sock", "one for looking");
	is_str(c.looking_group, "monitor", "and for whom");
	ok(c.relay == 1 && c.relay_no_auth == 2 && c.relay_wait == 180 &&
	    c.relay_message == 1048576 && c.n_relay_origin == 1 &&
	    strcmp(c.relay_base, "wss://r") == 0, "rendezvous");
	is_int(c.grace, 90, "seconds");
	is_int(c.startup_grace, 86400, "hours");
	is_int(c.rate_slot_s, 300, "minutes");
	is_int(c.require_reconnect_token, 1, "a bare word means yes");
	is_int(c.replace_live, 0, "no");
	is_int(c.allow_loopback, 1, "loopback");
	is_int(c.max_streams, 9, "a second block adds");
	is_int(c.n_tunnel_path, 2, "paths");
	is_str(c.proxy_domain, "support.example", "domain in lower case");
	is_int(c.proxy_port, 80, "plain http has port 80");
	is_int(c.proxy_token_lifetime, 7200, "duration from a macro");
	is_str(c.jwt_audience, "a", "audience");
	is_str(c.console_origin[0], "https://c.example:8443", "origin");
	is_int(parse(&c, LISTEN_LINE), 0, "defaults");
	is_int(c.n_tunnel_path, 2, "tunnel paths have a default");
	is_str(c.tunnel_path[0], "/support/api/tunnel", "the first");
}

/* Member by member: there is padding between them. */
static int
conf_same(const struct conf *a, const struct conf *b)
{
	unsigned	i;

#define X(member, def, min, max, unit, roles, keyword)			\
	if (a->member != b->member)					\
		return (0);
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword)				\
	if (strcmp(a->member, b->member) != 0)				\
		return (0);
	CONF_STRINGS(X)
#undef X
#define X(member, many, size, roles, keyword)				\
	if (a->n_##member != b->n_##member)				\
		return (0);						\
	for (i = 0; i < a->n_##member; i++)				\
		if (strcmp(a->member[i], b->member[i]) != 0)		\
			return (0);
	CONF_LISTS(X)
#undef X
	for (i = 0; i < a->n_listen; i++)
		if (strcmp(a->listen[i].address, b->listen[i].address) != 0 ||
		    a->listen[i].port != b->listen[i].port ||
		    a->listen[i].flags != b->listen[i].flags)
			return (0);
	for (i = 0; i < a->n_cert; i++)
		if (strcmp(a->cert[i].chain, b->cert[i].chain) != 0 ||
		    strcmp(a->cert[i].key, b->cert[i].key) != 0 ||
		    a->cert[i].listeners != b->cert[i].listeners)
			return (0);
	return (a->n_listen == b->n_listen && a->n_cert == b->n_cert &&
	    a->max_tunnels_given == b->max_tunnels_given);
}

/* Print and parse back: the same, whatever was set. */
static void
round_trip(const struct conf *c, const char *what)
{
	static struct conf	 back;
	char			*text = NULL;
	size_t			 len = 0;
	FILE			*f = open_memstream(&text, &len);

	cfg_print(c, f);
	(void)fclose(f);
	said[0] = '\0';
	is_int(cfg_parse_text(&back, "p", text, len, note, NULL), 0,
	    "what is printed parses back (%s): %s", what, said);
	ok(conf_same(c, &back), "and is the same (%s)", what);
	if (strcmp(what, "defaults") == 0)
		ok(strstr(text, "keep log 400d max 5000000\n") != NULL &&
		    strstr(text, " each 100M free 512M max 10G\n") != NULL,
		    "in the units that people write");
	free(text);
}

static void
printing(void)
{
	static struct conf	low, high;
	unsigned		i;

	(void)parse(&low, LISTEN_LINE);
	round_trip(&low, "defaults");
	(void)parse(&high, LISTEN_LINE "listen on ::1 port 2 tls { cert \"/a\" "
	    "key \"/b\" }\nlisten on ::1 port 3 tunnel tls {\n\n\tcert "
	    "\"/c\"\n\tkey \"/d\"\n\tcert \"/a\" key \"/b\"\n}\n");
	is_int(high.n_cert, 2, "a certificate of two listeners is one");
	is_int(high.cert[0].listeners, 3, "for both");
	is_int(high.cert[1].listeners, 2, "and one for the second alone");
	round_trip(&high, "certificates");
	is_int(parse(&high, LISTEN_LINE MEMBER("peer tls ca file \"/c\"\n")
	    "listen on ::1 port 2 peer tls { cert \"/a\" key \"/b\" }\n"), 0,
	    "TLS between members: %s", said);
	is_str(high.cluster_ca_file, "/c", "by whom");
	round_trip(&high, "members");
	high = low;
	low.max_tunnels_given = high.max_tunnels_given = 1;
	/* Every number at its ends, so that none is forgotten. */
#define X(member, def, min, max, unit, roles, keyword)			\
	low.member = min;						\
	high.member = max;
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword)				\
	memset(high.member, 'x', (size) - 1);				\
	high.member[0] = '/';
	CONF_STRINGS(X)
#undef X
	high.looking_path[1] = 'y';	/* one of its own */
	high.recording_dir[0] = 'x';	/* a name */
	high.redis_environment[0] = 'x';
	/* The console's issuer is one of the list. */
	high.n_issuer = high.n_issuer_keys = high.n_issuer_rule = 1;
	strlcpy(high.issuer[0], "https://i.example", sizeof(high.issuer[0]));
	strlcpy(high.issuer_rule[0], "0\taudience\t\ta\t",
	    sizeof(high.issuer_rule[0]));
	strlcpy(high.console_issuer, high.issuer[0],
	    sizeof(high.console_issuer));
	high.redis_user[0] = 'x';
	strlcpy(high.redis_host, "2001:db8::1", sizeof(high.redis_host));
	strlcpy(low.redis_host, "127.0.0.1", sizeof(low.redis_host));
	strlcpy(low.redis_user, "relayd", sizeof(low.redis_user));
	strlcpy(high.proxy_domain, "a.example", sizeof(high.proxy_domain));
	strlcpy(low.proxy_domain, "a.b", sizeof(low.proxy_domain));
	high.n_console_origin = 8;
	high.n_trusted_proxy = 16;
	high.n_tunnel_path = 8;
	for (i = 0; i < 8; i++)
		snprintf(high.console_origin[i],
		    sizeof(high.console_origin[i]), "http://h%u", i);
	for (i = 0; i < 8; i++)
		snprintf(high.tunnel_path[i], sizeof(high.tunnel_path[i]),
		    "/%u", i);
	high.n_penalty_exempt = 16;
	for (i = 0; i < 16; i++) {
		snprintf(high.trusted_proxy[i],
		    sizeof(high.trusted_proxy[i]), "10.0.%u.0/24", i);
		snprintf(high.penalty_exempt[i],
		    sizeof(high.penalty_exempt[i]), "10.1.%u.0/24", i);
	}
	/* A file, and then a server. */
	low.store_connections = high.store_connections = 5;
	low.store_port = high.store_port = 5432;
	high.store_server[0] = high.store_password_file[0] = '\0';
	high.store_ca_file[0] = '\0';
	/* Of members only with a server. */
	high.cluster_name[0] = high.cluster_address[0] = '\0';
	high.cluster_secret_file[0] = high.cluster_ca_file[0] = '\0';
	high.cluster_port = 0;
	round_trip(&low, "least");
	round_trip(&high, "most");
	high.store_max = 4294967296;
	high.store_connections = 16;
	high.store_port = 65535;
	strlcpy(high.store_server, "host=::1 port=65535 dbname=a user=b",
	    sizeof(high.store_server));
	strlcpy(high.store_path, "/s/relayd.db", sizeof(high.store_path));
	memset(high.cluster_name, 'x', sizeof(high.cluster_name) - 1);
	strlcpy(high.cluster_address, "a-1.b:c", sizeof(high.cluster_address));
	strlcpy(high.cluster_secret_file, "/x",
	    sizeof(high.cluster_secret_file));
	high.cluster_port = 65535;
	strlcpy(high.store_ca_file, "/c", sizeof(high.store_ca_file));
	strlcpy(high.store_password_file, "/p",
	    sizeof(high.store_password_file));
	round_trip(&high, "a server");
}

static void
write_file(const char *dir, const char *name, const char *text)
{
	char	path[512];
	FILE	*f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((f = fopen(path, "w")) == NULL)
		bail_out("cannot write");
	if (fputs(text, f) == EOF || fclose(f) == EOF)
		bail_out("cannot write");
}

static void
includes(void)
{
	static const char *const	names[] = { "main", "part", "open",
	    "loop" };
	struct conf	c;
	char		dir[] = "/tmp/parse_test.XXXXXX", path[512];
	size_t		i;

	if (mkdtemp(dir) == NULL)
		bail_out("mkdtemp");
	write_file(dir, "main", "p = 7\ninclude \"part\"\nproxyd 3\nbogus\n");
	write_file(dir, "part", "listen on ::1 port $p\nproxyd 2\n");
	write_file(dir, "open", "include main\ntunnel {\n");
	write_file(dir, "loop", "include \"loop\"\n");
	snprintf(path, sizeof(path), "%s/main", dir);
	said[0] = '\0';
	is_int(cfg_parse_file(&c, path, note, NULL), 2, "included: 2 errors");
	ok(strstr(said, "/main:3: proxyd was set before, in line 2\n") != NULL,
	    "the line of the file that includes is right");
	ok(strstr(said, "/main:4: unknown word") != NULL, "behind it, too");
	is_int(c.listen[0].port, 7, "macros reach included files");
	snprintf(path, sizeof(path), "%s/open", dir);
	ok(cfg_parse_file(&c, path, note, NULL) > 0, "an open block");
	snprintf(path, sizeof(path), "%s/loop", dir);
	said[0] = '\0';
	ok(cfg_parse_file(&c, path, note, NULL) > 0, "a loop ends");
	ok(strstr(said, "too deeply") != NULL, "with a reason");
	said[0] = '\0';
	is_int(cfg_parse_file(&c, "/nonexistent/x", note, NULL), 1, "no file");
	is_str(said, "/nonexistent/x: No such file or directory\n",
	    "is named, once");
	for (i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
}

/* A macro's name in a string: taken as it is, and said. */
static void
quoted(void)
{
	static struct conf	c;

	is_int(parse(&c, "a = \"7\"\nab = \"8\"\nlisten on ::1 port $a\n"
	    "listen on ::1 port $ab\nstore sqlite \"/$a/$ab/$b/$.db\"\n"), 0,
	    "macros in a string: no error");
	is_str(c.store_path, "/$a/$ab/$b/$.db", "they stay as they are");
	is_str(said, "t:5: warning: \"$a\" in a string stays as it is: a macro "
	    "is not replaced within quotes\nt:5: warning: \"$ab\" in a string "
	    "stays as it is: a macro is not replaced within quotes\n",
	    "which is said, of those that there are");
	is_int(parse(&c, LISTEN_LINE "a = \"/x\"\nstore sqlite \"/$a\"\n"), 1,
	    "used in a string alone it is not used");
	ok(strstr(said, "t:3: warning: ") != NULL &&
	    strstr(said, "a macro that nothing uses") != NULL, "both are said");
	is_int(parse(&c, LISTEN_LINE "store sqlite \"/$a\"\na = \"/x\"\n"
	    "log format $a\n"), 1, "before it is there");
	ok(strstr(said, "warning") == NULL, "no macro, no warning");
}

int
main(void)
{
	errors();
	quoted();
	limits();
	values();
	printing();
	includes();
	return (done_testing());
}
