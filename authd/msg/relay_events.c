/* SPDX-License-Identifier: ISC */
/*
 * What happened to a relay session: who came and went, from where. The log has
 * all of it, the session its last RELAY_EVENTS. rendezvous-protocol.md, 12.
 */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "relay.h"

#define PREFIX	6		/* of an id, in the log: D13 */

static const char *
slot_word(unsigned slot)
{
	return (slot == SLOT_INITIATOR ? "initiator" : slot == SLOT_RESPONDER ?
	    "responder" : "-");
}

static void
note_line(const struct relay *r, const char *what, unsigned channel,
    unsigned slot, unsigned code, const char *addr)
{
	log_info("relay session %.*s: %s %s, channel %u, from %s, code %u, "
	    "bytes %llu in %llu out", PREFIX, r->id, what, slot_word(slot),
	    channel, addr[0] != '\0' ? addr : "-", code,
	    (unsigned long long)r->bytes_in, (unsigned long long)r->bytes_out);
}

static void
note_event(struct relay *r, const char *what, unsigned channel, unsigned slot,
    unsigned code, const char *addr)
{
	struct relay_event	*e;
	unsigned		 n = r->nevents, room;

	/* It doubles until it is a ring. */
	if (n < RELAY_EVENTS && (n == 0 || (n & (n - 1)) == 0)) {
		room = n == 0 ? 1 : 2 * n;
		if ((e = reallocarray(r->events, room, sizeof(*e))) == NULL)
			return;
		r->events = e;
	}
	e = &r->events[n % RELAY_EVENTS];
	memset(e, 0, sizeof(*e));
	e->at = clock_wall_ms();
	e->what = what;
	e->channel = (uint16_t)channel;
	e->slot = (uint8_t)slot;
	e->code = (uint16_t)code;
	e->bytes_in = r->bytes_in;
	e->bytes_out = r->bytes_out;
	strlcpy(e->addr, addr, sizeof(e->addr));
	r->nevents++;
}

void
relay_note(struct relay *r, const char *what, unsigned channel, unsigned slot,
    unsigned code, const char *addr)
{
	note_line(r, what, channel, slot, code, addr);
	note_event(r, what, channel, slot, code, addr);
}

void
relay_note_refused(struct relay *r, unsigned channel, const char *addr)
{
	uint64_t	now = clock_ms();

	note_line(r, "refuse", channel, SLOT_COUNT, 401, addr);
	if (r->nrefused == 0 || now - r->refused_ms >= RELAY_REFUSED_MS) {
		r->refused_ms = now;
		r->nrefused = 0;
	}
	if (r->nrefused == RELAY_REFUSED)
		return;
	r->nrefused++;
	note_event(r, "refuse", channel, SLOT_COUNT, 401, addr);
}

/* RFC 3339 in UTC, zeros at the fraction's end left out. */
void
relay_add_time(cJSON *o, const char *name, int64_t ms)
{
	char		text[48];
	time_t		t = (time_t)(ms / 1000);
	struct tm	tm;
	size_t		n;
	int		frac = (int)(ms % 1000);

	gmtime_r(&t, &tm);
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	if (frac != 0) {
		n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03d",
		    frac);
		while (text[n - 1] == '0')
			n--;
	}
	strlcpy(text + n, "Z", sizeof(text) - n);
	cJSON_AddStringToObject(o, name, text);
}

static cJSON *
event_json(const struct relay_event *e)
{
	cJSON	*o = cJSON_CreateObject();

	relay_add_time(o, "time", e->at);
	cJSON_AddStringToObject(o, "event", e->what);
	if (e->slot < SLOT_COUNT) {
		cJSON_AddStringToObject(o, "role", slot_word(e->slot));
		cJSON_AddNumberToObject(o, "channel", e->channel);
	}
	if (e->addr[0] != '\0')
		cJSON_AddStringToObject(o, "source", e->addr);
	cJSON_AddNumberToObject(o, "bytes_in", (double)e->bytes_in);
	cJSON_AddNumberToObject(o, "bytes_out", (double)e->bytes_out);
	if (e->code != 0)
		cJSON_AddNumberToObject(o, "code", e->code);
	return (o);
}

cJSON *
relay_events(const struct relay *r)
{
	cJSON		*o = cJSON_CreateObject(), *list;
	unsigned	 i, first;

	list = cJSON_AddArrayToObject(o, "events");
	first = r->nevents > RELAY_EVENTS ? r->nevents - RELAY_EVENTS : 0;
	for (i = first; i < r->nevents; i++)
		cJSON_AddItemToArray(list,
		    event_json(&r->events[i % RELAY_EVENTS]));
	return (o);
}

static void
add_text(cJSON *o, const char *name, const char *text)
{
	if (text[0] != '\0')
		cJSON_AddStringToObject(o, name, text);
}

cJSON *
relay_audit_member(const struct relay *r)
{
	cJSON	*o = cJSON_CreateObject();

	add_text(o, "iss", r->issuer);
	add_text(o, "sub", r->subject);
	add_text(o, "client_id", r->client);
	add_text(o, "source", r->addr);
	add_text(o, "label", r->label);
	cJSON_AddNumberToObject(o, "channels", r->channels);
	cJSON_AddNumberToObject(o, "events", r->nevents);
	return (o);
}
