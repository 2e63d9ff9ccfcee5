/* SPDX-License-Identifier: ISC */
/*
 * A member of a cluster and the others, as its authd sees them: who has what,
 * who is connected to, with which header, how many at once; and what a proxyd
 * may not ask.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "regress/lib/authd_story.h"
#include "regress/lib/tap.h"

#define HEAD_LEN	116	/* peerhead.c */
#define OTHERS		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"
#define OF_GONE		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8ea"
#define NOBODYS		"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8eb"
#define SYSTEM		"11111111-0000-0000-0000-000000000000"
#define RELAYS		"AAAAAAAAAAAAAAAAAAAAAA"

static struct far	*control, *proxyd, *dialerd;

static void
member(const char *name, int port, int gone)
{
	(void)world_sql("INSERT INTO members (name, address, port, version,"
	    " started_at, beat_at) VALUES ('%s', '%s.test', %d, '1', 1, %s)",
	    name, name, port, gone ? "1" :
	    "strftime('%s', 'now') * 1000 + 900000000");
}

static void
session(const char *id, const char *system, const char *at)
{
	(void)world_sql("INSERT INTO support_sessions (id, system_id, node_id,"
	    " session_token, started_at, expires_at, status, created_at,"
	    " updated_at, generation, member) VALUES ('%s', '%s', '%s', '%s',"
	    " 1, 9999999999999, 'active', 1, 1, 1, '%s')", id, system, id, id,
	    at);
}

static const char *
where(int kind, const char *id)
{
	static char		 name[MEMBER_SIZE];
	struct msg_where_is	 in;
	struct imsg		*m;

	say_id(proxyd->fd, next_id(proxyd), where, .kind = (uint8_t)kind,
	    .session = id, .request = "");
	m = hear_next(proxyd->fd, where_is, &in);
	is_int((long)m->id, (long)proxyd->last_id, "answered");
	snprintf(name, sizeof(name), "%s", in.member);
	return (name);
}

static uint32_t
wants(struct far *p, const char *name)
{
	say_id(p->fd, next_id(p), forward, .member = name,
	    .addr = "192.0.2.7", .flags = LISTEN_INTERNAL, .request = "");
	return (p->last_id);
}

static const char *
failed(struct far *p)
{
	static char			 why[MESSAGE_SIZE];
	struct msg_forward_failed	 in;

	(void)hear_next(p->fd, forward_failed, &in);
	snprintf(why, sizeof(why), "%s", in.why);
	return (why);
}

static void
test_where(void)
{
	(void)world_sql("INSERT INTO systems (id, name, system_key,"
	    " system_secret_public, system_secret_sha256, created_at,"
	    " updated_at) VALUES ('" SYSTEM "', 'n', 'k', 'p', 's', 1, 1)");
	session(OTHERS, SYSTEM, "b");
	session(OF_GONE, SYSTEM, "d");
	session(NOBODYS, SYSTEM, "");
	(void)world_sql("INSERT INTO relay_sessions (id, initiator, responder,"
	    " channels, created_at, expires_at, moved_at, bytes_in, bytes_out,"
	    " member) VALUES ('" RELAYS "', x'00', x'00', 1, 1, 1, 1, 0, 0,"
	    " 'b')");
	is_str(where(FORWARD_SESSION, OTHERS), "b", "another has it");
	is_str(where(FORWARD_SESSION, OF_GONE), "", "who is gone has nothing");
	is_str(where(FORWARD_SESSION, NOBODYS), "", "nobody has it");
	is_str(where(FORWARD_SESSION, "11111111-2222-3333-4444-555555555555"),
	    "", "there is no such");
	is_str(where(FORWARD_RELAY, RELAYS), "b", "a relay session of b's");
	is_str(where(FORWARD_RELAY, "x"), "", "none");
	is_str(where(FORWARD_PAIR, ""), "", "all that pair meet here: a is "
	    "the first of the living");
}

static void
test_forward(void)
{
	struct msg_dial		 in;
	struct msg_peer_head_said head;
	struct imsg		*m;
	uint8_t			 b[256];
	int			 sv[2], fd;
	ssize_t			 n;
	uint32_t		 id;

	id = wants(proxyd, "b");
	m = hear_next(dialerd->fd, dial, &in);
	is_str(in.host, "b.test", "dialerd is told whom to connect to");
	stream_pair(sv);
	say_fd(dialerd->fd, m->id, sv[1], dialed);
	m = hear_next(proxyd->fd, forwarded, NULL);
	ok(m->id == id && m->fd != -1, "the proxyd has the connection");
	fd = m->fd;
	n = read(sv[0], b, sizeof(b));
	is_int((long)n, HEAD_LEN, "in which the header is there already");
	ok(memcmp(b + 26, "\xff\xff\xc0\x00\x02\x07", 6) == 0,
	    "of this client");
	say_id(proxyd->fd, next_id(proxyd), peer_head,
	    .head = { b, (size_t)n });
	(void)hear_next(proxyd->fd, peer_head_said, &head);
	ok(strstr(head.why, "for somebody else") != NULL,
	    "it is none for us");
	close(sv[0]);
	close(fd);
	(void)wants(proxyd, "b");
	m = hear_next(dialerd->fd, dial, &in);
	say_id(dialerd->fd, m->id, dial_failed, .why = "no\nroute");
	is_str(failed(proxyd), "no\\x0aroute", "nobody answers");
	(void)wants(proxyd, "c");
	ok(strstr(failed(proxyd), "another than ours") != NULL,
	    "to other ports nothing goes");
	(void)wants(proxyd, "d");
	is_str(failed(proxyd), "it is not there", "nor to who is gone");
	(void)wants(proxyd, "nobody");
	is_str(failed(proxyd), "it is not there", "nor to who never was");
}

static void
test_many(void)
{
	static const char	ours[] = "too many are being connected",
				its[] = "too many are being connected to it";
	struct far		*other = drive_spawn(ROLE_PROXYD, 0);
	struct far		*third = drive_spawn(ROLE_PROXYD, 0);
	int			 i;

	for (i = 0; i < 16; i++)
		(void)wants(proxyd, "b");
	(void)wants(proxyd, "b");
	is_str(failed(proxyd), its, "17 of one proxyd to one member");
	for (i = 0; i < 16; i++)
		(void)wants(other, "b");
	(void)wants(third, "b");
	is_str(failed(third), its, "33 of all to one member");
	for (i = 0; i < 16; i++)
		(void)wants(proxyd, "e");
	(void)wants(proxyd, "e");
	is_str(failed(proxyd), ours, "33 of one proxyd; to another than one "
	    "that takes nobody there was room");
	for (i = 0; i < 16; i++)
		(void)wants(other, "e");
	(void)wants(third, "e");
	is_str(failed(third), ours, "65 of all");
	far_close(third);
	for (i = 0; i < 64; i++)
		(void)hear_next(dialerd->fd, dial, NULL);
	far_close(dialerd);
	dialerd = drive_spawn(ROLE_DIALERD, 0);
	for (i = 0; i < 64; i++)
		(void)hear_next(dialerd->fd, dial, NULL);
	ok(1, "one that ends, as at a reload: all are asked of the next");
	drive_clock(&authd, 3000);
	for (i = 0; i < 32; i++) {
		is_str(failed(proxyd), "dialerd does not answer",
		    "it does not answer either");
		(void)failed(other);
	}
	far_close(other);
}

/* Between two of them. */
static void
test_none(void)
{
	struct imsg	*m;
	uint32_t	 id;
	int		 sv[2];

	far_close(dialerd);
	drive_sync(control);
	id = wants(proxyd, "b");
	drive_sync(control);
	dialerd = drive_spawn(ROLE_DIALERD, 0);
	m = hear_next(dialerd->fd, dial, NULL);
	stream_pair(sv);
	say_fd(dialerd->fd, m->id, sv[1], dialed);
	m = hear_next(proxyd->fd, forwarded, NULL);
	ok(m->id == id && m->fd != -1, "who asks while there is none waits "
	    "for the next");
	close(m->fd);
	close(sv[0]);
	far_close(dialerd);
	(void)wants(proxyd, "b");
	drive_sync(control);
	drive_clock(&authd, 3000);
	is_str(failed(proxyd), "there is no dialerd", "not for ever");
	dialerd = drive_spawn(ROLE_DIALERD, 0);
}

/* One that says what it may not is ended, and another takes its place. */
#define OFFENCE(what, ...) do {						\
	say_id(proxyd->fd, next_id(proxyd), __VA_ARGS__);		\
	is_int(get_end(proxyd), 0, "a proxyd is ended: %s", what);	\
	far_close(proxyd);						\
	proxyd = drive_spawn(ROLE_PROXYD, 0);				\
} while (0)

static void
test_offences(void)
{
	OFFENCE("to ourselves", forward, .member = "a", .addr = "192.0.2.7",
	    .request = "");
	OFFENCE("flags", forward, .member = "b", .addr = "192.0.2.7",
	    .flags = LISTEN_FORWARDED, .request = "");
	OFFENCE("no address", forward, .member = "b", .addr = "x",
	    .request = "");
	OFFENCE("no such kind", where, .kind = FORWARD_KINDS, .session = "",
	    .request = "");
	OFFENCE("no session's id", where, .kind = FORWARD_SESSION,
	    .session = "x", .request = "");
}

/* Where members have TLS, what authd would write is for proxyd to say in it. */
static void
test_tls(void)
{
	struct msg_forwarded		 in;
	struct msg_peer_head_said	 head;
	struct imsg			*m;
	uint8_t				 b[256];
	int				 sv[2], fd;
	uint32_t			 id = wants(proxyd, "b");

	m = hear_next(dialerd->fd, dial, NULL);
	stream_pair(sv);
	say_fd(dialerd->fd, m->id, sv[1], dialed);
	m = hear_next(proxyd->fd, forwarded, &in);
	ok(m->id == id && m->fd != -1, "with TLS the proxyd has the connection");
	fd = m->fd;
	is_int((long)in.head.len, HEAD_LEN, "and the header beside it");
	memcpy(b, in.head.p, in.head.len);
	ok(memcmp(b + 26, "\xff\xff\xc0\x00\x02\x07", 6) == 0,
	    "of this client");
	say_id(proxyd->fd, next_id(proxyd), peer_head,
	    .head = { b, HEAD_LEN });
	(void)hear_next(proxyd->fd, peer_head_said, &head);
	ok(strstr(head.why, "for somebody else") != NULL, "a genuine one");
	close(fd);
	is_int((long)read(sv[0], b, sizeof(b)), 0, "nothing was said in the "
	    "clear");
	close(sv[0]);
}

/* authd, and who is around it; members by the first one. */
static void
begin(int first)
{
	authd_start(1);
	control = drive_spawn(ROLE_CONTROL, 0);
	proxyd = drive_spawn(ROLE_PROXYD, 0);
	dialerd = drive_spawn(ROLE_DIALERD, 0);
	(void)sql_becomes(1, "SELECT count(*) FROM sqlite_master"
	    " WHERE name = 'members'");
	drive_sync(control);
	if (first) {
		member("b", 7, 0);
		member("c", 8, 0);
		member("d", 7, 1);
		member("e", 7, 0);
	}
	drive_clock(&authd, 5000);
	drive_sync(control);
	drive_sync(control);
}

static int
end(void)
{
	far_close(dialerd);
	far_close(proxyd);
	far_close(control);
	return (authd_stop());
}

/* A proxyd that asks for a new relay session and names one that nobody has. */
static void
test_relay_named(void)
{
	struct msg_api_result	 in;

	say_id(proxyd->fd, next_id(proxyd), relay, .op = RELAY_CREATE,
	    .addr = "192.0.2.7", .session = "AAAAAAAAAAAAAAAAAAAAAA",
	    .label = "x", .channels = RELAY_CHANNELS + 1);
	(void)hear_next(proxyd->fd, api_result, &in);
	is_int(in.status, 400, "it is answered as one that names none");
}

int
main(void)
{
	authd_init();
	strlcpy(drive_conf.cluster_name, "a", MEMBER_SIZE);
	strlcpy(drive_conf.cluster_address, "a.test", PEER_SIZE);
	drive_conf.cluster_port = 7;
	begin(1);
	test_where();
	test_forward();
	test_many();
	test_none();
	test_offences();
	is_int(end(), 0, "authd leaves in order");
	strlcpy(drive_conf.cluster_ca_file, "/ca",
	    sizeof(drive_conf.cluster_ca_file));
	drive_conf.relay = drive_conf.relay_no_auth = 1;
	begin(0);
	test_tls();
	test_relay_named();
	is_int(end(), 0, "and again");
	return (done_testing());
}
