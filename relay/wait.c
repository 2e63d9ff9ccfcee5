/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <llhttp.h>

#include <stdio.h>
#include <string.h>

#include "api.h"
#include "base/clock.h"
#include "progress.h"
#include "relay.h"
#include "wait.h"

#define EACH_MS		1000
#define ID_MAX		128

static struct timer	again;
static char		path[32 + ID_MAX];

static void	wait_ask(void *);

/* The server may be away for a moment; the session has an end of its own. */
static int
is_over(const struct api_answer *a)
{
	char	why[API_WHY_SIZE];

	if (a->status == 200 || a->status == 0 || a->status >= 500 ||
	    a->status == 429)
		return (0);
	if (a->status == 404)
		say("the session is over");
	else {
		api_refusal(why, a);
		say("cannot look at the session: %s", why);
	}
	tool_end(EXIT_REFUSED);
	return (1);
}

static int
is_there(const cJSON *o, const char *side)
{
	return (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, side)));
}

static void
told(void *arg, const struct api_answer *a)
{
	char	time[16];
	int	one, two;

	(void)arg;
	if (is_over(a))
		return;
	if (a->status == 200) {
		one = is_there(a->doc, "initiator_connected");
		two = is_there(a->doc, "responder_connected");
		if (one && two) {
			tool_end(EXIT_DONE);
			return;
		}
		progress_show("waiting for %s, %s", one ? "the responder" :
		    two ? "the initiator" : "both sides", progress_time(time));
	} else
		progress_show("waiting for the server, %s",
		    progress_time(time));
	timer_set(&again, EACH_MS);
}

static void
wait_ask(void *arg)
{
	struct api_ask	ask = { .method = HTTP_GET, .bare = 1, .path = path,
	    .ms = API_MS };

	(void)arg;
	if (api_start(&ask, told, NULL) == NULL)
		timer_set(&again, EACH_MS);
}

int
wait_start(const char *id)
{
	if ((size_t)snprintf(path, sizeof(path), "/admin/sessions/%s", id) >=
	    sizeof(path))
		return (-1);
	timer_init(&again, wait_ask, NULL);
	timer_set(&again, 0);
	return (0);
}
