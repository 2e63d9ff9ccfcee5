/* SPDX-License-Identifier: ISC */
#ifndef PEER_TOOL_H
#define PEER_TOOL_H

/*
 * One side of a relay session: makes one (create), or joins one and carries
 * what a local socket says (tcp-listen, tcp-dial) or standard input and output
 * (raw). rendezvous-protocol.md, section 10.
 */

/* Is it one of these words? */
int	peer_is_word(const char *);
/* argv[0] is the word. Returns the status to exit with. */
int	peer_main(int argc, char **argv);

#endif
