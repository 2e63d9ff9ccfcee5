/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_API_H
#define AUTHD_API_H

#include "api/api.h"
#include "imsg/imsg.h"
#include "authd/cred/jwt.h"
#include "imsg/msg.h"
#include "authd/msg/peer.h"

struct brief;
struct cJSON;
struct facts;

/* One call of the operator API, as proxyd has taken it apart. */
struct api_call {
	struct asker	asker;
	uint8_t		op, descending;
	uint8_t		invalid;	/* proxyd knows what is wrong */
	char		addr[ADDR_SIZE];
	char		session[UUID_SIZE], service[SERVICE_SIZE];
	char		sort_by[WORD_SIZE], system_id[ID_SIZE];
	uint32_t	page, page_size, statuses;
	struct operator	who;
};

/* The handler of API: every call is answered once. operator-api.md, 4. */
int	api_on_api(struct chan *, struct imsg *);

/*
 * Has the asker more to read already than is good? Looked at when a question
 * comes, and again before the answer: others may have been answered since.
 */
int	api_is_busy(const struct asker *);
/* 200 with the text that api.def has for it; `data` is freed. */
void	api_yes(const struct asker *, unsigned op, struct cJSON *data);
/*
 * The caller may, but not with these parameters: 400 with this message, and
 * proxyd says which one is wrong.
 */
void	api_invalid(const struct api_call *, const char *message);
/* Answer; `data` (may be NULL) is freed. */
void	api_result(const struct asker *, int status, const char *message,
	    struct cJSON *data);

/* list.c */
void	api_list(struct api_call *, const struct facts *);

/* A time as RFC 3339 in UTC, into 32 bytes; returns dst. */
char	*api_time(int64_t ms, char dst[32]);
/* Members that a session and a group share. */
void	api_add_system(struct cJSON *, const struct brief *);

#endif
