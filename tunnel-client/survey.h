/* SPDX-License-Identifier: ISC */
#ifndef SURVEY_H
#define SURVEY_H

#include <cjson/cJSON.h>
#include <stddef.h>

/*
 * The discovery of services, as the process does that was started for it: it
 * may wait for Redis and for programs, and die of what they say. It writes one
 * document to standard output, which discovered.c reads:
 *
 *	{"mode":"ns8","master":true,"node":"1",
 *	 "services":{"pbx1-ui":{"target":...,"host":...,"tls":true,"label":...,
 *	   "path":...,"path_prefix":...,"module_id":"pbx1","node_id":"1"}},
 *	 "modules":{"pbx1":{"label":...,"domain":...,"node_id":"1"}},
 *	 "failed":["2"],"errors":["..."]}
 *
 * `failed` are nodes that could not be asked; with "fatal" nothing of the rest
 * counts. tunnel-protocol.md, 7.4 and 7.5.
 */

struct survey {
	const char	*redis;		/* host:port, "" look, or "none" */
	int		 ns8;		/* it was one the last time */
	char		**envp;		/* for api-cli */
};

/* A program_spec's `call`; `arg` is a struct survey. */
void	survey_main(void *arg);

/* The document, for ns8.c and nethsec.c; findings.c. */
struct findings {
	cJSON	*top, *services, *modules, *failed, *errors;
};
void	findings_error(struct findings *, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));

/*
 * ns8.c: 1 when this is a node of an NS8 cluster, 0 when not, -1 when what was
 * found does not count.
 */
int	ns8_survey(const struct survey *, struct findings *);
/*
 * The number of this node out of the file that an NS8 node has; "" when there
 * is none. 0 or -1.
 */
int	ns8_own_node(char *out, size_t size);

/*
 * routes.c: the services of what `list-routes` prints. `address` is where the
 * routes are, if they are another node's. What has a name that is taken, or no
 * target, is left out. Returns how many were taken, -1 when the text is none.
 */
int	routes_take(cJSON *services, const char *text, size_t len,
	    const char *node, const char *address);
/* `pbx103-ui` is of `pbx103`; "" when no module is in the name. */
void	routes_module(const char *instance, char *out, size_t size);

/* nethsec.c: 1 when this is a NethSecurity host, with its one service. */
int	nethsec_survey(struct findings *);
/* The port of the web interface, out of its configuration file's text. */
int	nethsec_port(const char *conf);

#endif
