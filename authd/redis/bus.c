/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>

#include "authd/cred/shared.h"
#include "authd/redis/bus.h"
#include "authd/redis/said.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/wipe_json.h"
#include "proc/proc.h"

#define MEMBERS		"relayd:members:"
#define COMMANDS	"support:commands"
#define INVALIDATE	"support:auth:invalidate"
#define BACK_END	"my:auth:invalidate:"
#define CHANGED		"relayd:changed:"	/* and the environment */
#define LOG_EVERY_MS	1000

static void	bus_up(struct redis *);
static void	bus_said(const char *, const char *, size_t);

static const struct redis_ops	asks_ops = { .name = "questions" };
static const struct redis_ops	hears_ops = { .name = "channels",
    .up = bus_up, .said = bus_said };

static struct {
	const struct bus_ops	*ops;
	struct redis		*asks, *hears;
	char			 back_end[sizeof(BACK_END) + 33];
	char			 changes[sizeof(CHANGED) + 33];
	char			 members[sizeof(MEMBERS) + 33];
	const char		*channels[6];
	uint64_t		 logged_ms;
	unsigned		 refused;	/* since then */
} bus;

int
bus_init(const struct bus_ops *ops)
{
	const struct conf	*conf = proc_conf();

	bus.ops = ops;
	if (conf->redis_host[0] == '\0')
		return (0);
	snprintf(bus.back_end, sizeof(bus.back_end), "%s%s", BACK_END,
	    conf->redis_environment);
	bus.channels[0] = INVALIDATE;
	bus.channels[1] = bus.back_end;
	bus.channels[2] = COMMANDS;
	snprintf(bus.changes, sizeof(bus.changes), "%s%s", CHANGED,
	    conf->redis_environment);
	if (conf->cluster_name[0] != '\0')
		bus.channels[3] = bus.changes;
	snprintf(bus.members, sizeof(bus.members), "%s%s", MEMBERS,
	    conf->redis_environment);
	if (conf->cluster_name[0] != '\0')
		bus.channels[4] = bus.members;
	bus.asks = redis_new(&asks_ops, NULL);
	bus.hears = redis_new(&hears_ops, bus.channels);
	return (bus.asks == NULL || bus.hears == NULL ? -1 : 0);
}

int
bus_is_configured(void)
{
	return (bus.asks != NULL);
}

struct redis *
bus_asks(void)
{
	return (bus.asks);
}

void
bus_invalidate(const char *key)
{
	char	text[SYSKEY_SIZE + 1 + SHARED_MAC_SIZE], mac[SHARED_MAC_SIZE];

	if (bus.asks == NULL)
		return;
	if (shared_sign(SHARED_INVALIDATE, key, strlen(key), mac) == 0)
		snprintf(text, sizeof(text), "%s|%s", key, mac);
	else
		strlcpy(text, key, sizeof(text));
	(void)redis_ask(bus.asks, NULL, NULL, "PUBLISH", INVALIDATE, text,
	    NULL);
}

int
bus_note(const char *text)
{
	return (bus.asks == NULL ? -1 : redis_ask(bus.asks, NULL, NULL,
	    "PUBLISH", bus.members, text, NULL));
}

void
bus_changed(const char *session, const char *system)
{
	struct said_changed	c;
	char			text[SAID_CHANGED];

	if (bus.channels[3] == NULL)
		return;
	strlcpy(c.member, proc_conf()->cluster_name, sizeof(c.member));
	strlcpy(c.session, session, sizeof(c.session));
	strlcpy(c.system, system, sizeof(c.system));
	if (said_changed_make(text, &c) == 0)
		(void)redis_ask(bus.asks, NULL, NULL, "PUBLISH", bus.changes,
		    text, NULL);
}

void
bus_say_signed(const char *channel, const char *payload)
{
	char	 mac[SHARED_MAC_SIZE], *text;
	cJSON	*o;

	if (bus.asks == NULL || shared_sign(SHARED_INTERNAL, payload,
	    strlen(payload), mac) == -1 || (o = cJSON_CreateObject()) == NULL)
		return;
	cJSON_AddStringToObject(o, "payload", payload);
	cJSON_AddStringToObject(o, "sig", mac);
	if ((text = wipe_print(o)) != NULL)
		(void)redis_ask(bus.asks, NULL, NULL, "PUBLISH", channel,
		    text, NULL);
	cJSON_free(text);
	cJSON_Delete(o);
}

static void
bus_up(struct redis *r)
{
	(void)r;
	bus.ops->heard_again();
}

/* A line a second, whoever says what. */
static void
bus_refuse(const char *channel, const char *why)
{
	bus.refused++;
	if (bus.logged_ms != 0 && clock_ms() - bus.logged_ms < LOG_EVERY_MS)
		return;
	bus.logged_ms = clock_ms();
	log_warnx("redis: %s: %s, ignored%s", channel, why,
	    bus.refused > 1 ? ", as others before" : "");
	bus.refused = 0;
}

static void
bus_command(const char *text, size_t len)
{
	struct said_command	 c;
	const char		*wrong;
	int			 before = 0;

	wrong = said_command(&c, text, len, clock_wall());
	if (wrong == NULL && c.id[0] != '\0')
		before = said_before(c.id, clock_wall());
	if (before != 0)
		wrong = before == 1 ? "its id was there before" :
		    "too many of them";
	if (wrong != NULL)
		bus_refuse(COMMANDS, wrong);
	else
		bus.ops->commanded(&c);
	said_clear(&c);
}

/* Our own come back, too. */
static void
bus_change(const char *text, size_t len)
{
	struct said_changed	c;

	if (said_changed(&c, text, len) == -1)
		bus_refuse(bus.changes, "no change, or not signed");
	else if (strcmp(c.member, proc_conf()->cluster_name) != 0)
		bus.ops->changed(c.session, c.system);
}

static void
bus_said(const char *channel, const char *text, size_t len)
{
	char	key[SYSKEY_SIZE];

	if (bus.channels[3] != NULL && strcmp(channel, bus.changes) == 0) {
		bus_change(text, len);
		return;
	}

	if (strcmp(channel, COMMANDS) == 0) {
		bus_command(text, len);
		return;
	}
	if (bus.channels[4] != NULL && strcmp(channel, bus.members) == 0) {
		bus.ops->noted(text, len);
		return;
	}
	if (strcmp(channel, INVALIDATE) != 0 &&
	    strcmp(channel, bus.back_end) != 0)
		return;
	if (said_invalidate(key, text, len) == -1)
		bus_refuse(channel, "no system key, or not signed");
	else
		bus.ops->invalidated(key);
}
