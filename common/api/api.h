/* SPDX-License-Identifier: ISC */
#ifndef COMMON_API_H
#define COMMON_API_H

#include <stddef.h>
#include <stdint.h>

#include "http/head.h"
#include "imsg/msg.h"

/* The operator API as a table, made from api.def. Pure. */

enum api_op {
	API_NONE,
#define A(NAME, method, pattern, needs, body, word, text, params)	API_##NAME,
#include "api.def"
#undef A
	API_OP_COUNT
};

#define API_BODY	4096	/* what most bodies need, and much more */

#define N(NAME, word)	NEEDS_##NAME,
enum api_needs { NEEDS_NOTHING, API_PERMISSIONS NEEDS_COUNT };
#undef N

/*
 * All parameters that calls have (args.h); each call fills its own, the rest is
 * zero. sort_direction 1 is descending; status has a bit for each enum
 * session_status, or enum system_state, none for any.
 */
#define U8(name)	uint8_t name;
#define U32(name)	uint32_t name;
#define STR(name, size)	char name[size];
#define SECRET(name, size)	char name[size];
struct api_args {
	API_ARGS
	/* the first one that is wrong: its key, the rule, its value */
	const char	*bad_key, *bad_rule;
	char		 bad_value[WORD_SIZE];
};
#undef U8
#undef U32
#undef STR
#undef SECRET

#define Y(NAME, word)	SYSTEM_IS_##NAME,
enum system_state { API_SYSTEM_STATES SYSTEM_STATES };
#undef Y

enum api_kind { API_NUMBER, API_WORD, API_DESCENDING, API_NEEDED,
    API_STATUSES, API_SYSTEM_STATUSES, API_TEXT, API_TEXTS, API_NAME,
    API_NEW_NAME, API_INTEGER, API_BOOL, API_OBJECT, API_NEW_SERVICES };
enum api_place { API_QUERY, API_PATH, API_IN_BODY };

struct api_param {
	const char	*name;
	enum api_kind	 kind;
	enum api_place	 place;
	size_t		 offset, size;	/* in struct api_args */
	uint32_t	 min, max, dflt;
};

struct api_info {
	const char		*method, *pattern;
	enum api_needs		 needs;
	size_t			 body;	/* the most bytes of it; 0: none */
	const char		*word, *text;
	/* Behind the last is one without a name. */
	const struct api_param	*params;
};

/* NULL: no such call. */
const struct api_info	*api_info(unsigned op);

#define API_HOLES	2	/* in a pattern */

/*
 * Whose path and method this is: an enum api_op; 0 for an unknown path, -1 for
 * a known one with another method. `holes` is what stands in the pattern's.
 */
int	api_match(const struct slice *path, const struct slice *method,
	    struct slice holes[API_HOLES]);
/*
 * The methods that a known path has, as Allow names them; HEAD goes with GET.
 * Cut to what there is room for.
 */
void	api_allowed(const struct slice *path, char *dst, size_t size);
/* Does a path fit a pattern? Each hole has a byte at least, and no '/'. */
int	api_fits(const struct slice *path, const char *pattern,
	    struct slice *holes);
/* Which hole of a call's path is that, -1: none. */
int	api_hole(unsigned op, const char *name);

/* Does the call's body have this optional one? */
int	api_has(unsigned op, const struct api_args *, const char *name);
/* Into the message and out of it. The texts that are said are borrowed. */
void	api_args_say(const struct api_args *, struct msg_api *);
void	api_args_get(const struct msg_api *, struct api_args *);

/* params.c: read a call's parameters. What is wrong is noted, not refused. */
void	api_take_path(unsigned op, const struct slice *holes,
	    struct api_args *);
void	api_take_query(unsigned op, const struct slice *query,
	    struct api_args *);
void	api_take_body(unsigned op, const char *body, size_t len,
	    struct api_args *);

#endif
