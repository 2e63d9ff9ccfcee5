/* SPDX-License-Identifier: ISC */
#ifndef COMPLETION_H
#define COMPLETION_H

/* What a shell reads so that it can complete; NULL: a shell we do not know. */
const char	*completion_script(const char *shell);

#endif
