/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe_json.h"
#include "gather.h"
#include "imsg/doc.h"
#include "merge.h"
#include "wide.h"

int
wide_is(const struct conn *c, enum api_op op)
{
	return ((op == API_TERMINAL_LIST || op == API_TERMINAL_END ||
	    op == API_TERMINALS_END || op == API_STATUS) && gather_may(c));
}

struct gather *
wide_ask(struct conn *c, enum api_op op, uint16_t code, const char *terminal,
    const char *token, int *asked, void (*then)(struct gather *, void *),
    void *arg)
{
	char	path[32 + WORD_SIZE];
	int	end = op == API_TERMINAL_END;

	/* What is no number is nobody's terminal. */
	*asked = wide_is(c, op) && code == (end ? 404 : 200) && (!end ||
	    (terminal[0] != '\0' &&
	    strspn(terminal, "0123456789") == strlen(terminal)));
	if (!*asked)
		return (NULL);
	snprintf(path, sizeof(path), "/api/%s%s%s", op == API_STATUS ?
	    "status" : "terminals", end ? "/" : "", end ? terminal : "");
	return (gather_begin(c, api_info(op)->method, path, token, then,
	    arg));
}

/* A terminal that we have not may be another's. */
static const char *
end_said(cJSON *data, uint16_t *code, const struct gather *g)
{
	struct gathered	one;
	size_t		i;

	for (i = 0; gather_at(g, i, &one) == 0; i++)
		if (one.status == 200) {
			*code = 200;
			return (api_info(API_TERMINAL_END)->text);
		}
	if (merge_missing(data, g) == 0)
		return (NULL);
	*code = 503;
	return ("not all servers have answered");
}

static cJSON *
doc_json(const struct doc *d)
{
	return (d->text != NULL ? cJSON_ParseWithLength(d->text, d->got) :
	    cJSON_CreateObject());
}

/* Nothing to say is null, as one daemon has it. 0, or -1: no memory. */
static int
doc_take(struct doc *d, cJSON *data)
{
	int	 some = cJSON_GetArraySize(data) > 0, r = 0;
	char	*text = some ? wipe_print(data) : NULL;
	size_t	 len = text != NULL ? strlen(text) : 0;

	cJSON_Delete(data);
	doc_clear(d);
	if (some) {
		doc_begin(d, len, 1);
		r = d->text == NULL || text == NULL ? -1 :
		    doc_add(d, &(struct blob){ (const uint8_t *)text, len });
	}
	cJSON_free(text);
	return (r);
}

const char *
wide_answer(enum api_op op, struct doc *d, uint16_t *code,
    const struct gather *g)
{
	const char	*text = NULL;
	cJSON		*data = gather_self(g)[0] != '\0' ? doc_json(d) : NULL;

	if (data == NULL) {
		*code = 503;
		return ("service temporarily unavailable");
	}
	if (op == API_TERMINAL_LIST)
		merge_rows(data, "terminals", 1, g);
	else if (op == API_STATUS)
		merge_status(data, g);
	else if (op == API_TERMINALS_END)
		(void)merge_missing(data, g);
	else
		text = end_said(data, code, g);
	if (doc_take(d, data) == -1) {
		*code = 503;
		return ("service temporarily unavailable");
	}
	return (text);
}

int
wide_list(struct doc *d, const char *list, const struct gather *g)
{
	cJSON	*data = gather_self(g)[0] != '\0' ? doc_json(d) : NULL;

	if (data == NULL)
		return (-1);
	merge_rows(data, list, 0, g);
	return (doc_take(d, data));
}
