/* SPDX-License-Identifier: ISC */
#ifndef DIAG_H
#define DIAG_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"

/*
 * The state of this machine: a built-in part and plugins.
 * tunnel-protocol.md, 4.4 and 7.6.
 */

/* In order of badness (T24). */
enum diag_status {
	DIAG_OK, DIAG_WARNING, DIAG_TIMEOUT, DIAG_ERROR, DIAG_CRITICAL
};
const char	*diag_status_name(enum diag_status);
/* An unknown word is DIAG_ERROR. */
enum diag_status diag_status_parse(const char *);

/* ---- collecting: diag.c ---- */

/*
 * Collect a report. `fn` is called once, never before this returns, with the
 * document and a newline (valid during the call), or NULL when out of memory;
 * the struct is gone by then. `o` must live on. NULL when out of memory.
 */
struct diag;
struct diag	*diag_start(const struct options *o,
		    void (*fn)(void *, const char *), void *);
/* Running plugins are killed. */
void		 diag_cancel(struct diag *);

/* ---- the built-in part: system.c. Pure, but for system_plugin() ---- */

/* Each returns a check object, or NULL when out of memory. */
cJSON	*check_os(const char *os_release);	/* NULL: no such file */
cJSON	*check_load(const double load[3], int cpus);
cJSON	*check_ram(uint64_t total_kb, uint64_t available_kb);
cJSON	*check_disk(uint64_t total, uint64_t available);
cJSON	*check_uptime(uint64_t seconds);
/* Of /proc/meminfo; without MemAvailable MemFree+Buffers+Cached. 0 or -1. */
int	 meminfo_parse(const char *, uint64_t *total_kb,
	    uint64_t *available_kb);
/* The whole plugin object of this machine. */
cJSON	*system_plugin(void);
/* The worst status of a plugin's checks. */
enum diag_status system_worst(const cJSON *plugin);

/* ---- a plugin: plugin.c ---- */

#define PLUGIN_OUT_MAX	(512 * 1024)	/* of its standard output */
#define PLUGINS_MAX	63		/* and the built-in one */

/*
 * The files of a directory that may be executed, as full paths in byte order,
 * ends with NULL; others are logged and left out. NULL when out of memory; a
 * directory that does not exist is empty.
 */
char	**plugin_list(const char *dir);
void	  plugin_list_free(char **);

/*
 * What a plugin said, as a plugin object for the report: only the members of
 * the protocol, within the server's limits. `exit` is the status that follows
 * from how it ended. NULL when out of memory.
 */
cJSON	*plugin_result(const char *path, const char *out, size_t len,
	    enum diag_status exit);
/*
 * Add a text: cut to the server's limit, bytes that are no UTF-8 and control
 * characters replaced. 0 or -1.
 */
int	json_add_text(cJSON *to, const char *name, const char *text,
	    size_t len);
/* 0 ok, 1 warning, 2 critical, else error. `status` as of waitpid(). */
enum diag_status plugin_exit_status(int status);

/*
 * Run one. `fn` is called once, never before this returns; the struct is gone
 * by then. Output over PLUGIN_OUT_MAX is dropped. NULL when it cannot be
 * started.
 */
struct plugin;
typedef void	(*plugin_fn)(void *, const char *out, size_t len,
		    enum diag_status exit);
struct plugin	*plugin_start(const char *path, uint64_t limit_ms, plugin_fn,
		    void *);
void		 plugin_cancel(struct plugin *);

#endif
