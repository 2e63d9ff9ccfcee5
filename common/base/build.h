/* SPDX-License-Identifier: ISC */
#ifndef BUILD_H
#define BUILD_H

/*
 * Which sources this program was made from: the version and a sum over all of
 * them. The parent compares it with what a child says when it is ready, since
 * the messages between them are those of one build.
 */
#define BUILD_SIZE	64
extern const char	build_id[];

#endif
