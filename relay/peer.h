/* SPDX-License-Identifier: ISC */
#ifndef PEER_TOOL_H
#define PEER_TOOL_H

#include <stdio.h>

/*
 * One side of a relay session: makes one (create), or joins one and carries
 * what a local socket says (tcp-listen, tcp-dial) or standard input and output
 * (raw). rendezvous-protocol.md, section 10.
 */

/* Is it one of these words? */
int	peer_is_word(const char *);
/* For --help: a usage line of each, and its options. */
void	peer_usage(FILE *);
void	peer_help(FILE *);
/*
 * For the shells: the words that begin with `typed`; and what may stand there
 * behind others (argv, of which the last is `typed`), the word first.
 */
void	peer_complete_word(const char *typed);
void	peer_complete(int argc, char **argv);
/* argv[0] is the word. Returns the status to exit with. */
int	peer_main(int argc, char **argv);

#endif
