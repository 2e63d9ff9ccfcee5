/* SPDX-License-Identifier: ISC */
/* What is freed is wiped; that there was no memory is known for a while. */
#include <sys/wait.h>

#include <cjson/cJSON.h>
#include <event2/event.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/wipe.h"
#include "base/wipe_json.h"
#include "regress/lib/tap.h"

int
main(void)
{
	struct event_base	*base = event_base_new();
	char			*p;
	cJSON			*o;
	pid_t			 pid;
	int			 status;

	clock_init_any(base);
	cJSON_InitHooks(&(cJSON_Hooks){ wipe_malloc, wipe_free });
	o = cJSON_CreateTrue();
	ok(!wipe_lacks(), "memory is not lacking");
	p = wipe_malloc(100);
	ok(p != NULL && (uintptr_t)p % _Alignof(max_align_t) == 0,
	    "a block is aligned");
	memset(p, 'x', 100);
	wipe_free(p);
	wipe_free(NULL);
	ok(!wipe_lacks(), "nor after that");
	ok(wipe_malloc(SIZE_MAX) == NULL, "what cannot be is refused");
	ok(wipe_lacks(), "and then it is lacking");
	if ((pid = fork()) == 0) {
		if (freopen("/dev/null", "w", stderr) != NULL)
			(void)wipe_need(SIZE_MAX);
		_exit(0);
	}
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		bail_out("a process of its own");
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 1,
	    "who needs it does not go on");
	clock_move(500);
	ok(wipe_lacks(), "for a second");
	ok(wipe_print(o) == NULL, "in which no text is made of anything");
	clock_move(501);
	ok(!wipe_lacks(), "and no longer");
	p = wipe_print(o);
	is_str(p, "true", "then it is");
	cJSON_free(p);
	cJSON_Delete(o);
	event_base_free(base);
	return (done_testing());
}
