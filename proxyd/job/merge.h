/* SPDX-License-Identifier: ISC */
#ifndef MERGE_H
#define MERGE_H

struct cJSON;
struct gather;

/*
 * What this member says, and what the others say, made into one answer. Each
 * adds to `data`, ours; what is wrong in another's is left out.
 * operator-api.md, 4
 */

/*
 * The rows of this list: each has the `member` that it is of, and `missing`
 * names those who have not answered. `inside`: the others' answers are
 * envelopes.
 */
void	merge_rows(struct cJSON *data, const char *list, int inside,
	    const struct gather *);
/* How all daemons are: their processes, and the sum of what they count. */
void	merge_status(struct cJSON *data, const struct gather *);
/* Only who has not answered, if anybody. How many they are. */
unsigned	merge_missing(struct cJSON *data, const struct gather *);

#endif
