/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <string.h>

#include "gather.h"
#include "merge.h"

#define ROWS_MAX	100000	/* of one list */

/* A row that says "" is of nobody: some member has to name it. */
static void
set_member(cJSON *row, const char *member)
{
	const cJSON	*is = cJSON_GetObjectItemCaseSensitive(row, "member");

	if (cJSON_IsString(is) && is->valuestring[0] == '\0')
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(row, "member");
	cJSON_AddStringToObject(row, "member", member);
}

/* What it says, if it is an answer. */
static cJSON *
data_of(const struct gathered *one, int inside)
{
	cJSON	*data = one->status == 200 ? one->doc : NULL;

	if (data != NULL && inside)
		data = cJSON_GetObjectItemCaseSensitive(data, "data");
	return (cJSON_IsObject(data) ? data : NULL);
}

/* Its rows go over to ours. */
static void
take_rows(cJSON *ours, cJSON *theirs, const char *member, int *room)
{
	cJSON	*row, *next;

	for (row = cJSON_IsArray(theirs) ? theirs->child : NULL;
	    row != NULL && *room > 0; row = next, --*room) {
		next = row->next;
		if (!cJSON_IsObject(row))
			continue;
		cJSON_DetachItemViaPointer(theirs, row);
		set_member(row, member);
		cJSON_AddItemToArray(ours, row);
	}
}

static unsigned
add_missing(cJSON *data, int inside, const struct gather *g)
{
	struct gathered	 one;
	cJSON		*list = cJSON_AddArrayToObject(data, "missing");
	unsigned	 n = 0;
	size_t		 i;

	for (i = 0; gather_at(g, i, &one) == 0; i++) {
		if (inside == -1 ? one.status == 200 || one.status == 404 :
		    data_of(&one, inside) != NULL)
			continue;
		cJSON_AddItemToArray(list, cJSON_CreateString(one.member));
		n++;
	}
	return (n);
}

unsigned
merge_missing(struct cJSON *data, const struct gather *g)
{
	unsigned	n = add_missing(data, -1, g);

	if (n == 0)
		cJSON_DeleteItemFromObjectCaseSensitive(data, "missing");
	return (n);
}

void
merge_rows(struct cJSON *data, const char *list, int inside,
    const struct gather *g)
{
	struct gathered	 one;
	cJSON		*ours = cJSON_GetObjectItemCaseSensitive(data, list);
	cJSON		*row, *theirs;
	int		 room = ROWS_MAX;
	size_t		 i;

	if (!cJSON_IsArray(ours))
		return;
	cJSON_ArrayForEach(row, ours)
		set_member(row, gather_self(g));
	for (i = 0; gather_at(g, i, &one) == 0; i++) {
		theirs = data_of(&one, inside);
		if (theirs != NULL)
			take_rows(ours, cJSON_GetObjectItemCaseSensitive(
			    theirs, list), one.member, &room);
	}
	add_missing(data, inside, g);
}

/* ---- numbers ---- */

static void
add_to(cJSON *ours, const cJSON *theirs)
{
	if (cJSON_IsNumber(ours) && cJSON_IsNumber(theirs) &&
	    theirs->valuedouble >= 0)
		cJSON_SetNumberValue(ours, ours->valuedouble +
		    theirs->valuedouble);
}

static void
add_now(cJSON *ours, const cJSON *theirs)
{
	cJSON	*n;

	cJSON_ArrayForEach(n, ours)
		add_to(n, cJSON_GetObjectItemCaseSensitive(theirs, n->string));
}

/* The last minute is the last minute everywhere; who has fewer has none. */
static void
add_values(cJSON *ours, const cJSON *theirs)
{
	cJSON		*a = cJSON_GetObjectItemCaseSensitive(ours, "values");
	const cJSON	*b = cJSON_GetObjectItemCaseSensitive(theirs, "values");

	if (!cJSON_IsArray(a) || a->child == NULL || !cJSON_IsArray(b) ||
	    b->child == NULL)
		return;
	/* cJSON: the first one's `prev` is the last one. */
	for (a = a->child->prev, b = b->child->prev;; a = a->prev,
	    b = b->prev) {
		add_to(a, b);
		if (a->prev->next == NULL || b->prev->next == NULL)
			return;
	}
}

static const cJSON *
series_named(const cJSON *list, const cJSON *name)
{
	const cJSON	*s, *n;

	cJSON_ArrayForEach(s, list) {
		n = cJSON_GetObjectItemCaseSensitive(s, "name");
		if (cJSON_IsString(n) && cJSON_IsString(name) &&
		    strcmp(n->valuestring, name->valuestring) == 0)
			return (s);
	}
	return (NULL);
}

static void
add_history(cJSON *ours, const cJSON *theirs)
{
	cJSON		*s;
	const cJSON	*o, *list;

	list = cJSON_GetObjectItemCaseSensitive(theirs, "series");
	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(ours,
	    "series")) {
		o = series_named(list, cJSON_GetObjectItemCaseSensitive(s,
		    "name"));
		if (o != NULL)
			add_values(s, o);
	}
}

void
merge_status(struct cJSON *data, const struct gather *g)
{
	struct gathered	 one;
	const cJSON	*theirs;
	size_t		 i;

	for (i = 0; gather_at(g, i, &one) == 0; i++) {
		if ((theirs = data_of(&one, 1)) == NULL)
			continue;
		add_now(cJSON_GetObjectItemCaseSensitive(data, "now"),
		    cJSON_GetObjectItemCaseSensitive(theirs, "now"));
		add_history(cJSON_GetObjectItemCaseSensitive(data, "history"),
		    cJSON_GetObjectItemCaseSensitive(theirs, "history"));
	}
	merge_rows(data, "processes", 1, g);
}
