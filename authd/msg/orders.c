/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "authd/api/api.h"
#include "authd/core/session.h"
#include "authd/now.h"
#include "authd/redis/bus.h"
#include "authd/redis/said.h"
#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/wipe_json.h"
#include "internal.h"
#include "orders.h"

#define CLOSE_OVER	4000

/* Until all of it is through. */
struct order {
	char		id[SAID_ID_SIZE], reply_to[SAID_REPLY_SIZE];
	unsigned	left;
	int		status;		/* the last that was not 200 */
	char		text[MESSAGE_SIZE];
};

/* {"id","status","message"}, signed as commands are. */
static void
order_answer(const struct order *o)
{
	cJSON	*payload;
	char	*text;

	if (o->reply_to[0] == '\0')
		return;
	payload = cJSON_CreateObject();
	cJSON_AddStringToObject(payload, "id", o->id);
	cJSON_AddNumberToObject(payload, "status", o->status);
	cJSON_AddStringToObject(payload, "message", o->text);
	if ((text = wipe_print(payload)) != NULL)
		bus_say_signed(o->reply_to, text);
	cJSON_free(text);
	cJSON_Delete(payload);
}

static void
order_told(void *arg, int status, const char *text)
{
	struct order	*o = arg;

	if (status != 200) {
		o->status = status;
		strlcpy(o->text, text, sizeof(o->text));
	}
	if (--o->left > 0)
		return;
	order_answer(o);
	free(o);
}

static void
order_closed(void *arg, int ok)
{
	order_told(arg, ok ? 200 : 503, ok ? "" :
	    "service temporarily unavailable");
}

static void
order_close(struct order *o, struct session *se)
{
	audit_done(&(struct audit){ .who = &back_end, .address = "",
	    .action = api_info(API_SESSION_CLOSE)->word,
	    .session = se->row.id, .service = "", .object = "",
	    .reason = "" });
	session_end(se, SESSION_CLOSED, "operator", CLOSE_OVER, now_at());
	turn_after(order_closed, o);
}

void
orders_run(const struct said_command *c)
{
	struct session	*se = session_find(c->session);
	struct order	*o;
	size_t		 i;

	if (se == NULL || (o = calloc(1, sizeof(*o))) == NULL)
		return;
	strlcpy(o->id, c->id, sizeof(o->id));
	strlcpy(o->reply_to, c->reply_to, sizeof(o->reply_to));
	o->status = 200;
	o->left = c->action == SAID_REMOVE ? (unsigned)c->n : 1;
	switch (c->action) {
	case SAID_CLOSE:
		order_close(o, se);
		break;
	case SAID_ADD:
		api_services_order(&back_end, se, c->services, NULL,
		    order_told, o);
		break;
	case SAID_REMOVE:
		for (i = 0; i < c->n; i++)
			api_services_order(&back_end, se, NULL, c->name[i],
			    order_told, o);
		break;
	}
}
