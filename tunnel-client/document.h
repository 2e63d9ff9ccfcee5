/* SPDX-License-Identifier: ISC */
#ifndef DOCUMENT_H
#define DOCUMENT_H

/*
 * Send a document on a stream of its own: a header line, which may be "", and
 * the text. Nothing but FIN comes back, or RST, which the log then calls a no
 * to `what`; that is not copied. 0 or -1.
 */
int	document_send(const char *what, const char *header, const char *text);

#endif
