/* SPDX-License-Identifier: ISC */
/*
 * relayctl doctor: does this machine have what the configuration needs, and if
 * not, what is to be changed? It is run by hand, before relayd is started or
 * beside it. It reads the configuration, /proc and /sys, runs relayd -n,
 * connects to the control socket and to Redis without a word, and logs in at
 * PostgreSQL; nothing is changed.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "doctor.h"
#include "relayd/cfg.h"

#define EXIT_USAGE	2

static void
usage(void)
{
	fprintf(stderr, "usage: relayctl [-j] doctor [file file]\n");
	exit(EXIT_USAGE);
}

/* relayd -n says all of them, and where. */
static void
parse_error(void *arg, int error, const char *text)
{
	(void)arg;
	(void)error;
	(void)text;
}

int
main(int argc, char **argv)
{
	static struct conf	 conf;
	const char		*path = RELAYD_CONF;
	pid_t			 pid;
	int			 ch, json = 0;

	while ((ch = getopt(argc, argv, "j")) != -1) {
		if (ch != 'j')
			usage();
		json = 1;
	}
	if (argc - optind > 1)
		usage();
	if (optind < argc && *argv[optind] != '\0')
		path = argv[optind];
	check_file(path);
	/* A wrong one has been told; the rest is about what it says. */
	if (cfg_parse_file(&conf, path, parse_error, NULL) > 0)
		return (findings_print(json));
	pid = running(&conf);
	finding(FINE, "relayd", pid == 0 ? "not running" : "running", "", "%s",
	    "");
	check_limits(&conf, pid);
	check_network(&conf);
	check_memory(&conf, pid);
	check_kernel(&conf);
	check_store(&conf);
	return (findings_print(json));
}
