/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/cred/seen.h"
#include "authd/cred/shared.h"
#include "base/compat.h"
#include "base/uuid.h"
#include "note.h"

#define MAGIC	"relayd-note-1"
#define NOBODY	"-"		/* no session */
#define WORDS	8		/* with the MAC */

#define X(NAME, word)	word,
static const char *const	ops[NOTE_OP_COUNT] = { NOTE_OPS(X) };
#undef X

int
note_print(const struct note *n, char dst[NOTE_SIZE])
{
	char	mac[SHARED_MAC_SIZE];
	size_t	len;

	snprintf(dst, NOTE_SIZE, MAGIC " %s %s %s %s %" PRId64 " %s",
	    ops[n->op], n->from, n->to, n->id, n->at,
	    n->session[0] != '\0' ? n->session : NOBODY);
	len = strlen(dst);
	if (shared_sign(SHARED_CLUSTER, dst, len, mac) == -1)
		return (-1);
	snprintf(dst + len, NOTE_SIZE - len, " %s", mac);
	return (0);
}

/* A word that is as long as it may be, of these characters. */
static int
take(char *dst, size_t size, const char *word, const char *of)
{
	return (word[0] != '\0' && word[strspn(word, of)] == '\0' &&
	    strlcpy(dst, word, size) < size ? 0 : -1);
}

#define HEX	"0123456789abcdef"
#define NAME	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"	\
		"0123456789-_"

static int
note_read(struct note *n, char *const word[WORDS])
{
	char	*end;
	int	 i;

	for (i = 0; i < NOTE_OP_COUNT && strcmp(word[1], ops[i]) != 0; i++)
		continue;
	n->op = (enum note_op)i;
	n->at = strtoll(word[5], &end, 10);
	if (strcmp(word[0], MAGIC) != 0 || i == NOTE_OP_COUNT ||
	    take(n->from, sizeof(n->from), word[2], NAME) == -1 ||
	    take(n->to, sizeof(n->to), word[3], strcmp(word[3], NOTE_ALL) ==
	    0 ? NOTE_ALL : NAME) == -1 ||
	    take(n->id, sizeof(n->id), word[4], HEX) == -1 ||
	    end == word[5] || *end != '\0')
		return (-1);
	if (strcmp(word[6], NOBODY) == 0)
		return (0);
	if (!uuid_is(word[6], strlen(word[6])))
		return (-1);
	strlcpy(n->session, word[6], sizeof(n->session));
	return (0);
}

const char *
note_parse(struct note *n, const char *text, size_t len, int64_t now)
{
	char	copy[NOTE_SIZE], *rest = copy, *word[WORDS];
	size_t	mac = 0, i;

	memset(n, 0, sizeof(*n));
	if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
		return ("too long, or no text");
	memcpy(copy, text, len);
	copy[len] = '\0';
	for (i = 0; i < WORDS && rest != NULL; i++) {
		mac = (size_t)(rest - copy);
		word[i] = strsep(&rest, " ");
	}
	if (i < WORDS || rest != NULL)
		return ("no note");
	if (!shared_signed(SHARED_CLUSTER, text, mac - 1, word[WORDS - 1],
	    strlen(word[WORDS - 1])))
		return ("not signed");
	if (note_read(n, word) == -1)
		return ("no note of this version");
	if (n->at < now - NOTE_FRESH_MS || n->at > now + NOTE_FRESH_MS)
		return ("not fresh");
	return (NULL);
}

/* ---- ids that were there ---- */

static struct seen	*before;

int
note_before(const struct note *n)
{
	if (before == NULL && (before = seen_new(NOTE_KEPT)) == NULL)
		return (1);
	return (seen_before(before, n->id, n->at));
}

void
note_forget(void)
{
	seen_free(before);
	before = NULL;
}
