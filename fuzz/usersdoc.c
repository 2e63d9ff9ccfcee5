/* SPDX-License-Identifier: ISC */
/*
 * What tunnel-client reads about users: its state file, what the server has of
 * other nodes, what plugins say, what the programs of the machine have made.
 */
#include "base/log.h"
#include "tunnel-client/usersdoc.h"
#include "fuzz.h"

static void
state(const char *text, size_t len)
{
	struct users_state	 s, back;
	char			*again;

	if (users_state_parse(&s, text, len) == -1)
		return;
	/* Whoever wrote it: nobody but ours is deleted. */
	if (*s.name != '\0' && !users_name_ok(s.name))
		abort();
	again = users_state_text(&s, s.credentials);
	if (again != NULL) {
		if (users_state_parse(&back, again, strlen(again)) == -1 ||
		    strcmp(back.name, s.name) != 0 ||
		    back.planned != s.planned || back.plugins != s.plugins ||
		    !cJSON_Compare(back.credentials, s.credentials, 1))
			abort();
		cJSON_Delete(back.credentials);
	}
	cJSON_free(again);
	cJSON_Delete(s.credentials);
}

static void
said(const char *text, size_t len)
{
	struct users_facts	 f = { .key = "K" };
	cJSON			*apps = cJSON_CreateArray();
	cJSON			*top = cJSON_ParseWithLength(text, len);
	cJSON			*c = users_credentials(top);
	char			*report;

	(void)users_apps(apps, text, len);
	f.apps = apps;
	f.credentials = c;
	f.module_domains = users_module_domains(top, top, c);
	if ((report = users_report(&f, 0)) != NULL &&
	    report[strlen(report) - 1] != '\n')
		abort();
	free(report);
	cJSON_Delete((cJSON *)(uintptr_t)f.module_domains);
	cJSON_Delete(c);
	cJSON_Delete(top);
	cJSON_Delete(apps);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	state((const char *)data, len);
	said((const char *)data, len);
	return (0);
}
