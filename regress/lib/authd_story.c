/* SPDX-License-Identifier: ISC */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd_story.h"
#include "base/compat.h"

struct drive	authd;
struct far	parent = { .fd = -1 };
struct conf	drive_conf;
unsigned	dropped[IMSG_COUNT];
char		api_message[MESSAGE_SIZE], api_data[1 << 20];

/* What authd told the parent about who is bound, newest last. */
static struct {
	uint64_t	instance, generation;
	uint64_t	since;
	char		system[ID_SIZE], session[UUID_SIZE], addr[ADDR_SIZE];
} bounds[4096];
static unsigned	nbounds;

static void
on_dropped(const struct imsg *m)
{
	struct msg_bound	in;

	dropped[m->type]++;
	if (get_bound(m, &in) == -1)
		return;
	if (nbounds == sizeof(bounds) / sizeof(bounds[0]))
		nbounds = 0;
	bounds[nbounds].instance = in.instance;
	bounds[nbounds].generation = in.generation;
	bounds[nbounds].since = in.since;
	strlcpy(bounds[nbounds].addr, in.addr, ADDR_SIZE);
	strlcpy(bounds[nbounds].system, in.system, ID_SIZE);
	strlcpy(bounds[nbounds].session, in.session, UUID_SIZE);
	nbounds++;
}

static void
bound_find(struct tunnel *t)
{
	unsigned	i;

	for (;;) {
		for (i = 0; i < nbounds; i++)
			if (bounds[i].instance == t->mux->instance)
				break;
		if (i < nbounds)
			break;
		on_dropped(hear(parent.fd, bound, NULL));
	}
	if (strcmp(bounds[i].session, t->session) != 0)
		bail("BOUND names another session");
	strlcpy(t->system, bounds[i].system, sizeof(t->system));
	t->generation = bounds[i].generation;
}

void
authd_init(void)
{
#ifndef RELAYD_TESTING
	printf("1..0 # SKIP the clock moves in a test build only\n");
	exit(0);
#endif
	drive_dropped = on_dropped;
	world_init(&drive_conf);
}

void
authd_start(int all)
{
	drive_start(&authd, ROLE_AUTHD, &drive_conf);
	parent.fd = authd.parent;
	if (all)
		say(parent.fd, spawned_all);
}

int
authd_stop(void)
{
	say(parent.fd, stop);
	return (drive_wait(&authd));
}

static uint64_t	last_instance;

static struct far *
spawned(int role, uint64_t nonce, int bound, uint64_t instance,
    const char *system, const char *session, uint64_t gen)
{
	struct far	*p;
	unsigned	 i;
	int		 sv[2], known;

	if ((p = calloc(1, sizeof(*p))) == NULL || imsg_pair(sv) == -1)
		bail("spawn");
	p->fd = sv[0];
	p->instance = instance;
	for (i = nbounds; bound && i-- > 0;)
		if (bounds[i].instance == instance)
			break;
	known = bound && i < nbounds;
	say_fd(parent.fd, 0, sv[1], spawned, .nonce = nonce,
	    .instance = instance, .role = (uint8_t)role,
	    .bound = (uint8_t)bound, .system = system, .session = session,
	    .generation = gen, .addr = known ? bounds[i].addr : "",
	    .since = known ? bounds[i].since : 0);
	return (p);
}

struct far *
drive_spawn(int role, uint64_t nonce)
{
	return (spawned(role, nonce, 0, ++last_instance, "", "", 0));
}

struct far *
drive_spawn_kept(int role, uint64_t instance, uint64_t nonce)
{
	return (spawned(role, nonce, 0, instance, "", "", 0));
}

struct far *
drive_spawn_bound(int role, uint64_t instance, const char *system,
    const char *session, uint64_t gen)
{
	return (spawned(role, 0, 1, instance, system, session, gen));
}

void
far_close(struct far *p)
{
	if (p == NULL)
		return;
	close(p->fd);
	free(p);
}

uint32_t
next_id(struct far *p)
{
	return (++p->last_id);
}

/* Receiving. */

int
get_end(struct far *p)
{
	struct imsg	m;
	int		r;

	while ((r = hear_any(p->fd, &m, WAIT_MS)) > 0)
		shut(&m.fd);
	return (r == -1 ? 0 : -1);
}

int
get_none(struct far *p, uint32_t type)
{
	struct imsg	m;
	int		r;

	while ((r = hear_any(p->fd, &m, 0)) > 0) {
		shut(&m.fd);
		if (r == (int)type)
			return (-1);
	}
	return (0);
}

/* Stories. */

uint64_t
admit(struct far *p, const char *addr, int *status)
{
	struct msg_admitted	in;

	say_id(p->fd, next_id(p), admit, .class = CLASS_TUNNEL, .addr = addr);
	(void)hear(p->fd, admitted, &in);
	if (status != NULL)
		*status = in.status;
	return (in.nonce);
}

static void
rows_take(struct rows *rows, const struct msg_ctl_row *in)
{
	uint32_t	i;

	if (rows->n >= 600)
		bail("too many rows");
	for (i = 0; i < in->cells.n; i++)
		rows->row[rows->n].cell[i] = strdup(in->cells.v[i]);
	rows->row[rows->n++].n = in->cells.n;
}

int
ctl(struct far *p, struct rows *rows, int op, ...)
{
	struct msg_ctl		 ask = { .version = CTL_VERSION,
	    .op = (uint16_t)op, .force = 1 };
	struct msg_ctl_row	 row;
	struct msg_ctl_done	 done;
	const char		*s;
	struct imsg		 m;
	va_list			 ap;

	memset(rows, 0, sizeof(*rows));
	va_start(ap, op);
	while ((s = va_arg(ap, const char *)) != NULL)
		ask.words.v[ask.words.n++] = s;
	va_end(ap);
	drive_say(p->fd, IMSG_CTL, next_id(p), -1, &ask);
	while (hear_any(p->fd, &m, WAIT_MS) == IMSG_CTL_ROW &&
	    get_ctl_row(&m, &row) == 0)
		rows_take(rows, &row);
	if (get_ctl_done(&m, &done) == -1)
		bail("no CTL_DONE");
	strlcpy(rows->text, done.text, sizeof(rows->text));
	return (done.code);
}

const char *
cell(const struct rows *rows, unsigned row, const char *column)
{
	unsigned	i;

	if (row >= rows->n)
		return ("");
	for (i = 0; i < rows->row[0].n; i++)
		if (strcmp(rows->row[0].cell[i], column) == 0)
			return (rows->row[row].cell[i]);
	return ("");
}

void
rows_free(struct rows *rows)
{
	unsigned	i, j;

	for (i = 0; i < rows->n; i++)
		for (j = 0; j < rows->row[i].n; j++)
			free(rows->row[i].cell[j]);
	rows->n = 0;
}

unsigned long
stat_of(struct far *control, const char *name)
{
	static struct rows	rows;
	unsigned		i;
	unsigned long		v = 0;

	ctl(control, &rows, CTL_SHOW_STATS, CTL_END);
	for (i = 1; i < rows.n; i++)
		if (strcmp(cell(&rows, i, "name"), name) == 0)
			v = strtoul(cell(&rows, i, "value"), NULL, 10);
	rows_free(&rows);
	return (v);
}

void
drive_sync(struct far *control)
{
	unsigned long	turns = stat_of(control, "turns");

	/* The one that answered, in which others may not have been read yet. */
	while (stat_of(control, "turns") < turns + 2)
		continue;
}

void
system_add(struct far *control, struct tunnel *t, const char *org)
{
	static struct rows	rows;

	memset(t, 0, sizeof(*t));
	if (ctl(control, &rows, CTL_SYSTEM_ADD, "Office", org, CTL_END) != 0)
		bail("system add");
	strlcpy(t->system, cell(&rows, 1, "id"), sizeof(t->system));
	strlcpy(t->key, cell(&rows, 1, "key"), sizeof(t->key));
	strlcpy(t->secret, cell(&rows, 1, "secret"), sizeof(t->secret));
	drive_secret("a system's secret", t->secret);
	rows_free(&rows);
}

void
org_add(struct far *control, const char *name, const char *type,
    const char *above, char *id)
{
	static struct rows	rows;

	if (ctl(control, &rows, CTL_ORG_ADD, name, type, above, CTL_END) != 0)
		bail("org add %s: %s", name, rows.text);
	strlcpy(id, cell(&rows, 1, "id"), ID_SIZE);
	rows_free(&rows);
}

void
rebind(struct tunnel *t)
{
	uint64_t	instance = t->mux->instance;

	far_close(t->mux);
	t->mux = drive_spawn_bound(ROLE_MUXD, instance, t->system, t->session,
	    t->generation);
}

uint32_t
lend(struct far *mux, uint32_t want)
{
	struct msg_credit	in;

	say_id(mux->fd, next_id(mux), credit_ask, .mib = want);
	(void)hear(mux->fd, credit, &in);
	return (in.mib);
}

void
login_say(struct tunnel *t, uint64_t nonce, const char *node,
    const char *token, const char *addr)
{
	t->mux = drive_spawn(ROLE_MUXD, nonce);
	say_id(t->mux->fd, next_id(t->mux), login, .nonce = nonce,
	    .key = t->key, .secret = t->secret, .node = node,
	    .reconnect = token, .addr = addr);
}

void
login_send(struct far *proxyd, struct tunnel *t, const char *node,
    const char *token, const char *addr)
{
	uint64_t	nonce = admit(proxyd, addr, &t->status);

	t->mux = NULL;
	if (nonce != 0)
		login_say(t, nonce, node, token, addr);
}

void
login_wait(struct tunnel *t)
{
	struct msg_login_result	in;

	(void)hear(t->mux->fd, login_result, &in);
	t->status = in.status;
	t->retry = in.retry_s;
	strlcpy(t->message, in.message, sizeof(t->message));
	if (in.status != 0)
		return;
	strlcpy(t->session, in.session, sizeof(t->session));
	strlcpy(t->token, in.reconnect, sizeof(t->token));
	bound_find(t);
}

void
login(struct far *proxyd, struct tunnel *t, const char *node,
    const char *token, const char *addr)
{
	login_send(proxyd, t, node, token, addr);
	if (t->mux != NULL)
		login_wait(t);
}

void
manifest(struct far *mux, unsigned n)
{
	char		name[32], target[64];
	unsigned	i;

	say(mux->fd, services_begin, .version = 1, .count = n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "s%u", i);
		snprintf(target, sizeof(target), "127.0.0.1:%u", 8000 + i);
		say(mux->fd, service, .name = name, .target = target,
		    .label = "A service");
	}
	say(mux->fd, services_end);
}

void
up(struct tunnel *t, unsigned n)
{
	say(t->mux->fd, up);
	manifest(t->mux, n);
	/* An answer from the same channel: all before it has been taken. */
	say_id(t->mux->fd, next_id(t->mux), credit_ask);
	(void)hear(t->mux->fd, credit, NULL);
}

void
report_say(struct far *mux, const char *text, size_t len)
{
	report_say_of(mux, REPORT_DIAGNOSTICS, text, len);
}

void
report_say_of(struct far *mux, enum report_kind kind, const char *text,
    size_t len)
{
	size_t	off, n;

	say(mux->fd, report_begin, .kind = (uint8_t)kind,
	    .total = (uint32_t)len);
	for (off = 0; off < len; off += n) {
		n = len - off < CHUNK_MAX ? len - off : CHUNK_MAX;
		say(mux->fd, doc_chunk, .bytes = { text + off, n });
	}
	say(mux->fd, report_end);
}

void
grant(struct far *p, const char *token, const char *session,
    struct granted *g)
{
	grant_there(p, token, session, "", "", g);
}

void
grant_there(struct far *p, const char *token, const char *session,
    const char *sibling, const char *service, struct granted *g)
{
	struct msg_services_begin	table;
	struct msg_granted		in;
	struct imsg			m;
	char				slug[SLUG_SIZE] = "";
	size_t				n = 0;
	int				r;

	memset(g, 0, sizeof(*g));
	for (; *session != '\0' && n < sizeof(slug) - 1; session++)
		if (*session != '-')
			slug[n++] = *session;
	say_id(p->fd, next_id(p), grant, .token = token, .slug = slug,
	    .addr = "192.0.2.99", .sibling = sibling, .service = service);
	while ((r = hear_any(p->fd, &m, WAIT_MS)) > 0 && r != IMSG_GRANTED)
		if (get_services_begin(&m, &table) == 0) {
			g->services = table.count;
			g->tables++;
			g->anew += table.anew;
		}
	if (get_granted(&m, &in) == -1)
		bail("no GRANTED");
	g->status = in.status;
	strlcpy(g->message, in.message, sizeof(g->message));
	g->grant = in.grant;
	strlcpy(g->session, in.session, sizeof(g->session));
	strlcpy(g->operator, in.operator, sizeof(g->operator));
	g->expires = in.expires;
	strlcpy(g->reference, in.reference, sizeof(g->reference));
	g->idle_max = in.idle_max;
}

static int
opened_take(struct opened *o, struct imsg *m)
{
	struct msg_stream_opened	yes;
	struct msg_stream_refused	no;

	if (get_stream_opened(m, &yes) == 0) {
		o->stream = yes.stream;
	} else if (get_stream_refused(m, &no) == 0) {
		o->status = no.status;
		strlcpy(o->message, no.message, sizeof(o->message));
	} else {
		return (-1);
	}
	o->fd = m->fd;
	return (0);
}

void
bridge_take(struct far *mux, struct opened *o, const char *service)
{
	struct msg_stream_bridge	 in;
	struct imsg			*m = hear(mux->fd, stream_bridge, &in);

	if ((o->stream != 0 && in.stream != o->stream) ||
	    strcmp(in.service, service) != 0)
		bail("STREAM_BRIDGE of another stream");
	o->stream = in.stream;
	o->tag_len = in.tag.len;
	memcpy(o->tag, in.tag.p, in.tag.len);
	o->mux_fd = m->fd;
}

void
stream_open(struct far *p, struct far *mux, uint64_t id,
    const char *service, struct opened *o)
{
	struct imsg	m;
	int		r;

	memset(o, 0, sizeof(*o));
	o->fd = o->mux_fd = -1;
	say_id(p->fd, next_id(p), stream_open, .grant = id,
	    .service = service);
	do {
		r = hear_any(p->fd, &m, WAIT_MS);
		if (r <= 0)
			bail("no answer to STREAM_OPEN");
		if (r == IMSG_IDLE_DROP)
			say_id(p->fd, m.id, idle_dropped);
	} while (opened_take(o, &m) == -1);
	if (o->status == 0)
		bridge_take(mux, o, service);
}

void
stream_end(struct far *mux, uint64_t stream, int why, uint64_t in,
    uint64_t out)
{
	say(mux->fd, stream_end, .stream = stream, .why = (uint8_t)why,
	    .in = in, .out = out);
}

void
opened_close(struct opened *o)
{
	shut(&o->fd);
	shut(&o->mux_fd);
}

uint32_t
api_given(int op, const char *name)
{
	const struct api_param	*p = api_info((unsigned)op)->params;
	unsigned		 i;

	for (i = 0; strcmp(p[i].name, name) != 0; i++)
		continue;
	return (1U << i);
}

int
api(struct far *p, int op, const struct api *a)
{
	return (api_say(p, op, a->token, .session = a->session,
	    .service = a->service, .page = a->page,
	    .page_size = a->page_size, .sort_by = a->sort_by,
	    .sort_direction = (uint8_t)a->descending, .status = a->statuses,
	    .system_id = a->system_id));
}

int
api_tell(struct far *p, int op, struct msg_api *m)
{
	api_ask(p, op, m);
	return (api_hear(p));
}

void
api_ask(struct far *p, int op, struct msg_api *m)
{
	m->op = (uint8_t)op;
	drive_say(p->fd, IMSG_API, next_id(p), -1, m);
}

int
api_hear(struct far *p)
{
	struct msg_api_result	in;
	struct msg_doc_chunk	chunk;
	size_t			got = 0;

	(void)hear(p->fd, api_result, &in);
	strlcpy(api_message, in.message, sizeof(api_message));
	if (in.total >= sizeof(api_data))
		bail("bad API_RESULT");
	while (got < in.total) {
		(void)hear(p->fd, doc_chunk, &chunk);
		if (chunk.bytes.len == 0 || chunk.bytes.len > in.total - got)
			bail("bad API_CHUNK");
		memcpy(api_data + got, chunk.bytes.p, chunk.bytes.len);
		got += chunk.bytes.len;
	}
	api_data[got] = '\0';
	return (in.status);
}

const char *
api_str(const char *name)
{
	static char	 value[TOKEN_SIZE];
	char		 want[80];
	const char	*at, *end;

	snprintf(want, sizeof(want), "\"%s\":\"", name);
	if ((at = strstr(api_data, want)) == NULL)
		return ("");
	at += strlen(want);
	end = strchr(at, '"');
	if (end == NULL || (size_t)(end - at) >= sizeof(value))
		return ("");
	memcpy(value, at, (size_t)(end - at));
	value[end - at] = '\0';
	return (value);
}

/* Behind one JSON value; NULL at the end of the text. */
static const char *
json_skip(const char *s)
{
	int	depth = 0, quoted = 0;

	for (; *s != '\0'; s++) {
		if (quoted) {
			if (*s == '\\' && s[1] != '\0')
				s++;
			else if (*s == '"')
				quoted = 0;
		} else if (*s == '"')
			quoted = 1;
		else if (*s == '{' || *s == '[')
			depth++;
		else if (depth == 0 && strchr(",}]", *s) != NULL)
			return (s);
		else if (*s == '}' || *s == ']')
			depth--;
	}
	return (depth == 0 && !quoted ? s : NULL);
}

/* The value of a member of the object at `s`. */
static const char *
json_member(const char *s, const char *name, size_t len)
{
	if (*s != '{')
		return (NULL);
	do {
		s++;
		if (*s == '"' && strncmp(s + 1, name, len) == 0 &&
		    strncmp(s + 1 + len, "\":", 2) == 0)
			return (s + len + 3);
	} while ((s = json_skip(s)) != NULL && *s == ',');
	return (NULL);
}

const char *
api_at(const char *path)
{
	static char	 value[TOKEN_SIZE];
	const char	*s = api_data, *end;
	size_t		 len;

	for (; s != NULL && *path != '\0'; path += len + (path[len] == '.')) {
		len = strcspn(path, ".");
		s = json_member(s, path, len);
	}
	if (s == NULL || (end = json_skip(s)) == NULL ||
	    (size_t)(end - s) >= sizeof(value))
		return ("");
	memcpy(value, s, (size_t)(end - s));
	value[end - s] = '\0';
	return (value);
}

char *
operator_token(struct far *control, const char *user, const char *org,
    const char *role, const char *perms)
{
	static struct rows	 rows;
	char			*token;

	if (ctl(control, &rows, CTL_TOKEN_CREATE, user, org, role, perms,
	    "86400", CTL_END) != 0)
		bail("token create");
	token = strdup(cell(&rows, 1, "token"));
	rows_free(&rows);
	return (token);
}

void
authd_scene(struct far **control, struct far **proxyd, char **token)
{
	authd_start(1);
	*control = drive_spawn(ROLE_CONTROL, 0);
	*proxyd = drive_spawn(ROLE_PROXYD, 0);
	*token = operator_token(*control, "alice", "", "owner", "");
}

int
authd_scene_end(struct far *control, struct far *proxyd, char *token)
{
	int	status = authd_stop();

	far_close(proxyd);
	far_close(control);
	free(token);
	return (status);
}
