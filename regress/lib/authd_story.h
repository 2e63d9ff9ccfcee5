/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_STORY_H
#define AUTHD_STORY_H

#include <stddef.h>
#include <stdint.h>

#include "api/api.h"
#include "ctl/ctl.h"
#include "drive.h"
#include "world.h"

/* The story of authd: this program is the parent and all other processes. */

/* One channel's far end. */
struct far {
	int		fd;
	uint64_t	instance;
	uint32_t	last_id;	/* of a request that we made */
};

extern struct drive	authd;
extern struct far	parent;
extern struct conf	drive_conf;	/* edit before authd_start() */

/* world_init(). Once, first. */
void	authd_init(void);
/* Start it, and SPAWNED_ALL if `all`. The same store as the last one had. */
void	authd_start(int all);
/* In order; exit status. */
int	authd_stop(void);

/* A new process as SPAWNED announces it. Free with far_close(). */
struct far	*drive_spawn(int role, uint64_t nonce);
struct far	*drive_spawn_kept(int role, uint64_t instance, uint64_t nonce);
struct far	*drive_spawn_bound(int role, uint64_t instance,
		    const char *system, const char *session, uint64_t gen);
void	far_close(struct far *);

uint32_t next_id(struct far *);

/* Messages that hear() and the stories dropped, by type. */
extern unsigned	dropped[IMSG_COUNT];
/* The channel ends; what comes before is dropped. */
int	get_end(struct far *);
/* Does nothing of this type come before the answer to a later question? */
int	get_none(struct far *, uint32_t type);

/* Stories that many tests need. */

/* ADMIT of a tunnel: the nonce, or 0 and *status. */
uint64_t admit(struct far *proxyd, const char *addr, int *status);

struct tunnel {
	struct far	*mux;
	char		 key[SYSKEY_SIZE], secret[SECRET_SIZE];
	char		 session[UUID_SIZE], token[HEX64_SIZE];
	char		 system[ID_SIZE];
	uint64_t	 generation;
	int		 status;
	uint32_t	 retry;
	char		 message[MESSAGE_SIZE];
};

/* CTL: rows are kept; the code of CTL_DONE. */
struct rows {
	unsigned	n;
	struct { unsigned n; char *cell[CTL_CELLS_MAX]; } row[600];
	char		text[MESSAGE_SIZE];
};
#define CTL_END	((const char *)NULL)
int	ctl(struct far *control, struct rows *, int op, ...)
	    __attribute__((sentinel));
const char	*cell(const struct rows *, unsigned row, const char *column);
void	rows_free(struct rows *);
/* A line of `show stats`; it needs no store. */
unsigned long	stat_of(struct far *control, const char *name);

/*
 * All that authd was told before is done and in the store: a later turn of its
 * loop has ended. That two answers came is not enough, both may be one turn's.
 */
void	drive_sync(struct far *control);

/* A system with a fresh key and secret. */
void	system_add(struct far *control, struct tunnel *, const char *org);
/* Spawn a muxd and log in; fills the rest. */
void	login(struct far *proxyd, struct tunnel *, const char *node,
	    const char *token, const char *addr);
/* The same without waiting for the answer, and the waiting. */
void	login_send(struct far *proxyd, struct tunnel *, const char *node,
	    const char *token, const char *addr);
void	login_say(struct tunnel *, uint64_t nonce, const char *node,
	    const char *token, const char *addr);
void	login_wait(struct tunnel *);
/* The same muxd with its new channel, as after a restart of authd. */
void	rebind(struct tunnel *);
/* CREDIT_ASK: how many MiB it was lent. */
uint32_t lend(struct far *mux, uint32_t want);
/* relayctl org add: its id (ID_SIZE bytes). */
void	org_add(struct far *control, const char *name, const char *type,
	    const char *above, char *id);
/* UP and a manifest of `n` services s0, s1, ... with target ports 8000 + i. */
void	up(struct tunnel *, unsigned n);
void	manifest(struct far *mux, unsigned n);

/* REPORT_BEGIN to REPORT_END, of diagnostics or of what is said. */
void	report_say(struct far *mux, const char *text, size_t len);
void	report_say_of(struct far *mux, enum report_kind, const char *text,
	    size_t len);

struct granted {
	int		status;
	char		message[MESSAGE_SIZE];
	uint64_t	grant, expires;
	char		session[UUID_SIZE], operator[ID_SIZE];
	char		reference[REFERENCE_SIZE];
	uint32_t	idle_max;
	unsigned	services;	/* in the last table before it, */
	unsigned	tables, anew;	/* of so many, so many begin anew */
};
void	grant(struct far *proxyd, const char *token, const char *session,
	    struct granted *);
/* On a sibling of that session, for this service there. */
void	grant_there(struct far *proxyd, const char *token, const char *session,
	    const char *sibling, const char *service, struct granted *);

struct opened {
	int		status;
	char		message[MESSAGE_SIZE];
	uint64_t	stream;
	int		fd;		/* asker's end, -1 */
	int		mux_fd;		/* muxd's end, -1 */
	uint8_t		tag[STREAM_TAG_MAX];
	size_t		tag_len;
};
void	stream_open(struct far *proxyd, struct far *mux, uint64_t grant,
	    const char *service, struct opened *);
/* STREAM_BRIDGE comes: what it says of the stream. */
void	bridge_take(struct far *mux, struct opened *, const char *service);
void	stream_end(struct far *mux, uint64_t stream, int why, uint64_t in,
	    uint64_t out);
void	opened_close(struct opened *);

/* API: the status; JSON data ("" for null) in a static buffer. */
struct api {
	const char	*token, *session, *service, *sort_by, *system_id;
	uint32_t	 page, page_size, statuses;
	int		 descending;
};
int	api(struct far *proxyd, int op, const struct api *);
/* The same with every parameter there is: api_say(p, op, token, .hours = 1). */
#define api_say(p, op, tok, ...)					\
	api_tell(p, op, &(struct msg_api){ .token = (tok),		\
	    .addr = "192.0.2.7", __VA_ARGS__ })
int	api_tell(struct far *proxyd, int op, struct msg_api *);
/* The bit of a parameter of this call for `given`. */
uint32_t api_given(int op, const char *name);
/* In two: what others say in between is the test's. */
void	api_ask(struct far *proxyd, int op, struct msg_api *);
int	api_hear(struct far *proxyd);
extern char	api_message[MESSAGE_SIZE], api_data[1 << 20];
/* A string member of the last data, by a simple search; "" if absent. */
const char	*api_str(const char *name);

/* The value at a path like `pagination.page` as it stands there, "": none. */
const char *api_at(const char *path);

/* An operator's token from authd: relayctl token create. */
char	*operator_token(struct far *control, const char *user,
	    const char *org, const char *role, const char *perms);

/*
 * Where most tests begin, behind authd_init(): authd, relayctl's process, a
 * proxyd and an owner's token. And where they end: authd_stop(), its status.
 */
void	authd_scene(struct far **control, struct far **proxyd, char **token);
int	authd_scene_end(struct far *control, struct far *proxyd, char *token);


#endif
