/* SPDX-License-Identifier: ISC */
#ifndef ELSEWHERE_H
#define ELSEWHERE_H

struct ctl;

/*
 * Behind the rows of `show sessions` that are ours, with the column `member`: a
 * row for each open session that we have not, and the last word.
 */
void	ctl_elsewhere(const struct ctl *);

#endif
