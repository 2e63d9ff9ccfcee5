/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "survey.h"

#define MEMORY_MAX	(256UL * 1024 * 1024)

static void
findings_print(const struct findings *f)
{
	char	*text = cJSON_PrintUnformatted(f->top), *p;
	ssize_t	 n;

	for (p = text; p != NULL && *p != '\0'; p += n)
		if ((n = write(STDOUT_FILENO, p, strlen(p))) <= 0)
			break;
	cJSON_free(text);
}

/* Redis may say anything, of any length. What is run has room: capture.c. */
static void
survey_memory(void)
{
#ifndef RELAYD_SANITIZE
	struct rlimit	rl;

	if (getrlimit(RLIMIT_AS, &rl) == -1)
		_exit(1);
	if (rl.rlim_cur > MEMORY_MAX)
		rl.rlim_cur = MEMORY_MAX;
	if (setrlimit(RLIMIT_AS, &rl) == -1)
		_exit(1);
#endif
}

void
survey_main(void *arg)
{
	const struct survey	*s = arg;
	struct findings		 f;
	const char		*mode = "none";
	int			 r = 0;

	(void)signal(SIGPIPE, SIG_IGN);
	survey_memory();
	f.top = cJSON_CreateObject();
	f.services = cJSON_AddObjectToObject(f.top, "services");
	f.modules = cJSON_AddObjectToObject(f.top, "modules");
	f.failed = cJSON_AddArrayToObject(f.top, "failed");
	f.errors = cJSON_AddArrayToObject(f.top, "errors");
	if (f.errors == NULL)
		_exit(1);
	if (strcmp(s->redis, "none") != 0)
		r = ns8_survey(s, &f);
	if (r == 1)
		mode = "ns8";
	else if (r == 0 && nethsec_survey(&f) == 1)
		mode = "nethsecurity";
	if (cJSON_AddStringToObject(f.top, "mode", mode) == NULL ||
	    cJSON_AddBoolToObject(f.top, "fatal", r == -1) == NULL)
		_exit(1);
	findings_print(&f);
	cJSON_Delete(f.top);
}
