/* SPDX-License-Identifier: ISC */
/* What answers of the operator API have in common. */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "authd/facts.h"
#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wipe.h"
#include "base/wipe_json.h"
#include "imsg/doc.h"

#define PAGE_SIZE_MAX	100

static void
api_send(struct chan *c, uint32_t id, int status, const char *message,
    const char *json)
{
	size_t	len = json != NULL ? strlen(json) : 0;

	(void)say_api_result(c, id, -1, &(struct msg_api_result){
	    .status = (uint16_t)status, .message = message,
	    .total = (uint32_t)len });
	doc_say(c, id, json, len);
}

int
api_is_gone(const struct asker *asker, uint64_t until_ms)
{
	return (asker_chan(asker) == NULL ||
	    (until_ms != 0 && clock_ms() >= until_ms));
}

int
api_is_busy(const struct asker *asker)
{
	struct chan	*c = asker_chan(asker);

	return (c != NULL && chan_queued(c) > CHAN_QUEUE_HIGH);
}

/*
 * Without memory for its first piece there is no data at all; few have none when all
 * is well, and those come again.
 */
static void
api_result(const struct asker *asker, int status, const char *message,
    struct cJSON *data)
{
	const struct refusal_info	*busy = refusal_info(REFUSE_BUSY);
	struct chan			*c = asker_chan(asker);
	char				*json = NULL;

	if (c != NULL && (data != NULL || status < 300) && (wipe_lacks() ||
	    (data != NULL && (json = wipe_print(data)) == NULL)))
		api_send(c, asker->id, busy->status, busy->text, NULL);
	else if (c != NULL)
		api_send(c, asker->id, status, message, json);
	cJSON_free(json);
	cJSON_Delete(data);
}

void
api_yes(const struct asker *asker, unsigned op, struct cJSON *data)
{
	api_result(asker, 200, api_info(op)->text, data);
}

void
api_made(const struct asker *asker, unsigned op, struct cJSON *data)
{
	api_result(asker, 201, api_info(op)->text, data);
}

void
api_no(const struct asker *asker, enum refusal why, struct cJSON *data)
{
	const struct refusal_info	*no = refusal_info(why);

	api_result(asker, no->status, no->text, data);
}

void
api_no_text(const struct asker *asker, int status, const char *text)
{
	api_result(asker, status, text, NULL);
}

static void
api_audit(const struct api_call *call, enum refusal why)
{
	audit_refusal(&(struct audit){ .who = &call->who,
	    .address = call->addr, .action = api_info(call->op)->word,
	    .session = call->session, .service = call->args.service,
	    .object = call->args.system_id,
	    .reason = refusal_info(why)->text });
}

void
api_done(const struct api_call *call, const char *more)
{
	audit_done(&(struct audit){ .who = &call->who,
	    .address = call->addr, .action = api_info(call->op)->word,
	    .session = call->session, .service = call->args.service,
	    .object = call->args.system_id, .reason = more });
}

void
api_refuse_with(const struct api_call *call, enum refusal why,
    struct cJSON *data)
{
	api_audit(call, why);
	api_no(&call->asker, why, data);
}

void
api_refuse(const struct api_call *call, enum refusal why)
{
	api_refuse_with(call, why, NULL);
}

void
api_invalid(const struct api_call *call, enum refusal why)
{
	const struct refusal_info	*no = refusal_info(why);
	struct chan			*c = asker_chan(&call->asker);

	api_audit(call, why);
	if (c != NULL)
		(void)say_api_result(c, call->asker.id, -1,
		    &(struct msg_api_result){ .status = no->status,
		    .message = no->text, .invalid = 1 });
}

void
api_page(const struct api_call *call, uint32_t dflt, struct list_query *lq)
{
	const struct api_args	*a = &call->args;

	memset(lq, 0, sizeof(*lq));
	strlcpy(lq->sort_by, a->sort_by, sizeof(lq->sort_by));
	lq->descending = a->sort_direction;
	lq->page = a->page != 0 ? a->page : 1;
	lq->page_size = a->page_size != 0 && a->page_size <= PAGE_SIZE_MAX ?
	    a->page_size : dflt;
}

void
api_add_pagination(struct cJSON *data, const struct list_query *lq,
    int64_t total)
{
	cJSON	*o = cJSON_AddObjectToObject(data, "pagination");
	int64_t	 pages = (total + lq->page_size - 1) / lq->page_size;
	int64_t	 prev = lq->page - 1;

	/* Behind the last page that is the one before. */
	if (prev > pages)
		prev = pages;

	cJSON_AddNumberToObject(o, "page", lq->page);
	cJSON_AddNumberToObject(o, "page_size", lq->page_size);
	cJSON_AddNumberToObject(o, "total_count", (double)total);
	cJSON_AddNumberToObject(o, "total_pages", (double)pages);
	cJSON_AddBoolToObject(o, "has_next", lq->page < pages);
	cJSON_AddBoolToObject(o, "has_prev", prev > 0);
	if (lq->page < pages)
		cJSON_AddNumberToObject(o, "next_page", (double)lq->page + 1);
	if (prev > 0)
		cJSON_AddNumberToObject(o, "prev_page", (double)prev);
	if (lq->sort_by[0] == '\0')
		return;
	cJSON_AddStringToObject(o, "sort_by", lq->sort_by);
	cJSON_AddStringToObject(o, "sort_direction",
	    lq->descending ? "desc" : "asc");
}

char *
api_time(int64_t ms, char dst[32])
{
	time_t		t = (time_t)(ms / 1000);
	struct tm	tm;
	char		day[28];	/* of any year */

	gmtime_r(&t, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(dst, 32, "%s.%03dZ", day, (int)(ms % 1000));
	return (dst);
}

void
api_add_time(struct cJSON *o, const char *name, int64_t ms)
{
	char	text[32];

	cJSON_AddStringToObject(o, name, api_time(ms, text));
}

void
api_add_system(struct cJSON *o, const struct brief *b)
{
	cJSON	*oo;

	cJSON_AddStringToObject(o, "system_name", b->name);
	if (b->type[0] != '\0')
		cJSON_AddStringToObject(o, "system_type", b->type);
	cJSON_AddStringToObject(o, "system_key", b->key);
	oo = cJSON_AddObjectToObject(o, "organization");
	cJSON_AddStringToObject(oo, "id", b->org_id);
	cJSON_AddStringToObject(oo, "logto_id", b->org_id);
	cJSON_AddStringToObject(oo, "name", b->org_name);
	cJSON_AddStringToObject(oo, "type", b->org_type);
}
