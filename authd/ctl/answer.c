/* SPDX-License-Identifier: ISC */
/* Rows and the last word of a request of relayctl's. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/store/audit.h"
#include "authd/turn.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/text.h"
#include "ctl.h"

int
ctl_name_check(const char *s)
{
	return (text_is_name(s) && strlen(s) < NAME_SIZE ? 0 : -1);
}

static void
row_send(struct chan *c, uint32_t id, const char *const *cell, unsigned n)
{
	struct msg_ctl_row	row = { .cells = { .n = 0 } };
	unsigned		i;

	for (i = 0; i < n && i < CTL_CELLS_MAX; i++)
		row.cells.v[row.cells.n++] = cell[i];
	(void)say_ctl_row(c, id, -1, &row);
}

void
ctl_row(const struct asker *asker, ...)
{
	struct chan	*c = asker_chan(asker);
	const char	*cell[CTL_CELLS_MAX], *s;
	unsigned	 n = 0;
	va_list		 ap;

	va_start(ap, asker);
	while ((s = va_arg(ap, const char *)) != NULL && n < CTL_CELLS_MAX)
		cell[n++] = s;
	va_end(ap);
	if (c != NULL)
		row_send(c, asker->id, cell, n);
}

void
ctl_done(const struct asker *asker, int code, const char *text)
{
	struct chan	*c = asker_chan(asker);

	if (c == NULL)
		return;
	(void)say_ctl_done(c, asker->id, -1, &(struct msg_ctl_done){
	    .code = (uint16_t)code, .text = text });
}

const char *
ctl_num(uint64_t v)
{
	static char	 text[8][24];
	static unsigned	 i;
	char		*s = text[i++ % 8];

	snprintf(s, sizeof(text[0]), "%llu", (unsigned long long)v);
	return (s);
}

void
ctl_shown(const struct ctl *ctl)
{
	if (peer_is_ready())
		ctl_done(&ctl->asker, 0, "");
	else
		ctl_done(&ctl->asker, 503, "store is unavailable");
}

void
ctl_audit(const struct ctl *ctl, const char *session, const char *object,
    const char *more)
{
	char	actor[32];

	snprintf(actor, sizeof(actor), "uid %u", (unsigned)ctl->uid);
	audit_done(&(struct audit){ .actor = actor, .address = AUDIT_LOCAL,
	    .action = ctl_info(ctl->op)->word, .session = session, .object = object,
	    .reason = more });
}

struct later {
	struct asker	 asker;
	const char	*text;
	unsigned	 n;
	const char	*head[4];
	char		*cell[4];
};

static void
ctl_committed(void *arg, int ok)
{
	struct later	*l = arg;
	struct chan	*c = asker_chan(&l->asker);
	unsigned	 i;

	if (!ok) {
		ctl_done(&l->asker, 503, "store is unavailable");
	} else {
		if (l->n > 0 && c != NULL) {
			row_send(c, l->asker.id, l->head, l->n);
			row_send(c, l->asker.id,
			    (const char *const *)l->cell, l->n);
		}
		ctl_done(&l->asker, 0, l->text);
	}
	for (i = 0; i < l->n; i++)
		freezero(l->cell[i], strlen(l->cell[i]));
	free(l);
}

static struct later *
later_new(const struct asker *asker, const char *text)
{
	struct later	*l = calloc(1, sizeof(*l));

	if (l == NULL)
		fatalx("out of memory");
	l->asker = *asker;
	l->text = text;
	return (l);
}

void
ctl_after_text(const struct asker *asker, const char *text)
{
	turn_after(ctl_committed, later_new(asker, text));
}

void
ctl_after(const struct asker *asker, ...)
{
	struct later	*l = later_new(asker, "");
	const char	*head;
	va_list		 ap;

	va_start(ap, asker);
	while (l->n < 4 && (head = va_arg(ap, const char *)) != NULL) {
		l->head[l->n] = head;
		l->cell[l->n] = strdup(va_arg(ap, const char *));
		if (l->cell[l->n++] == NULL)
			fatalx("out of memory");
	}
	va_end(ap);
	turn_after(ctl_committed, l);
}
