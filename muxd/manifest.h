/* SPDX-License-Identifier: ISC */
#ifndef MANIFEST_H
#define MANIFEST_H

#include <stddef.h>

/*
 * The client's table of services, from JSON, checked entry by entry. Pure: no
 * I/O, no logging. tunnel-protocol.md, 4.2 and 4.3.
 */
#define MANIFEST_BYTES_MAX	1048576	/* longer documents are refused */
#define MANIFEST_SERVICES_MAX	500	/* further ones are left out */

/* Texts are terminated and never NULL; sizes as in msg.h. */
struct service {
	const char	*name, *target, *host, *label;
	const char	*path, *path_prefix, *module_id, *node_id;
	int		 tls, tcp;
};

struct manifest {
	unsigned	 count;
	unsigned	 dropped;	/* entries left out */
	struct service	 service[];
};

/*
 * Told of each entry that is left out. `name` is the client's text (escape it
 * before logging), `why` a constant.
 */
typedef void (*manifest_dropped_fn)(void *arg, const char *name, size_t len,
    const char *why);

/*
 * Parse a document (text_json_load()). Returns
 *	0	*mp is the new table, free with manifest_free()
 *	1	no `services`, or null: nothing changes
 *	-1	not a manifest, or too long: *why is a constant
 *	-2	no memory
 * `dropped` may be NULL. Unknown members are ignored; a label that is too long
 * is cut at a character's border.
 */
int	manifest_parse(const char *json, size_t len, struct manifest **mp,
	    manifest_dropped_fn dropped, void *arg, const char **why);
void	manifest_free(struct manifest *);
/* The same services, in the same order? Either may be NULL. 1 or 0. */
int	manifest_same(const struct manifest *, const struct manifest *);

#endif
