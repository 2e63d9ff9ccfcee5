/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cred/shared.h"
#include "authd/redis/said.h"
#include "base/compat.h"
#include "base/uuid.h"
#include "base/wipe_json.h"

#define KEY_PREFIX	"NETH"
#define KEY_GROUPS	8
#define KEY_LEN		(sizeof(KEY_PREFIX) - 1 + KEY_GROUPS * 5)
#define REPLY_PREFIX	"support:answers:"
#define MEMBERS_MAX	32	/* of one object */
#define DEPTH_MAX	4

int
said_is_key(const char *s, size_t len)
{
	size_t	i;

	if (len != KEY_LEN ||
	    memcmp(s, KEY_PREFIX, sizeof(KEY_PREFIX) - 1) != 0)
		return (0);
	s += sizeof(KEY_PREFIX) - 1;
	for (i = 0; i < KEY_GROUPS * 5; i++)
		if (i % 5 == 0 ? s[i] != '-' :
		    !((s[i] >= '0' && s[i] <= '9') ||
		    (s[i] >= 'A' && s[i] <= 'F')))
			return (0);
	return (1);
}

int
said_invalidate(char key[SYSKEY_SIZE], const char *text, size_t len)
{
	const char	*bar = len > KEY_LEN ? text + KEY_LEN : NULL;

	if (len < KEY_LEN || !said_is_key(text, KEY_LEN) ||
	    (bar != NULL && *bar != '|'))
		return (-1);
	if (shared_is_set(SHARED_INVALIDATE) && (bar == NULL ||
	    !shared_signed(SHARED_INVALIDATE, text, KEY_LEN, bar + 1,
	    len - KEY_LEN - 1)))
		return (-1);
	memcpy(key, text, KEY_LEN);
	key[KEY_LEN] = '\0';
	return (0);
}

/* ---- what members tell each other ---- */

/* A part up to the next bar, printable, which is taken. 0 or -1. */
static int
take_part(char *part, size_t size, const char **p, const char *end)
{
	const char	*bar = memchr(*p, '|', (size_t)(end - *p));
	size_t		 i, n;

	if (bar == NULL || (n = (size_t)(bar - *p)) >= size)
		return (-1);
	for (i = 0; i < n; i++)
		if ((*p)[i] < ' ' || (*p)[i] > '~')
			return (-1);
	memcpy(part, *p, n);
	part[n] = '\0';
	*p = bar + 1;
	return (0);
}

int
said_changed(struct said_changed *c, const char *text, size_t len)
{
	const char	*p = text, *end = text + len;

	if (take_part(c->member, sizeof(c->member), &p, end) == -1 ||
	    take_part(c->session, sizeof(c->session), &p, end) == -1 ||
	    take_part(c->system, sizeof(c->system), &p, end) == -1 ||
	    !shared_signed(SHARED_CLUSTER, text, (size_t)(p - text), p,
	    (size_t)(end - p)))
		return (-1);
	return (c->session[0] == '\0' ||
	    uuid_is(c->session, strlen(c->session)) ? 0 : -1);
}

int
said_changed_make(char text[SAID_CHANGED], const struct said_changed *c)
{
	char	mac[SHARED_MAC_SIZE];
	int	n;

	n = snprintf(text, SAID_CHANGED, "%s|%s|%s|", c->member, c->session,
	    c->system);
	if (n < 0 || (size_t)n > SAID_CHANGED - sizeof(mac) ||
	    shared_sign(SHARED_CLUSTER, text, (size_t)n, mac) == -1)
		return (-1);
	memcpy(text + n, mac, sizeof(mac));
	return (0);
}

/* ---- commands ---- */

/* A name twice is two answers to one question: whose reader takes which? */
static int
is_plain(const cJSON *o, int depth)
{
	const cJSON	*m, *other;
	size_t		 n = 0;

	for (m = o->child; m != NULL; m = m->next) {
		if (++n > MEMBERS_MAX || depth == DEPTH_MAX)
			return (0);
		for (other = o->child; cJSON_IsObject(o) && other != m;
		    other = other->next)
			if (strcmp(other->string, m->string) == 0)
				return (0);
		if (!is_plain(m, depth + 1))
			return (0);
	}
	return (1);
}

/* An object, all of the text; no NUL in any string of it. */
static cJSON *
object_of(const char *text, size_t len)
{
	const char	*end;
	cJSON		*o;

	if (memmem(text, len, "\\u0000", 6) != NULL ||
	    memchr(text, '\0', len) != NULL)
		return (NULL);
	o = cJSON_ParseWithLengthOpts(text, len, &end, 0);
	if (o == NULL)
		return (NULL);
	while (end < text + len && strchr(" \t\r\n", *end) != NULL)
		end++;
	if (end == text + len && cJSON_IsObject(o) && is_plain(o, 0))
		return (o);
	cJSON_Delete(o);
	return (NULL);
}

static const char *
text_in(const cJSON *o, const char *name)
{
	return (cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o,
	    name)));
}

/* Letters, digits, - and _; never empty. */
static int
is_name(const char *s)
{
	size_t	n = strspn(s, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

	return (n > 0 && s[n] == '\0');
}

/* Freshness is all there or not at all; an answer needs it. */
static const char *
fresh_take(struct said_command *c, const cJSON *o, int64_t now)
{
	const cJSON	*at = cJSON_GetObjectItemCaseSensitive(o, "at");
	const cJSON	*id = cJSON_GetObjectItemCaseSensitive(o, "id");
	const cJSON	*to = cJSON_GetObjectItemCaseSensitive(o, "reply_to");
	const char	*text;

	if (at == NULL && id == NULL && to == NULL)
		return (NULL);
	if (!cJSON_IsNumber(at) || !cJSON_IsString(id) ||
	    !is_name(id->valuestring) || strlcpy(c->id, id->valuestring,
	    sizeof(c->id)) >= sizeof(c->id))
		return ("its id or time is none");
	/* As numbers of JSON are: nothing that does not fit is compared. */
	if (!(at->valuedouble >= (double)(now - SAID_FRESH_S) &&
	    at->valuedouble <= (double)(now + SAID_FRESH_S)))
		return ("it is not of now");
	c->at = (int64_t)at->valuedouble;
	if (to == NULL)
		return (NULL);
	text = cJSON_GetStringValue(to);
	if (text == NULL || strncmp(text, REPLY_PREFIX,
	    sizeof(REPLY_PREFIX) - 1) != 0 ||
	    !is_name(text + sizeof(REPLY_PREFIX) - 1) ||
	    strlcpy(c->reply_to, text, sizeof(c->reply_to)) >=
	    sizeof(c->reply_to))
		return ("its answer would go elsewhere");
	return (NULL);
}

/* It is true or false, or is not there. */
static int
flag_of(cJSON *row, const cJSON *m, const char *name)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(m, name);

	if (v != NULL && !cJSON_IsBool(v))
		return (-1);
	cJSON_AddBoolToObject(row, name, cJSON_IsTrue(v));
	return (0);
}

/* {name: {target, label, tls, tcp}} as [{name, target, label, tls, tcp}]. */
static char *
services_of(const cJSON *o)
{
	const cJSON	*s = cJSON_GetObjectItemCaseSensitive(o, "services");
	const cJSON	*m;
	const char	*target, *label;
	cJSON		*list, *row;
	char		*text = NULL;
	int		 n = 0;

	if (!cJSON_IsObject(s) || s->child == NULL ||
	    (list = cJSON_CreateArray()) == NULL)
		return (NULL);
	for (m = s->child; m != NULL; m = m->next) {
		target = text_in(m, "target");
		label = text_in(m, "label");
		if (!cJSON_IsObject(m) || target == NULL ||
		    ++n > SAID_SERVICES ||
		    (row = cJSON_CreateObject()) == NULL)
			break;
		cJSON_AddItemToArray(list, row);
		cJSON_AddStringToObject(row, "name", m->string);
		cJSON_AddStringToObject(row, "target", target);
		cJSON_AddStringToObject(row, "label",
		    label != NULL ? label : "");
		if (flag_of(row, m, "tls") == -1 ||
		    flag_of(row, m, "tcp") == -1)
			break;
	}
	if (m == NULL)
		text = wipe_print(list);
	cJSON_Delete(list);
	return (text);
}

static int
names_take(struct said_command *c, const cJSON *o)
{
	const cJSON	*list, *m;

	list = cJSON_GetObjectItemCaseSensitive(o, "service_names");
	if (!cJSON_IsArray(list) || list->child == NULL)
		return (-1);
	for (m = list->child; m != NULL; m = m->next)
		if (!cJSON_IsString(m) || c->n == SAID_SERVICES ||
		    strlcpy(c->name[c->n++], m->valuestring, SERVICE_SIZE) >=
		    SERVICE_SIZE)
			return (-1);
	return (0);
}

static const char *
payload_take(struct said_command *c, const cJSON *o, int64_t now)
{
	const char	*action = text_in(o, "action"), *wrong;
	const char	*session = text_in(o, "session_id");

	if (action == NULL)
		return ("no action");
	if (session == NULL || !uuid_is(session, strlen(session)) ||
	    strlcpy(c->session, session, sizeof(c->session)) >=
	    sizeof(c->session))
		return ("no session");
	if ((wrong = fresh_take(c, o, now)) != NULL)
		return (wrong);
	if (strcmp(action, "close") == 0) {
		c->action = SAID_CLOSE;
	} else if (strcmp(action, "add_services") == 0) {
		c->action = SAID_ADD;
		if ((c->services = services_of(o)) == NULL)
			return ("its services are none");
	} else if (strcmp(action, "remove_services") == 0) {
		c->action = SAID_REMOVE;
		if (names_take(c, o) == -1)
			return ("its services are none");
	} else {
		return ("an unknown action");
	}
	return (NULL);
}

const char *
said_command(struct said_command *c, const char *text, size_t len,
    int64_t now)
{
	cJSON		*around, *o;
	const char	*payload, *sig, *wrong;

	memset(c, 0, sizeof(*c));
	if (!shared_is_set(SHARED_INTERNAL))
		return ("there is no internal secret");
	if (len > SAID_MAX)
		return ("too long");
	if ((around = object_of(text, len)) == NULL)
		return ("no JSON object with each member once");
	payload = text_in(around, "payload");
	sig = text_in(around, "sig");
	if (payload == NULL || sig == NULL || !shared_signed(SHARED_INTERNAL,
	    payload, strlen(payload), sig, strlen(sig)))
		wrong = "not signed";
	else if ((o = object_of(payload, strlen(payload))) == NULL)
		wrong = "its payload is no JSON object with each member once";
	else {
		wrong = payload_take(c, o, now);
		cJSON_Delete(o);
	}
	cJSON_Delete(around);
	return (wrong);
}

void
said_clear(struct said_command *c)
{
	cJSON_free(c->services);
	memset(c, 0, sizeof(*c));
}

/* ---- ids that were there ---- */

#define BEFORE_MAX	1024

static struct {
	char	id[SAID_ID_SIZE];
	int64_t	until;
} before[BEFORE_MAX];

int
said_before(const char *id, int64_t now)
{
	size_t	i, room = BEFORE_MAX;

	for (i = 0; i < BEFORE_MAX; i++) {
		if (before[i].until < now)
			room = i;
		else if (strcmp(before[i].id, id) == 0)
			return (1);
	}
	if (room == BEFORE_MAX)
		return (-1);
	strlcpy(before[room].id, id, sizeof(before[room].id));
	before[room].until = now + 2 * SAID_FRESH_S;
	return (0);
}

void
said_forget(void)
{
	memset(before, 0, sizeof(before));
}
