/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "announce.h"
#include "base/clock.h"
#include "diag.h"
#include "discover.h"
#include "document.h"
#include "base/log.h"
#include "users.h"

static void	diagnostics_done(void *, const char *);
static void	early(void *);
static void	first_manifest(void *);
static void	look(void *);
static void	look_later(void);
static void	looked(void);

#define FIRST_MS	10000	/* a manifest waits for a discovery so long */
#define EARLY_MS	2	/* if the request has not left by then */
#define FRESH_MS	10000	/* what was found by then is not looked for again */

static struct {
	const struct options	*o;	/* NULL: there is no tunnel */
	struct diag		*diag;
	int			 began;	/* the first manifest is out */
	uint64_t		 found_ms; /* without a tunnel; 0: nothing */
	struct timer		 first, again, early;
	char			*manifest;	/* as it was sent last */
} announce;

int
announce_manifest(void)
{
	char	*text;

	if ((text = catalog_manifest()) == NULL)
		return (-1);
	if (document_send("manifest", "", text) == -1) {
		log_warnx("manifest: not sent");
		free(text);
		return (-1);
	}
	if (announce.manifest == NULL || strcmp(text, announce.manifest) != 0)
		log_info("manifest: %zu service%s", catalog_count(),
		    PLURAL(catalog_count()));
	free(announce.manifest);
	announce.manifest = text;
	return (0);
}

void
announce_early(void)
{
	timer_init(&announce.early, early, NULL);
	timer_set(&announce.early, EARLY_MS);
}

/* In the next turn, when it is with the server, which has work of its own. */
void
announce_asked(void)
{
	if (timer_is_set(&announce.early))
		timer_set(&announce.early, 0);
}

static void
early(void *arg)
{
	(void)arg;
	discover_now(looked);
}

/* The server hears of the services first, and not of them again too soon. */
void
announce_start(const struct options *o)
{
	uint64_t	found = announce.found_ms;

	announce.o = o;
	announce.began = 0;
	announce.found_ms = 0;
	timer_del(&announce.early);
	timer_init(&announce.again, look, NULL);
	timer_init(&announce.first, first_manifest, NULL);
	if (found != 0 && clock_ms() - found < FRESH_MS) {
		look_later();
		first_manifest(NULL);
		return;
	}
	timer_set(&announce.first, FIRST_MS);
	look(NULL);
}

/* What is known by now, and then the state of this machine. */
static void
first_manifest(void *arg)
{
	(void)arg;
	timer_del(&announce.first);
	announce.began = 1;
	(void)announce_manifest();
	announce.diag = diag_start(announce.o, diagnostics_done, NULL);
	users_connected();
}

void
announce_stop(void)
{
	if (announce.o == NULL)
		return;
	timer_del(&announce.first);
	timer_del(&announce.again);
	if (announce.diag != NULL)
		diag_cancel(announce.diag);
	announce.diag = NULL;
	announce.o = NULL;
	users_disconnected();
}

void
announce_clear(void)
{
	free(announce.manifest);
	announce.manifest = NULL;
}

static void
diagnostics_done(void *arg, const char *report)
{
	(void)arg;
	announce.diag = NULL;
	if (report == NULL || document_send("diagnostics",
	    "DIAGNOSTICS 1\n", report) == -1)
		log_warnx("diagnostics: not sent");
}

static void
look_later(void)
{
	if (announce.o->discovery_ms > 0)
		timer_set(&announce.again, announce.o->discovery_ms);
}

static void
look(void *arg)
{
	(void)arg;
	look_later();
	discover_now(looked);
}

/* A result that is empty is not worth a manifest, but for the first. 7.1 */
static void
looked(void)
{
	/* There may be no tunnel yet, or no more. */
	if (announce.o == NULL)
		announce.found_ms = clock_ms();
	else if (!announce.began)
		first_manifest(NULL);
	else if (catalog_found_count() > 0)
		(void)announce_manifest();
	users_discovered();
}

void
announce_again(void)
{
	if (announce.o != NULL)
		look(NULL);
}
