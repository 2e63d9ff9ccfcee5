/* SPDX-License-Identifier: ISC */
#include <llhttp.h>

#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/uuid.h"
#include "list.h"

#define PAGE		100	/* the most that the API takes */
#define PAGES_MAX	1000
#define BEGIN_MIN	4	/* of an id */
#define SHOWN		256	/* of a name */
#define WORD		32	/* of a column: more than is shown */
#define NAMED_MAX	4	/* of several that are meant */

static struct {
	const char	*word;		/* NULL: all are printed */
	list_fn		 fn;
	const char	*begin;		/* only words that begin so */
	unsigned	 page, found;
	char		 id[SESSION_SIZE];
	char		 several[API_WHY_SIZE / 2];
} list;

static int	list_ask(void);
static void	list_answered(void *, const struct api_answer *);

static void
list_end(enum ended how, const char *why)
{
	if (list.word != NULL)
		list.fn(how, list.id, why);
	else {
		if (*why != '\0')
			say("%s", why);
		tool_end(how == ENDED_WELL ? EXIT_DONE : how ==
		    ENDED_UNREACHED ? EXIT_UNREACHED : EXIT_REFUSED);
	}
}

/* What the API answers instead of a list. */
static void
list_refused(const struct api_answer *answer)
{
	char	why[API_WHY_SIZE];

	if (answer->status == 0) {
		list_end(ENDED_UNREACHED, answer->why);
		return;
	}
	api_refusal(why, answer);
	list_end(answer->status >= 500 ? ENDED_UNREACHED : ENDED_REFUSED, why);
}

/* Is it what the word says? */
static int
is_meant(const char *id, const char *name, const char *key)
{
	size_t	len = strlen(list.word);

	return (strcmp(list.word, name) == 0 || strcmp(list.word, key) == 0 ||
	    (len >= BEGIN_MIN && strncmp(list.word, id, len) == 0));
}

static void
one_found(const char *id, const char *name, const char *node)
{
	char	shown[SHOWN];

	list.found++;
	strlcpy(list.id, id, sizeof(list.id));
	if (list.found > NAMED_MAX)
		return;
	log_escape(shown, sizeof(shown), name, strlen(name));
	if (list.found > 1)
		strlcat(list.several, ", ", sizeof(list.several));
	strlcat(list.several, id, sizeof(list.several));
	strlcat(list.several, " of ", sizeof(list.several));
	strlcat(list.several, shown, sizeof(list.several));
	if (*node == '\0')
		return;
	log_escape(shown, sizeof(shown), node, strlen(node));
	strlcat(list.several, " node ", sizeof(list.several));
	strlcat(list.several, shown, sizeof(list.several));
}

/* One that a shell would take apart is no candidate. */
static void
word_printed(const char *s)
{
	if (*s != '\0' && strncmp(s, list.begin, strlen(list.begin)) == 0 &&
	    strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._-@") == strlen(s))
		printf("%s\n", s);
}

static void
one_printed(const cJSON *s, const char *name, const char *node)
{
	const char	*status = api_text(s, "status");
	const char	*until = api_text(s, "expires_at");
	char		 shown[SHOWN], state[WORD], where[WORD], when[WORD];

	if (list.begin != NULL) {
		word_printed(api_text(s, "id"));
		return;
	}
	log_escape(shown, sizeof(shown), name, strlen(name));
	log_escape(state, sizeof(state), status, strlen(status));
	log_escape(where, sizeof(where), node, strlen(node));
	log_escape(when, sizeof(when), until, strlen(until));
	printf("%s  %-7.7s  %-4.4s  %.19sZ  %s\n", api_text(s, "id"), state,
	    *where == '\0' ? "-" : where, when, shown);
}

/* A system, with its sessions. */
static void
list_group(const cJSON *group)
{
	const char	*name = api_text(group, "system_name");
	const char	*node, *id;
	const cJSON	*s;

	if (list.word == NULL && list.begin != NULL)
		word_printed(name);
	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(group,
	    "sessions")) {
		id = api_text(s, "id");
		node = api_text(s, "node_id");
		if (!uuid_is(id, strlen(id)))
			continue;
		if (list.word == NULL)
			one_printed(s, name, node);
		else if (is_meant(id, name, api_text(group, "system_key")))
			one_found(id, name, node);
	}
}

/* All have been looked at. */
static void
list_done(void)
{
	char	why[API_WHY_SIZE];

	if (list.word == NULL || list.found == 1) {
		list_end(ENDED_WELL, "");
		return;
	}
	if (list.found == 0)
		snprintf(why, sizeof(why), "%s: no open session begins so, "
		    "and no system with one is called so", list.word);
	else
		snprintf(why, sizeof(why), "%s: more than one session: %s%s",
		    list.word, list.several, list.found > NAMED_MAX ?
		    ", ..." : "");
	list_end(ENDED_REFUSED, why);
}

static void
list_answered(void *arg, const struct api_answer *answer)
{
	const cJSON	*data, *group;

	(void)arg;
	data = cJSON_GetObjectItemCaseSensitive(answer->doc, "data");
	if (answer->status != 200) {
		list_refused(answer);
		return;
	}
	if (list.page == 1 && list.word == NULL && list.begin == NULL)
		printf("SESSION                               STATUS   NODE  "
		    "EXPIRES               SYSTEM\n");
	cJSON_ArrayForEach(group, cJSON_GetObjectItemCaseSensitive(data,
	    "support_sessions"))
		list_group(group);
	if (!cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(
	    cJSON_GetObjectItemCaseSensitive(data, "pagination"),
	    "has_next")) || list.page == PAGES_MAX)
		list_done();
	else if (list_ask() == -1)
		list_end(ENDED_UNREACHED, "out of memory");
}

static int
list_ask(void)
{
	char		path[128];
	struct api_ask	ask = { .method = HTTP_GET, .path = path,
			    .ms = API_MS };

	snprintf(path, sizeof(path), "/support-sessions?status=active&"
	    "status=pending&page_size=%d&page=%u", PAGE, ++list.page);
	return (api_start(&ask, list_answered, NULL) == NULL ? -1 : 0);
}

int
list_find(const char *word, list_fn fn)
{
	list.word = word;
	list.fn = fn;
	return (list_ask());
}

void
list_only(const char *begin)
{
	list.begin = begin;
}

int
list_sessions(void)
{
	return (list_ask());
}

static void
service_printed(const cJSON *s)
{
	char		 name[SHOWN], target[SHOWN];
	const char	*to = api_text(s, "target");

	if (list.begin != NULL) {
		word_printed(s->string);
		return;
	}
	log_escape(name, sizeof(name), s->string, strlen(s->string));
	log_escape(target, sizeof(target), to, strlen(to));
	printf("%s   %-20s  %s\n", cJSON_IsTrue(
	    cJSON_GetObjectItemCaseSensitive(s, "tcp")) ? "tcp" : "web", name,
	    target);
}

static void
services_answered(void *arg, const struct api_answer *answer)
{
	const cJSON	*s;

	(void)arg;
	list.word = NULL;		/* that one was found */
	if (answer->status != 200) {
		list_refused(answer);
		return;
	}
	if (list.begin == NULL)
		printf("KIND  SERVICE               TARGET\n");
	cJSON_ArrayForEach(s, cJSON_GetObjectItemCaseSensitive(
	    cJSON_GetObjectItemCaseSensitive(answer->doc, "data"),
	    "services"))
		service_printed(s);
	tool_end(EXIT_DONE);
}

int
list_services(void)
{
	char		path[128];
	struct api_ask	ask = { .method = HTTP_GET, .path = path,
			    .ms = API_MS };

	snprintf(path, sizeof(path), "/support-sessions/%s/services",
	    relay.session);
	return (api_start(&ask, services_answered, NULL) == NULL ? -1 : 0);
}
