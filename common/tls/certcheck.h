/* SPDX-License-Identifier: ISC */
#ifndef CERTCHECK_H
#define CERTCHECK_H

/*
 * What `relayd -n` and the start ask keyd about one certificate: a keyd of its own,
 * "keyd check UID GID CHAIN MEMBER", with a socket as descriptor 3 on which one
 * message of one byte brings the open files: the chain, its key and, if MEMBER is
 * not empty, who signs members' certificates. It becomes that user, shuts itself in,
 * reads, writes a line that says what is wrong, and exits with one of these.
 */
#define CERTCHECK_WORD	"check"
#define CERTCHECK_FILES	3
#define CERTCHECK_LINE	512

enum certcheck {
	CERTCHECK_GOOD,
	CERTCHECK_FAILED,	/* it could not look */
	CERTCHECK_WRONG,	/* no listener can use it */
	CERTCHECK_STRANGER	/* other members will not believe it */
};

#endif
